package dunning

import (
	"strings"
	"testing"
	"time"

	"recoup/billing"
)

// stoppedFacts are those of a case in its first round, with charging stopped at a gateway.
func stoppedFacts(gateway string) Facts {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	return Facts{Now: now, State: billing.InvoiceOpen, Stage: StageCollecting,
		Open:  &OpenRound{Number: 1, Candidates: []Candidate{{Method: "pm-1", Gateway: "stripe"}, {Method: "pm-2", Gateway: "other"}}},
		Stops: []ChargingStop{{Gateway: gateway, By: "anna", Reason: "wrong amounts"}}}
}

func TestT1AStoppedChargeWaitsAndIsNoDecline(t *testing.T) {
	for _, gateway := range []string{"stripe", AnyGateway} {
		step := Decide(stoppedFacts(gateway))
		if step.Do != DoWait || !step.Paused || !strings.Contains(step.Why, "charging is stopped by anna") {
			t.Errorf("stop of %s: %s, paused %v, %q", gateway, step.Do, step.Paused, step.Why)
		}
	}
	if step := Decide(stoppedFacts("other")); step.Do != DoCharge || step.Method != "pm-1" {
		t.Errorf("a stop of another gateway: %s %s", step.Do, step.Method)
	}
}

func TestPM3AStopTriesNoOtherGateway(t *testing.T) {
	f := stoppedFacts("stripe")
	if step := Decide(f); step.Do == DoCharge {
		t.Errorf("the backup %s is charged because the primary's gateway is stopped", step.Method)
	}
}

func TestU1AStopHoldsBackWhatWasNeverSentAndLooksUpWhatMayHaveBeen(t *testing.T) {
	for state, want := range map[billing.AttemptState]Do{
		billing.AttemptIntent:  DoWait,
		billing.AttemptSent:    DoCharge, // the last look turns it into a look-up
		billing.AttemptUnknown: DoLookUp,
	} {
		f := stoppedFacts("stripe")
		f.Attempt = &OpenAttempt{ID: "a-1", State: state, Method: f.Open.Candidates[0], NextAt: f.Now}
		if step := Decide(f); step.Do != want {
			t.Errorf("attempt %s under a stop: %s, want %s", state, step.Do, want)
		}
	}
}
