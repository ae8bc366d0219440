package dunning_test

import (
	"fmt"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

func TestWaitsFor(t *testing.T) {
	soon := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	wait := dunning.Step{Do: dunning.DoWait}
	with := func(change func(*dunning.Step)) dunning.Step { s := wait; change(&s); return s }
	attempt := func(state billing.AttemptState, at time.Time) dunning.Step {
		return with(func(s *dunning.Step) { s.Attempt, s.AttemptState, s.At = "a", state, at })
	}
	for name, c := range map[string]struct {
		step dunning.Step
		want dunning.WaitsFor
	}{
		"at work":         {dunning.Step{Do: dunning.DoCharge, Attempt: "a"}, dunning.WaitsForNothing},
		"finished":        {dunning.Step{Do: dunning.DoFinish}, dunning.WaitsForNothing},
		"a verdict":       {attempt(billing.AttemptUnknown, time.Time{}), dunning.WaitsForPerson},
		"a look-up":       {attempt(billing.AttemptUnknown, soon), dunning.WaitsForGateway},
		"sent, no answer": {attempt(billing.AttemptSent, soon), dunning.WaitsForGateway},
		"settlement":      {attempt(billing.AttemptPending, soon), dunning.WaitsForBank},
		"authentication":  {attempt(billing.AttemptActionRequired, soon), dunning.WaitsForCustomer},
		"a busy gateway":  {attempt(billing.AttemptIntent, soon), dunning.WaitsForUs},
		"parked":          {with(func(s *dunning.Step) { s.Paused = true }), dunning.WaitsForPerson},
		"a stop":          {with(func(s *dunning.Step) { s.Paused, s.At = true, soon }), dunning.WaitsForUs},
		"a dispute":       {with(func(s *dunning.Step) { s.Person, s.At = true, soon }), dunning.WaitsForPerson},
		"a round":         {with(func(s *dunning.Step) { s.At = soon }), dunning.WaitsForDate},
		"money":           {wait, dunning.WaitsForMoney},
	} {
		if got := c.step.WaitsFor(); got != c.want {
			t.Errorf("%s: waits for %q, want %q", name, got, c.want)
		}
	}
}

func TestAddTryKeepsTheLastAndReplacesItsOwn(t *testing.T) {
	var tried []dunning.Try
	for n := range 15 {
		tried = dunning.AddTry(tried, dunning.Try{Attempt: billing.AttemptID(fmt.Sprint(n)), Outcome: "unknown"})
	}
	tried = dunning.AddTry(tried, dunning.Try{Attempt: "14", Outcome: "succeeded"})
	if len(tried) != dunning.TriedMax || tried[0].Attempt != "3" || tried[11].Outcome != "succeeded" {
		t.Errorf("%+v", tried)
	}
}
