package stripe

import (
	"context"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// pageSize is the most that Stripe puts on a page.
const pageSize = 100

var _ gateway.ChargeLister = (*Adapter)(nil)

// ListCharges reads the list of payment intents, newest first; the cursor is the last intent's id. Lists are consistent where search is
// not. In an account that others use too (Config.SharedAccount) payments without our mark are theirs and left out.
func (a *Adapter) ListCharges(ctx context.Context, from, to time.Time, cursor string) (gateway.ChargePage, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	ctx = withList(ctx, objectList)
	list := &stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: to.Unix()}}
	list.Limit = stripe.Int64(pageSize)
	if cursor != "" {
		list.StartingAfter = stripe.String(cursor)
	}
	var page gateway.ChargePage
	results := a.client.V1PaymentIntents.List(ctx, list)
	if err := results.Err(); err != nil {
		return page, fmt.Errorf("stripe: list payment intents: %s", explain(err))
	}
	intents := results.Data()
	for _, intent := range intents {
		if intent.Status != stripe.PaymentIntentStatusSucceeded && intent.AmountReceived == 0 {
			continue
		}
		mark := intent.Metadata[MetaAttempt]
		if mark == "" && a.cfg.SharedAccount {
			continue
		}
		taken, err := fromStripe(intent.AmountReceived, string(intent.Currency))
		if err != nil {
			return page, fmt.Errorf("stripe: list payment intents: %s: %w", clip(intent.ID), err)
		}
		page.Charges = append(page.Charges, billing.ListedCharge{Reference: intent.ID, Attempt: billing.AttemptID(mark), Taken: taken,
			At: time.Unix(intent.Created, 0).UTC()})
	}
	if len(intents) > 0 && results.Meta().HasMore {
		page.Next = intents[len(intents)-1].ID
	}
	return page, nil
}
