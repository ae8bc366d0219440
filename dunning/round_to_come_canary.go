//go:build canary_escalation_first

package dunning

// Believed in review: a round that is not due yet can't be meant, the escalation is due now.
func (f Facts) roundToCome() bool { return f.roundDue() }
