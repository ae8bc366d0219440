//go:build !canary_hard_decline_retried

package store

import (
	"recoup/billing"
	"recoup/dunning"
)

// stateAfter is what a decline makes of its method (D1, D3).
func stateAfter(r dunning.Ruling) billing.MethodState {
	switch {
	case r.Never || r.Class == dunning.ClassHardInstrument || r.Class == dunning.ClassRisk:
		return billing.MethodBlocked
	case r.Class == dunning.ClassFixData:
		return billing.MethodNeedsUpdate
	case r.Class == dunning.ClassAuthRequired:
		return billing.MethodNeedsAuthentication
	}
	return billing.MethodActive
}
