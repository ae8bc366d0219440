package billing

import "strings"

// Verdict is what a person found about an attempt whose outcome no gateway could tell (U1).
type Verdict string

// The verdicts.
const (
	Captured    Verdict = "captured"     // money was taken: reference names the payment at the gateway
	NotCaptured Verdict = "not_captured" // none was and none will be: evidence says how that is known
)

func (r Resolution) checkVerdict() error {
	switch {
	case r.Verdict != Captured && r.Verdict != NotCaptured:
		return Refuse(RefusedInvalid, "verdict", "%q is neither %s nor %s", string(r.Verdict), Captured, NotCaptured)
	case r.Verdict == Captured && (strings.TrimSpace(r.Reference) == "" || len(r.Reference) > 100):
		return Refuse(RefusedInvalid, "reference", "must name the payment at the gateway (pi_…), in at most 100 characters")
	case r.Verdict == NotCaptured && (strings.TrimSpace(r.Evidence) == "" || len(r.Evidence) > textMax):
		return Refuse(RefusedInvalid, "evidence", "must say how it is known that nothing was captured, in at most %d characters", textMax)
	case r.Amount != nil && (r.Verdict == NotCaptured || !r.Amount.IsPositive()):
		return Refuse(RefusedInvalid, "amount", "is what was captured: above zero, and only with %s", Captured)
	}
	return nil
}
