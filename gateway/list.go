package gateway

import (
	"context"
	"time"

	"recoup/billing"
)

// ChargeLister is a gateway that can list what it took, independently of what it answered to us: the other half of a reconciliation.
type ChargeLister interface {
	// ListCharges returns a page of the payments that took money and were created in [from, to), in any order. The first cursor is "",
	// and an empty Next ends the list; a page may be empty before that. A payment that took money before the first page was asked for is
	// on some page, at least once, whatever became of it later: refunds and disputes don't take it off. An error means that the list was
	// not read; nothing is known then.
	ListCharges(ctx context.Context, from, to time.Time, cursor string) (ChargePage, error)
}

// ChargePage is a page of a gateway's list.
type ChargePage struct {
	Charges []billing.ListedCharge
	Next    string // where the next page begins; "" at the end
}
