//go:build !canary_pending_cascades

package dunning

// ownedByAttempt reports whether an open attempt comes before everything else: it may still take the money (PM3, U2, U3).
func (f Facts) ownedByAttempt() bool { return f.Attempt != nil }
