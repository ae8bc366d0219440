package workflows_test

import (
	"slices"
	"testing"
	"time"

	"recoup/billing"
)

// These are the defects that the simulation found (TestSimulation), each played by itself.

func (p *play) decides(r billing.Resolution) {
	r.Actor, r.Reason = "ada", "asked"
	p.resolve(p.t, r)
}

func TestU1APersonIsAskedAfterADay(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", silence, yes)
	p.books.looks = []billing.Answer{silence}
	p.after(day+time.Minute, func() {
		if got := read[int](p, `select count(*)::int from tasks where kind = 'outcome_unknown'`); got != 1 {
			t.Errorf("%d people were asked after a day, want 1", got)
		}
		p.books.looks = []billing.Answer{no}
	})
	p.after(10*day, func() { p.resolve(t, paid("r-1", 4900)) })
	p.run()
}

// TestS1AHoldPutsTheSuspensionOffAndNoMore: a held invoice does not block its account; after the hold it does again.
func TestS1AHoldPutsTheSuspensionOffAndNoMore(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	standing := func(at time.Duration, want string) {
		p.after(at, func() {
			if got := read[string](p, `select standing from accounts`); got != want {
				t.Errorf("after %s the account is %s, want %s", at, got, want)
			}
		})
	}
	standing(32*day, "suspended")
	p.after(33*day, func() {
		p.decides(billing.Resolution{RequestID: "h-1", Kind: billing.Hold, Until: opening.Add(36 * day)})
	})
	standing(34*day, "active")
	standing(37*day, "suspended")
	standing(62*day, "suspended") // the hold's three days are the customer's
	standing(64*day, "closed")
	p.after(70*day, func() { p.resolve(t, paid("r-1", 4900)) })
	p.run()
	if got := p.told("suspended"); got != 2 {
		t.Errorf("the customer was told of %d suspensions, want 2", got)
	}
}

// TestS1ReinstatedAtOnceThoughAnAttemptIsOpen: what an attempt may still take is no reason to keep a customer out who has paid.
func TestS1ReinstatedAtOnceThoughAnAttemptIsOpen(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, no, no, no, no, no, silence)
	p.books.looks = []billing.Answer{silence}
	p.after(35*day, func() { p.decides(billing.Resolution{RequestID: "n-1", Kind: billing.RetryNow}) })
	p.after(35*day+5*time.Minute, func() { p.resolve(t, paid("r-1", 4900)) })
	p.after(35*day+10*time.Minute, func() {
		if got := read[string](p, `select standing from accounts`); got != "active" {
			t.Errorf("paid, and the account is %s", got)
		}
		p.books.looks = []billing.Answer{no}
	})
	p.run()
}

func TestPM7ToldOfABackupAfterOurOutage(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", misconfigured, yes)
	p.run()
	if got := p.told("backup_charged"); got != 1 {
		t.Errorf("the customer was told %d times that the backup was charged instead of the primary, want 1", got)
	}
}

// TestT1NoTimeIsLeftOutTwice: a hold within the wait for a bank stops a clock that stands already.
func TestT1NoTimeIsLeftOutTwice(t *testing.T) {
	for name, released := range map[string]bool{"to its end": false, "released": true} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, "a")
			p.bankFirst()
			p.books.says("a", settling)
			p.books.looks = []billing.Answer{settling}
			p.after(2*day, func() {
				p.decides(billing.Resolution{RequestID: "h-1", Kind: billing.Hold, Until: opening.Add(4 * day)})
			})
			if released {
				p.after(3*day, func() { p.decides(billing.Resolution{RequestID: "h-2", Kind: billing.Release}) })
			}
			p.after(5*day, func() { p.books.looks = []billing.Answer{no} })
			p.after(6*day, func() {
				stood := time.Duration(read[int64](p, `select clock_shift_seconds from cases`)) * time.Second
				if stood < 5*day || stood > 5*day+12*time.Hour {
					t.Errorf("after five days and a half of waiting the clock stood for %s", stood)
				}
				p.resolve(t, paid("r-1", 4900))
			})
			p.run()
		})
	}
}

// TestT1ADayAndAMomentAreADay: a wait of a day puts the next round off by one morning, not by two.
func TestT1ADayAndAMomentAreADay(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.dies = "after intent" // so that the wait, from the attempt's beginning, is a day and a second
	p.books.says("a", confirm, no)
	p.books.looks = []billing.Answer{confirm}
	p.books.cancels = []billing.Answer{cancelled}
	p.books.says("b", no, yes)
	p.after(5*day-time.Hour*4, func() {
		if want := []string{"a", "b"}; !slices.Equal(p.books.order, want) {
			t.Errorf("charged %v before day 5, want %v", p.books.order, want)
		}
	})
	p.run()
	if got := p.env.Now().Sub(opening); got > 5*day {
		t.Errorf("the second round was %s after the first, want the morning of day 5", got)
	}
}

func TestRetryNowWhereOnlySuspensionIsHeld(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, yes)
	p.after(day, func() {
		p.decides(billing.Resolution{RequestID: "h-1", Kind: billing.Hold, Until: opening.Add(9 * day), Scope: []string{"suspension"}})
	})
	p.after(2*day, func() { p.decides(billing.Resolution{RequestID: "n-1", Kind: billing.RetryNow}) })
	p.after(2*day+time.Hour, func() { t.Error("the round was not at once") })
	p.run()
}

// TestPM1ANewMethodIsTriedThoughAnotherWasAskedFor: a person asks for a round on one method, our outage stops it, and meanwhile the
// customer adds another.
func TestPM1ANewMethodIsTriedThoughAnotherWasAskedFor(t *testing.T) {
	p := newPlay(t, "a", "c")
	p.books.says("a", no, misconfigured, no)
	p.books.says("b", yes)
	p.books.says("c", no)
	p.after(day, func() {
		p.decides(billing.Resolution{RequestID: "n-1", Kind: billing.RetryNow, Method: "a"})
	})
	p.after(day+10*time.Minute, func() {
		p.batch("method", billing.Batch{Methods: []billing.BatchMethod{{Line: 1, Method: billing.PaymentMethod{ID: "b", AccountID: "acme", Gateway: "stripe",
			Token: "b", Kind: billing.MethodCard, Brand: "visa", Last4: "4242", State: billing.MethodActive}}}})
		p.env.SignalWorkflow("poke", "as the poker delivers it")
	})
	p.run()
	if want := []string{"a", "c", "a", "a", "c", "b"}; !slices.Equal(p.books.order, want) || p.env.Now().Sub(opening) > 2*day {
		t.Errorf("charged %v within %s, want %v within two days", p.books.order, p.env.Now().Sub(opening), want)
	}
}
