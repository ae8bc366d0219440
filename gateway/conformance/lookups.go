package conformance

import (
	"context"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
)

// lookUps: a look-up that fails, misses or comes too early proves nothing (faults.md A19).
func (s *suite) lookUps(t *testing.T) {
	t.Run("never sent", func(t *testing.T) {
		a := s.prepare(t, Succeeds)
		s.expectLookUp(t, a, a.blind(), unknown)
		s.Elapse(t, s.Gateway.Contract().LookUpLag+time.Second)
		s.expectLookUp(t, a, a.blind(), notSent)
		nobodyKnows := a.blind()
		nobodyKnows.FirstSentAt = time.Time{}
		s.expectLookUp(t, a, nobodyKnows, unknown)
	})
	t.Run("another attempt's reference", func(t *testing.T) {
		a, b := s.prepare(t, Succeeds), s.prepare(t, DeclinedFunds)
		s.send(t, a)
		mixed := b.blind()
		mixed.Reference = a.last.Reference
		s.expectLookUp(t, b, mixed, unknown)
	})
	t.Run("an attempt without an id", func(t *testing.T) {
		if got := s.Gateway.LookUp(context.Background(), gateway.LookUpRequest{FirstSentAt: s.Now()}); got.State != unknown {
			t.Errorf("look-up = %s, want unknown", got.State)
		}
	})
	t.Run("broken", func(t *testing.T) {
		ways := s.Break(t, ReadAttempt, 0)
		if ways == 0 {
			t.Fatal("the harness knows no way to break a look-up")
		}
		for way := range ways {
			paid, unpaid := s.prepare(t, ServerErrAfter), s.prepare(t, ServerErrBefore)
			s.send(t, paid)
			s.send(t, unpaid)
			s.Elapse(t, s.Gateway.Contract().LookUpLag+time.Second)
			for a, truth := range map[*attempt]billing.AttemptState{paid: succeeded, unpaid: notSent} {
				s.Break(t, ReadAttempt, way+1)
				if got := s.ask(t, a, a.blind()); got.State != unknown && got.State != truth {
					t.Errorf("way %d: look-up = %s (%s), want unknown or the truth, %s", way+1, got.State, got.Message, truth)
				}
			}
			s.Break(t, ReadAttempt, 0)
			s.expectLookUp(t, paid, paid.blind(), succeeded)
			s.expectLookUp(t, unpaid, unpaid.blind(), notSent)
		}
	})
}

func (s *suite) expectLookUp(t *testing.T, a *attempt, req gateway.LookUpRequest, want billing.AttemptState) {
	t.Helper()
	if got := s.ask(t, a, req); got.State != want {
		t.Errorf("look-up = %s (%s), want %s", got.State, got.Message, want)
	}
}

// cancels: what was open can't succeed any more, and what succeeded is a success (faults.md R5, A16, A20).
func (s *suite) cancels(t *testing.T) {
	cancel := func(t *testing.T, a *attempt, req gateway.LookUpRequest, want billing.AttemptState) {
		t.Helper()
		got := s.Gateway.Cancel(context.Background(), req)
		s.audit(t, a, got)
		if got.State != want {
			t.Errorf("cancel = %s (%s), want %s", got.State, got.Message, want)
		}
	}
	t.Run("waiting for the customer", func(t *testing.T) {
		a := s.prepare(t, WaitsForCustomer)
		s.send(t, a)
		cancel(t, a, a.lookUp(), declined)
		cancel(t, a, a.lookUp(), declined) // again
		s.expectLookUp(t, a, a.lookUp(), declined)
	})
	t.Run("found by our id", func(t *testing.T) {
		a := s.prepare(t, WaitsForCustomer)
		s.send(t, a)
		cancel(t, a, a.blind(), declined)
	})
	t.Run("pending at the bank", func(t *testing.T) {
		a := s.prepare(t, BankStays)
		s.send(t, a)
		cancel(t, a, a.lookUp(), declined)
		s.Elapse(t, 2*s.BankDelay)
		s.expectLookUp(t, a, a.lookUp(), declined)
	})
	t.Run("too late, it succeeded", func(t *testing.T) {
		a := s.prepare(t, Succeeds)
		s.send(t, a)
		cancel(t, a, a.lookUp(), succeeded)
	})
	t.Run("the customer was quicker", func(t *testing.T) {
		a := s.prepare(t, WaitsForCustomer)
		s.send(t, a)
		s.CustomerActs(t, a.last.Reference)
		a.byCustomer = true
		cancel(t, a, a.lookUp(), succeeded)
	})
	t.Run("declined before", func(t *testing.T) {
		a := s.prepare(t, DeclinedFunds)
		s.send(t, a)
		cancel(t, a, a.blind(), declined)
	})
	t.Run("not found is not fenced", func(t *testing.T) {
		a := s.prepare(t, TimeoutBefore)
		s.send(t, a)
		cancel(t, a, a.blind(), unknown)
		s.Elapse(t, s.Gateway.Contract().LookUpLag+time.Second)
		cancel(t, a, a.blind(), notSent)
	})
}
