//go:build !canary_hold_ignored

package dunning

// escalationHeld: any hold stops every escalation, whatever its scope (S2).
func (f Facts) escalationHeld() bool { return f.held() }
