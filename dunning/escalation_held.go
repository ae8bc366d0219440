//go:build !canary_hold_ignored

package dunning

// escalationHeld: any hold stops every escalation, whatever its scope (S2), and so do a promise to pay and a dispute (S1).
func (f Facts) escalationHeld() bool { return f.held() || f.Disputed.IsPositive() }
