//go:build !canary_escalation_first

package dunning

// roundToCome reports whether a round, due or not, will run by itself: it may prevent an escalation (D6).
func (f Facts) roundToCome() bool {
	at, _ := f.nextRound()
	return !at.IsZero()
}
