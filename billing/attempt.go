package billing

// AttemptState is where an attempt stands: intent and sent on the way, then one of the six outcomes.
type AttemptState string

// The states of an attempt. Only succeeded, declined and not_sent are final.
const (
	AttemptIntent         AttemptState = "intent" // row committed, gateway not called yet (PM5)
	AttemptSent           AttemptState = "sent"   // first_sent_at stamped: the gateway may know of it
	AttemptSucceeded      AttemptState = "succeeded"
	AttemptDeclined       AttemptState = "declined"
	AttemptActionRequired AttemptState = "action_required"
	AttemptPending        AttemptState = "pending"
	AttemptUnknown        AttemptState = "unknown"
	AttemptNotSent        AttemptState = "not_sent" // proved: no money can have moved
)

// Final reports whether the state ends the attempt, so that another method may be tried (PM3).
func (s AttemptState) Final() bool {
	return s == AttemptSucceeded || s == AttemptDeclined || s == AttemptNotSent
}

var attemptEdges = map[AttemptState][]AttemptState{
	AttemptIntent: {AttemptSent, AttemptNotSent},
	// Back to intent: the gateway proved that it processed nothing (a 429, a refused connection, a look-up after the lag); the same
	// attempt goes again with the same key.
	AttemptSent:           {AttemptIntent, AttemptSucceeded, AttemptDeclined, AttemptActionRequired, AttemptPending, AttemptUnknown, AttemptNotSent},
	AttemptUnknown:        {AttemptIntent, AttemptSucceeded, AttemptDeclined, AttemptActionRequired, AttemptPending, AttemptNotSent},
	AttemptPending:        {AttemptSucceeded, AttemptDeclined, AttemptUnknown, AttemptActionRequired},
	AttemptActionRequired: {AttemptSucceeded, AttemptDeclined, AttemptPending, AttemptUnknown},
}

// CanBecome reports whether from → to is an edge of the attempt's state machine (I14).
func (s AttemptState) CanBecome(to AttemptState) bool {
	for _, e := range attemptEdges[s] {
		if e == to {
			return true
		}
	}
	return false
}
