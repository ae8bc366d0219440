//go:build canary_amount_frozen

package store

import "recoup/money"

// Believed in review: the amount is fixed when the round is planned, and the customer was told the invoice's total.
func (e *episode) amountToCharge() (money.Amount, error) { return e.invoice.Total, nil }
