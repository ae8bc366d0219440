package gateway

import (
	"context"
	"time"

	"recoup/billing"
)

// ReversalReader is what a gateway can do whose successes may be taken back: bank debits and cards at every one we know. Its answer, not
// the webhook, is what is believed (U5).
type ReversalReader interface {
	// Reversals returns every return and dispute of a successful attempt, by the gateway's reference, also those that were decided for
	// us. An error means that the gateway could not be asked; nothing is known then.
	Reversals(ctx context.Context, req LookUpRequest) ([]billing.Reversal, error)
}

// ReversalLister is a gateway that can list what was taken back, independently of its webhooks: a dispute whose webhook never arrived is
// found by a reconciliation then (faults.md B5).
type ReversalLister interface {
	// ListReversals returns a page of the payments of which a return or dispute was created in [from, to), in any order, a payment perhaps
	// more than once, others' payments too. What became of each ReversalReader tells. The first cursor is "", and an empty Next ends the
	// list; a page may be empty before that. An error means that the list was not read; nothing is known then.
	ListReversals(ctx context.Context, from, to time.Time, cursor string) (ReversalPage, error)
}

// ReversalPage is a page of such a list.
type ReversalPage struct {
	Payments []string // the gateway's references, as attempts keep them
	Next     string   // where the next page begins; "" at the end
}
