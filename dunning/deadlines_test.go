package dunning

import (
	"testing"
	"time"

	"recoup/billing"
)

func TestU3DeadlinesByStateAndKind(t *testing.T) {
	sent := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state billing.AttemptState
		kind  billing.MethodKind
		want  time.Duration
	}{
		{billing.AttemptActionRequired, billing.MethodCard, 24 * time.Hour}, {billing.AttemptActionRequired, billing.MethodUSBankAccount, 24 * time.Hour},
		{billing.AttemptPending, billing.MethodCard, 24 * time.Hour}, {billing.AttemptPending, billing.MethodUSBankAccount, 240 * time.Hour},
		{billing.AttemptPending, billing.MethodSEPADebit, 240 * time.Hour},
	} {
		if got := UnitDay.DeadlineOf(c.state, c.kind, sent); !got.Equal(sent.Add(c.want)) {
			t.Errorf("%s of a %s: %s, want after %s", c.state, c.kind, got, c.want)
		}
		if got := UnitSecond.DeadlineOf(c.state, c.kind, sent); !got.After(sent) || got.Sub(sent) > 5*time.Minute {
			t.Errorf("%s of a %s in a demonstration: %s", c.state, c.kind, got.Sub(sent))
		}
	}
	for _, state := range []billing.AttemptState{billing.AttemptUnknown, billing.AttemptIntent, billing.AttemptSent, billing.AttemptSucceeded} {
		if got := UnitDay.DeadlineOf(state, billing.MethodCard, sent); !got.IsZero() {
			t.Errorf("%s has a deadline: an unknown outcome is only ever looked up", state)
		}
	}
	if got := UnitDay.DeadlineOf(billing.AttemptPending, billing.MethodCard, time.Time{}); !got.IsZero() {
		t.Errorf("never sent, yet a deadline at %s", got)
	}
}

func TestU3OverdueAttemptIsCancelledNotLookedUp(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		state    billing.InvoiceState
		nextAt   time.Time
		deadline time.Time
		do, then Do
	}{
		"in time":              {billing.InvoiceOpen, now, now.Add(time.Second), DoLookUp, ""},
		"time is up":           {billing.InvoiceOpen, now, now, DoCancel, ""},
		"up at the next look":  {billing.InvoiceOpen, now.Add(time.Hour), now.Add(time.Hour), DoWait, DoCancel},
		"looked at before":     {billing.InvoiceOpen, now.Add(time.Hour), now.Add(2 * time.Hour), DoWait, DoLookUp},
		"could not, tries on":  {billing.InvoiceOpen, now.Add(time.Hour), now.Add(-time.Hour), DoWait, DoCancel},
		"paid otherwise":       {billing.InvoicePaid, now, now.Add(time.Hour), DoCancel, ""},
		"unknown has no limit": {billing.InvoiceOpen, now, time.Time{}, DoLookUp, ""},
	} {
		f := Facts{Now: now, State: c.state, Attempt: &OpenAttempt{ID: "a-1", State: billing.AttemptPending, NextAt: c.nextAt, Deadline: c.deadline}}
		if got := Decide(f); got.Do != c.do || got.Then != c.then {
			t.Errorf("%s: %s then %q, want %s then %q", name, got.Do, got.Then, c.do, c.then)
		}
	}
}
