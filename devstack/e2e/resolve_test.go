package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/money"
)

// TestResolutions: a case is held, released, tried again and paid, each through every door that a person's decision can take. Each
// decision is one transaction with its actor, whatever the door, and the same request again changes nothing (R1, R2).
func TestResolutions(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	for name, through := range map[string]door{"command": byCommand, "update": byUpdate, "signal": bySignal, "form": byForm} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.walkThrough(t, name, through)
		})
	}
}

// walkThrough lets one person decide four times about one case.
func (s *stack) walkThrough(t *testing.T, name string, through door) {
	id := s.open(t, "door-"+name, "standard", noMoney)
	decision := func(kind billing.ResolutionKind) billing.Resolution {
		return billing.Resolution{RequestID: fmt.Sprintf("e2e-%s-%s", name, kind), Kind: kind, Case: billing.CaseID(id), Actor: "ada", Reason: "asked by phone"}
	}
	hold := decision(billing.Hold)
	hold.Until, hold.Scope = time.Now().UTC().Truncate(time.Minute).Add(48*time.Hour), []string{"attempts", "suspension"}
	s.accepts(t, through, hold)
	c := s.until(t, 20*time.Second, id, "is held", func(c shownCase) bool { return c.HeldUntil != nil })
	if !c.HeldUntil.Equal(hold.Until) {
		t.Errorf("held until %s, want %s", c.HeldUntil, hold.Until)
	}
	s.foundAs(t, id, "RecoupHeld = true")
	s.accepts(t, through, hold) // again: a command or a click whose answer was lost

	tooSoon := decision(billing.RetryNow)
	tooSoon.RequestID += "-held"
	if refused := through(t, s, tooSoon); name != "signal" && !strings.Contains(refused, "the case is held until") {
		t.Errorf("a retry of a held case: %q; want it refused with the reason", refused)
	}

	s.accepts(t, through, decision(billing.Release))
	s.until(t, 20*time.Second, id, "is released", func(c shownCase) bool { return c.HeldUntil == nil })
	s.foundAs(t, id, "RecoupHeld = false")

	s.accepts(t, through, decision(billing.RetryNow))
	s.until(t, 30*time.Second, id, "has been tried again", waitsAfter(2))

	paid := decision(billing.PaidOutOfBand)
	due := money.New(actDue, currency(t, "USD"))
	paid.Amount, paid.Reference, paid.ReceivedOn = &due, "CHQ 1207", "2026-11-20"
	s.accepts(t, through, paid)
	s.endsPaidOnce(t, id, 2, 0)
	if c := s.showCase(t, id); c.paid(fromOutside) != actDue {
		t.Errorf("paid by %+v, want all from outside", c.Sources)
	}
	if out := s.must(t, commandFor(paid)...); !strings.Contains(out, "answered before; nothing happened now") || !strings.Contains(out, "Request id: "+paid.RequestID) {
		t.Errorf("the same request at the command line answers %s", out)
	}
	other := paid
	other.Reason = "another reason"
	if a := s.run(t, commandFor(other)...); a.code != 1 || !strings.Contains(a.errs, "was used for another decision") {
		t.Errorf("another decision under the same request id ended with %d: %s", a.code, a.errs)
	}
	s.recordedOnce(t, id)
}

// accepts decides and waits until the decision is recorded.
func (s *stack) accepts(t *testing.T, through door, r billing.Resolution) {
	t.Helper()
	if refused := through(t, s, r); refused != "" {
		t.Fatalf("%s was refused: %s", r.Kind, refused)
	}
	eventually(t, 20*time.Second, string(r.Kind)+" is recorded", func() error {
		if one[int](t, s, `select count(*) from resolutions where request_id = $1 and actor = $2`, r.RequestID, r.Actor) != 1 {
			return errors.New("it is not")
		}
		return nil
	})
}

// recordedOnce: what was decided is in the case's story once each, in order, and in the audit log; what was refused is nowhere.
func (s *stack) recordedOnce(t *testing.T, id string) {
	t.Helper()
	want := []string{"hold", "release", "retry_now", "paid_out_of_band"}
	for where, sql := range map[string]string{
		"resolutions": `select kind from resolutions where case_id = $1 order by decided_at`,
		"events":      `select data->>'kind' from case_events where case_id = $1 and kind = 'resolution' order by id`,
		"audit log":   `select act from audit_log where case_id = $1 and actor = 'ada' and reason = 'asked by phone' order by id`,
	} {
		got, err := column[string](t, s, sql, id)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s of %s: %v, want %v", where, id, got, want)
		}
	}
	if n := len(s.showCase(t, id).Resolutions); n != len(want) {
		t.Errorf("the console shows %d resolutions of %s", n, id)
	}
}

// foundAs: an operator finds the case by a condition on its search attributes.
func (s *stack) foundAs(t *testing.T, id, condition string) {
	t.Helper()
	eventually(t, 20*time.Second, id+" is found by "+condition, func() error {
		found, err := s.query(t, fmt.Sprintf("WorkflowId = 'case/%s' and ExecutionStatus = 'Running' and %s", id, condition))
		if err == nil && len(found) != 1 {
			err = errors.New("it is not")
		}
		return err
	})
}

func currency(t *testing.T, code string) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestResolutionWhileTerminated: what is decided while no workflow runs is not lost. The decision starts the case's workflow again, and it
// charges what is left (R1).
func TestResolutionWhileTerminated(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	id := s.open(t, "orphaned", "standard", paysSecond)
	run, _ := s.runOf(t, id)
	if err := s.temporal.TerminateWorkflow(t.Context(), "case/"+id, "", "e2e"); err != nil {
		t.Fatal(err)
	}
	part := money.New(2000, currency(t, "USD"))
	paid := billing.Resolution{RequestID: "e2e-orphaned-paid", Kind: billing.PaidOutOfBand, Case: billing.CaseID(id), Actor: "ada",
		Reason: "part came by cheque", Amount: &part, Reference: "CHQ 7", ReceivedOn: "2026-11-20"}
	s.accepts(t, byCommand, paid)
	s.runsAgain(t, id, run)
	s.accepts(t, byCommand, billing.Resolution{RequestID: "e2e-orphaned-retry", Kind: billing.RetryNow, Case: billing.CaseID(id), Actor: "ada", Reason: "card works again"})
	s.endsPaidOnce(t, id, 2, actDue-2000)
}
