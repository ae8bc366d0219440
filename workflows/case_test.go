package workflows_test

import (
	"slices"
	"testing"
	"time"

	"recoup/activities"
	"recoup/billing"
	"recoup/money"
	"recoup/workflows"
)

func TestPaidByThePrimary(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", yes)
	if got := p.run(); got.Outcome != billing.InvoicePaid || got.Rounds != 1 {
		t.Errorf("ended %+v", got)
	}
	if p.books.taken != 4900 {
		t.Errorf("the gateway took %d", p.books.taken)
	}
}

func TestPM3CascadeOnlyAfterAFinalDecline(t *testing.T) {
	p := newPlay(t, "a", "b", "c")
	p.books.says("a", no)
	p.books.says("b", silence)
	p.books.looks = []billing.Answer{silence, silence, no}
	p.books.says("c", yes)
	p.run()
	if want := []string{"a", "b", "c"}; !slices.Equal(p.books.order, want) {
		t.Errorf("charged %v, want %v", p.books.order, want)
	}
	if p.books.taken != 4900 {
		t.Errorf("the gateway took %d", p.books.taken)
	}
}

func TestD1BusyGatewayKeepsTheAttempt(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", busy, busy, busy, yes)
	p.run()
	if want := []string{"a", "a", "a", "a"}; !slices.Equal(p.books.order, want) {
		t.Errorf("charged %v, want %v: a busy gateway is no decline", p.books.order, want)
	}
	if len(p.books.sent) != 1 {
		t.Errorf("%d keys were used, want 1", len(p.books.sent))
	}
}

func TestD1HardDeclineIsNeverTriedAgain(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", lost)
	p.books.says("b", no, no, yes)
	p.run()
	if want := []string{"a", "b", "b", "b"}; !slices.Equal(p.books.order, want) {
		t.Errorf("charged %v, want %v", p.books.order, want)
	}
}

// TestStandardPolicy plays D5's standard policy to the closed account and past it: six rounds, final notice, suspension on day 30, closed on
// day 60, paid by cheque on day 70.
func TestStandardPolicy(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", no)
	type at struct {
		day      int
		standing string
		stage    string
	}
	var saw []at
	for _, d := range []int{1, 26, 28, 31, 61} {
		p.after(time.Duration(d)*day, func() {
			saw = append(saw, at{d, read[string](p, `select standing from accounts`), read[string](p, `select stage from cases`)})
		})
	}
	p.after(70*day, func() { p.resolve(t, paid("r-1", 4900)) })
	result := p.run()
	want := []at{{1, "active", "retrying"}, {26, "active", "retrying"}, {28, "active", "final_notice"}, {31, "suspended", "suspended"}, {61, "closed", "suspended"}}
	if !slices.Equal(saw, want) {
		t.Errorf("saw %v, want %v", saw, want)
	}
	if result.Outcome != billing.InvoicePaid || result.Rounds != 6 || len(p.books.order) != 12 {
		t.Errorf("ended %+v after %d attempts, want paid after 6 rounds and 12 attempts", result, len(p.books.order))
	}
	for kind, n := range map[string]int{"payment_failed": 6, "final_notice": 1, "suspension_scheduled": 1, "suspended": 1, "receipt": 1} {
		if got := read[int](p, `select count(*)::int from notices where channel = 'email' and kind = $1`, kind); got != n {
			t.Errorf("N2: %d mails %s, want %d", got, kind, n)
		}
	}
}

func TestS1ReinstatedWhenPaid(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	p.after(40*day, func() { p.resolve(t, paid("r-1", 4900)) })
	p.after(40*day+time.Minute, func() {})
	p.run()
	if got := read[string](p, `select standing from accounts`); got != "active" {
		t.Errorf("standing is %s", got)
	}
	if got := read[int](p, `select count(*)::int from notices where channel = 'email' and kind = 'reinstated'`); got != 1 {
		t.Errorf("%d mails of reinstatement, want 1", got)
	}
}

func TestHoldStopsEverythingAndResumesByItself(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, no, yes)
	p.after(2*day, func() {
		p.resolve(t, billing.Resolution{RequestID: "h-1", Kind: billing.Hold, Actor: "ada", Reason: "asked", Until: opening.Add(12 * day)})
	})
	p.after(11*day, func() {
		if len(p.books.order) != 1 {
			t.Errorf("%d attempts before the hold's end", len(p.books.order))
		}
	})
	p.run()
	if p.books.taken != 4900 || len(p.books.order) != 3 {
		t.Errorf("took %d in %d attempts", p.books.taken, len(p.books.order))
	}
}

func TestD7RetryNowIsOneRoundAtOnce(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, yes)
	p.after(day, func() {
		p.resolve(t, billing.Resolution{RequestID: "n-1", Kind: billing.RetryNow, Actor: "ada", Reason: "asked"})
	})
	p.after(day+time.Hour, func() { t.Error("the round was not at once") })
	p.run()
}

func TestR2SameRequestIDReturnsTheFirstAnswer(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	p.after(day, func() {
		p.resolve(t, paid("r-1", 1000))
		p.resolve(t, paid("r-1", 1000))
	})
	p.after(2*day, func() { p.resolve(t, paid("r-2", 3900)) })
	p.run()
	if got := read[int64](p, `select coalesce(sum(-amount_minor), 0)::bigint from journal_entries where ledger_kind = 'unapplied_funds'`); got != 0 {
		t.Errorf("%d went to unapplied funds: a request was booked twice", got)
	}
}

func TestRefusedResolutionChangesNothing(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, yes)
	p.after(day, func() {
		r := billing.Resolution{RequestID: "h-1", Kind: billing.Hold, Actor: "ada", Reason: "asked", Until: opening.Add(100 * day)}
		p.env.UpdateWorkflow(workflows.MessageResolve, "h-1", &updated{t: t, complete: func(_ any, err error) {
			refusal := activities.RefusalFrom(err)
			if refusal == nil || refusal.Field != "until" {
				t.Errorf("answer is %v, want a refusal of until", err)
			}
		}}, r)
	})
	p.run()
}

// TestPokesAreHarmlessAndCoalesced sends more pokes than a day has minutes: the case re-reads and nothing else happens.
func TestPokesAreHarmlessAndCoalesced(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no, yes)
	p.after(day, func() {
		for range 200 {
			p.env.SignalWorkflow(workflows.SignalPoke, "test")
		}
	})
	p.run()
	if len(p.books.order) != 2 {
		t.Errorf("%d attempts, want 2", len(p.books.order))
	}
}

func TestAF4FundsThatArriveWakeTheCase(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	p.after(day, func() {
		p.batch("deposit", billing.Batch{Deposits: []billing.BatchDeposit{{Line: 1, SettledOn: "2026-11-02", Deposit: billing.Deposit{
			ID: "d-1", AccountID: "acme", State: billing.DepositSettled, Reference: "R-1", Amount: money.New(5000, usd), Remaining: money.New(5000, usd)}}}})
		if got := read[int](p, `select count(*)::int from pokes`); got != 1 {
			t.Errorf("%d pokes after the import, want 1", got)
		}
		p.env.SignalWorkflow(workflows.SignalPoke, "funds arrived") // as the poker delivers it
	})
	p.after(day+time.Hour, func() { t.Error("the case slept on") })
	p.run()
	if got := read[int64](p, `select remaining_minor from deposits`); got != 100 {
		t.Errorf("%d of the deposit left, want 100", got)
	}
}

func TestOutOfBandWhileUnknownIsProvisional(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", silence)
	late := yes
	late.Captured = money.New(4900, usd)
	p.books.looks = []billing.Answer{silence, silence, silence, late}
	p.after(5*time.Minute, func() { p.resolve(t, paid("r-1", 4900)) })
	p.run()
	if got := read[int64](p, `select coalesce(sum(-amount_minor), 0)::bigint from journal_entries where ledger_kind = 'unapplied_funds'`); got != 4900 {
		t.Errorf("U4: %d in unapplied funds, want 4900", got)
	}
	if got := read[int](p, `select count(*)::int from tasks where kind = 'refund'`); got != 1 {
		t.Errorf("U4: %d refund tasks, want 1", got)
	}
}

func paid(request string, minor int64) billing.Resolution {
	amount := money.New(minor, usd)
	return billing.Resolution{RequestID: request, Kind: billing.PaidOutOfBand, Actor: "ada", Reason: "cheque", Amount: &amount,
		Reference: "CHQ 1207", ReceivedOn: "2026-11-20"}
}

// resolve sends Update resolve, as the Temporal UI does.
func (p *play) resolve(t *testing.T, r billing.Resolution) {
	p.env.UpdateWorkflow(workflows.MessageResolve, r.RequestID+"/"+p.env.Now().String(), &updated{t: t, complete: func(_ any, err error) {
		if err != nil {
			t.Errorf("resolve %s: %v", r.RequestID, err)
		}
	}}, r)
}

type updated struct {
	t        *testing.T
	complete func(any, error)
}

func (u *updated) Accept()                        {}
func (u *updated) Reject(err error)               { u.t.Errorf("rejected: %v", err) }
func (u *updated) Complete(result any, err error) { u.complete(result, err) }

func TestPM4NotProcessedAfterAnUnansweredSendProvesNothing(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", yes)
	// A worker died after its send: the gateway took the money, and is busy when the attempt is sent again.
	p.books.died = true
	p.books.busyOnce = true
	late := yes
	late.Captured = money.New(4900, usd)
	p.books.looks = []billing.Answer{late}
	p.run()
	if want := []string{"a", "a"}; !slices.Equal(p.books.order, want) {
		t.Errorf("charged %v, want %v: the backup must not be touched", p.books.order, want)
	}
	if p.books.taken != 4900 {
		t.Errorf("the gateway took %d", p.books.taken)
	}
}

func TestT1RoundStoppedByOurOutageAsksOnlyWhomItDidNotReach(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", misconfigured, yes)
	p.run()
	if want := []string{"a", "b", "b"}; !slices.Equal(p.books.order, want) {
		t.Errorf("charged %v, want %v", p.books.order, want)
	}
	if got := read[int](p, `select count(*)::int from notices where kind = 'payment_failed'`); got != 0 {
		t.Errorf("T1: %d notices of failure for our own outage", got)
	}
	if got := read[int](p, `select count(*)::int from tasks where kind = 'gateway_refuses_us'`); got != 1 {
		t.Errorf("D1: %d tasks for an operator, want 1", got)
	}
}

// TestR1SignalThatComesWithTheLastStepIsNotLost: the signal is in the history before the charge's result, and both reach the run in one
// workflow task.
func TestR1SignalThatComesWithTheLastStepIsNotLost(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", yes)
	p.books.onCharge = func() {
		p.env.SignalWorkflowSkippingWorkflowTask(workflows.MessageResolve, paid("r-1", 100))
	}
	p.run()
	if got := read[int](p, `select count(*)::int from resolutions`); got != 1 {
		t.Errorf("%d resolutions were recorded, want 1", got)
	}
}
