package dunning

import (
	"time"

	"recoup/billing"
)

// returnChecks are how long after its success a bank debit is looked at again for a return, should no webhook tell of it: most come
// within five banking days, unauthorised ones within 60 calendar days (docs.stripe.com/payments/ach-direct-debit, dated 2026-11).
var returnChecks = []time.Duration{6 * 24 * time.Hour, 21 * 24 * time.Hour, 61 * 24 * time.Hour}

// NextReturnCheck is when a payment that succeeded at an instant is looked at again for a return, zero when never: only bank debits are,
// and not for ever.
func NextReturnCheck(kind billing.MethodKind, succeeded, now time.Time) time.Time {
	if kind == billing.MethodCard {
		return time.Time{}
	}
	for _, d := range returnChecks {
		if at := succeeded.Add(d); at.After(now) {
			return at
		}
	}
	return time.Time{}
}

// ReversalBlocks reports whether a method may not be charged again after money was taken back for this reason, until the customer
// replaces it. A card that was disputed never is (faults.md A26); a bank account only after a return for lack of money, the one that
// ACH rules allow to present again (R01, R09; D4).
func ReversalBlocks(kind billing.MethodKind, code string) bool {
	return kind == billing.MethodCard || code != "insufficient_funds"
}

// ReversalReason is what a text may say of a reversal: never that somebody called it fraud (N3).
func ReversalReason(kind billing.MethodKind, code string) string {
	switch {
	case kind == billing.MethodCard:
		return "a payment was disputed"
	case code == "insufficient_funds":
		return "the bank returned a payment: not enough money in the account"
	}
	return "the bank returned a payment"
}
