package gateway

import (
	"context"

	"recoup/billing"
)

// ReversalReader is what a gateway can do whose successes may be taken back: bank debits and cards at every one we know. Its answer, not
// the webhook, is what is believed (U5).
type ReversalReader interface {
	// Reversals returns every return and dispute of a successful attempt, by the gateway's reference, also those that were decided for
	// us. An error means that the gateway could not be asked; nothing is known then.
	Reversals(ctx context.Context, req LookUpRequest) ([]billing.Reversal, error)
}
