package dunning_test

import (
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// TestU3AnOpenAttemptOwnsItsRound: a round with a method still to try does not go on while the attempt before may take the money (PM3, U2).
func TestU3AnOpenAttemptOwnsItsRound(t *testing.T) {
	for _, state := range []billing.AttemptState{billing.AttemptPending, billing.AttemptUnknown, billing.AttemptActionRequired} {
		f := facts(day(0))
		f.Rounds, f.ScheduledRounds = 1, 1
		f.Open = &dunning.OpenRound{Number: 1, Candidates: []dunning.Candidate{card}}
		f.Attempt = &dunning.OpenAttempt{ID: "a-1", State: state, Method: card, NextAt: day(0).Add(time.Hour), Waiting: "the bank"}
		if s := dunning.Decide(f); s.Do != dunning.DoWait || s.Attempt != "a-1" || !s.At.Equal(f.Attempt.NextAt) {
			t.Errorf("%s: next is %s (%s) until %s", state, s.Do, s.Why, s.At)
		}
	}
}
