package e2e

import (
	"fmt"
	"testing"
	"time"
)

// death is a moment of the story at which the whole stack is killed.
type death struct {
	when     string
	reached  string // a query that is true in that moment
	postgres bool   // Postgres dies first, by its own kill -9
}

// deaths are the moments with most to lose: a charge on its way, a charge whose outcome nobody knows, a case between two notices. The last
// waits until those notices are out: what a dead process held is free only after its lease of two minutes, and the suspension would wait.
var deaths = []death{
	{when: "an attempt is on its way to the gateway", reached: `select exists (select 1 from attempts where state = 'sent')`},
	{when: "an outcome is unknown", reached: `select exists (select 1 from attempts where state = 'unknown')`, postgres: true},
	{when: "a final notice is given", reached: `select exists (select 1 from cases where stage = 'final_notice')
		and not exists (select 1 from notices where kind in ('final_notice', 'suspension_scheduled') and state in ('queued', 'sending'))`},
}

// TestKill9InTheMiddle: the whole stack dies without a word, again and again, in the middle of the story. Started again, every case ends
// as told, nobody is charged twice, no mail is lost, and none is sent twice but for the few whose kind must arrive.
func TestKill9InTheMiddle(t *testing.T) {
	t.Parallel()
	s, err := newStack("killed")
	if err != nil {
		t.Fatal(err)
	}
	s.told(t)
	t.Cleanup(func() { _ = s.kill9(); _ = killLeftovers(s.dir) })
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range deaths {
		s.dieWhen(t, d)
	}
	began := time.Now()
	s.waitForStory(t)
	t.Logf("the story ended %s after the last death", time.Since(began).Round(time.Second))
	s.endsAreAsTold(t)
	s.booksEqualLedger(t)
	s.noticesAreOut(t)
	s.mailsAsRecorded(t, true)
	s.auditClean(t)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// dieWhen kills everything in the moment named, and starts it again.
func (s *stack) dieWhen(t *testing.T, d death) {
	t.Helper()
	eventually(t, 2*time.Minute, d.when, func() error {
		found, err := column[bool](t, s, d.reached)
		if err == nil && !found[0] {
			err = fmt.Errorf("not yet")
		}
		return err
	})
	began := time.Now()
	if d.postgres {
		if err := s.kill9Postgres(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.kill9(); err != nil {
		t.Fatal(err)
	}
	if err := s.start(t.Context()); err != nil {
		t.Fatalf("start again after %s: %v", d.when, err)
	}
	t.Logf("died when %s (Postgres too: %v); up again after %s", d.when, d.postgres, time.Since(began).Round(100*time.Millisecond))
}

// endsAreAsTold is storyIsTold without what depends on how often the story was interrupted: how many rounds fell into an outage, and what
// an attempt went through. What was paid, from what, and by which method, does not depend on it.
func (s *stack) endsAreAsTold(t *testing.T) {
	t.Helper()
	for _, e := range paidEndings {
		c := s.showCase(t, e.invoice)
		if !isPaid(c) || c.paid(fromCredits) != e.credits || c.paid(fromFunds) != e.funds || c.paid(fromGateway) != e.charged {
			t.Errorf("%s ends %s %s, paid %+v; want credits %d, funds %d, gateway %d", e.invoice, c.Stage, c.Outcome, c.Sources, e.credits, e.funds, e.charged)
		}
		succeeded := 0
		for _, a := range c.Attempts {
			switch a.State {
			case "succeeded":
				succeeded++
			case "declined", "not_sent":
			default:
				t.Errorf("%s: an attempt was left %s", e.invoice, a.State)
			}
		}
		if want := min(e.charged, 1); int64(succeeded) != want {
			t.Errorf("%s: %d attempts succeeded, want %d", e.invoice, succeeded, want)
		}
	}
	s.balancesLeft(t)
	s.laterIsTold(t, true)
	for _, e := range unpaidEndings {
		c, a := s.showCase(t, "inv-"+e.account+"-1"), s.showAccount(t, e.account)
		if c.Stage != e.stage || c.Due.Minor != e.due || (a.Standing == "suspended") != (e.stage == "suspended") {
			t.Errorf("%s stands at %s with %d due, the account is %s; want %s with %d", e.account, c.Stage, c.Due.Minor, a.Standing, e.stage, e.due)
		}
	}
}

// noticesAreOut waits until no notice is in anybody's hand: what a dead process held is taken up when its lease ends.
func (s *stack) noticesAreOut(t *testing.T) {
	t.Helper()
	eventually(t, 3*time.Minute, "every notice is out", func() error {
		waiting, err := column[string](t, s, `select account_id || ' ' || kind || ' ' || state from notices where state in ('queued', 'sending')`)
		if err == nil && len(waiting) > 0 {
			err = fmt.Errorf("waiting: %v", waiting)
		}
		return err
	})
}
