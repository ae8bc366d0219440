//go:build canary_hard_decline_retried

package store

import (
	"recoup/billing"
	"recoup/dunning"
)

// Believed in review: the policy has few rounds, so a card that is lost today may as well be asked again next week.
func stateAfter(r dunning.Ruling) billing.MethodState {
	switch r.Class {
	case dunning.ClassRisk:
		return billing.MethodBlocked
	case dunning.ClassFixData:
		return billing.MethodNeedsUpdate
	case dunning.ClassAuthRequired:
		return billing.MethodNeedsAuthentication
	}
	return billing.MethodActive
}
