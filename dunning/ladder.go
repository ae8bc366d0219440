package dunning

import "time"

// The ladders of waits around one attempt. They are counted in the policy's unit, so that a demonstration goes through them in seconds.
var (
	// lookUps are the waits between look-ups of an unknown outcome; the last repeats (U1).
	lookUps = []time.Duration{
		30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour,
	}
	// resends are the waits before an attempt that the gateway did not process goes again (D1 transient); the last repeats.
	resends = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}
	// settlements are the waits between look-ups of a pending outcome: banks take days (U3).
	settlements = []time.Duration{time.Hour, 12 * time.Hour}

	demoLadder = []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second}
)

// AskPersonAfter is how long an outcome may stay unknown before a person is asked (U1).
const AskPersonAfter = 24 * time.Hour

// LookUpAfter returns the wait before look-up number n+1 of an unknown outcome, n of them having been made.
func (u Unit) LookUpAfter(n int) time.Duration { return u.rung(lookUps, n) }

// ResendAfter returns the wait before an attempt that was not processed is sent again, after n sends.
func (u Unit) ResendAfter(n int) time.Duration { return u.rung(resends, n-1) }

// SettlementAfter returns the wait before look-up number n+1 of a pending outcome.
func (u Unit) SettlementAfter(n int) time.Duration { return u.rung(settlements, n) }

func (u Unit) rung(ladder []time.Duration, n int) time.Duration {
	if u == UnitSecond {
		ladder = demoLadder
	}
	return ladder[max(0, min(n, len(ladder)-1))]
}
