//go:build canary_hold_ignored

package dunning

// Believed in review: who holds attempts alone wants the notices and the suspension to go on.
func (f Facts) escalationHeld() bool { return f.holds(HoldSuspension) }
