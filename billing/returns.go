package billing

import (
	"fmt"
	"time"
)

// Returned is a lot that goes back to its credit (CR6).
type Returned struct {
	Application
	// Expired: the credit's expiry, which is the original one, has passed: the lot comes back and can't be used again.
	Expired bool
}

// ReturnLots says what becomes of an invoice's lots when it is voided (CR6): each goes back to its credit with its original expiry. An
// error means that a credit would have more than was granted, or isn't there.
func ReturnLots(now time.Time, credits []Credit, lots []Application) ([]Returned, error) {
	byID := map[CreditID]Credit{}
	for _, c := range credits {
		byID[c.ID] = c
	}
	var out []Returned
	for _, lot := range lots {
		c, ok := byID[lot.Credit]
		if !ok {
			return nil, fmt.Errorf("return lots: credit %s is not there", lot.Credit)
		}
		after, err := c.Remaining.Add(lot.Amount)
		if err != nil {
			return nil, fmt.Errorf("return lots: credit %s: %w", c.ID, err)
		}
		more, err := after.Cmp(c.Granted)
		if err != nil {
			return nil, fmt.Errorf("return lots: credit %s: %w", c.ID, err)
		}
		if more > 0 || lot.Amount.IsNegative() {
			return nil, fmt.Errorf("return lots: credit %s of %s would have %s", c.ID, c.Granted, after)
		}
		c.Remaining = after
		byID[c.ID] = c
		out = append(out, Returned{Application: lot, Expired: !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)})
	}
	return out, nil
}
