//go:build !canary_amount_frozen

package store

import "recoup/money"

// amountToCharge is what is due at the last look, under the locks (PM6), less what is disputed.
func (e *episode) amountToCharge() (money.Amount, error) { return e.collectable() }
