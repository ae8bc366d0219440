package dunning

import "time"

// Dates are the instants at which a case's policy acts, for its clock as it stands (T1): computed from local dates in an activity
// and recorded, so that a replay agrees (T2). A zero instant means the policy has no such step.
type Dates struct {
	Rounds           []time.Time // one per scheduled round; Rounds[0] is the case's start
	FinalNotice      time.Time
	SuspensionNotice time.Time
	Suspend          time.Time
	Close            time.Time
}
