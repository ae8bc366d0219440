package stripe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

var (
	_ gateway.ReversalReader = (*Adapter)(nil)
	_ gateway.ReversalLister = (*Adapter)(nil)
)

// Reversals lists the disputes of a payment intent; a bank's return of a debit is one too (docs.stripe.com/payments/ach-direct-debit).
// Stripe takes the money when a dispute opens, not when it is lost; a mere inquiry (warning_…) takes nothing.
func (a *Adapter) Reversals(ctx context.Context, req gateway.LookUpRequest) ([]billing.Reversal, error) {
	if req.Reference == "" {
		return nil, errors.New("stripe: the gateway's reference is not known")
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	ctx = withList(ctx, objectList)
	list := &stripe.DisputeListParams{PaymentIntent: stripe.String(req.Reference)}
	list.Limit = stripe.Int64(100)
	var found []billing.Reversal
	for dispute, err := range a.client.V1Disputes.List(ctx, list).All(ctx) {
		if err != nil {
			return nil, fmt.Errorf("stripe: disputes of %s: %s", clip(req.Reference), explain(err))
		}
		r, err := reversal(dispute, req.Reference)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// ListReversals reads the list of disputes, newest first; the cursor is the last dispute's id.
func (a *Adapter) ListReversals(ctx context.Context, from, to time.Time, cursor string) (gateway.ReversalPage, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	ctx = withList(ctx, objectList)
	list := &stripe.DisputeListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: to.Unix()}}
	list.Limit = stripe.Int64(pageSize)
	if cursor != "" {
		list.StartingAfter = stripe.String(cursor)
	}
	var page gateway.ReversalPage
	results := a.client.V1Disputes.List(ctx, list)
	if err := results.Err(); err != nil {
		return page, fmt.Errorf("stripe: list disputes: %s", explain(err))
	}
	disputes := results.Data()
	for _, d := range disputes {
		if d == nil || d.ID == "" {
			return page, errors.New("stripe: list disputes: the answer holds one without an id")
		}
		// A charge that was made without a payment intent is nobody's attempt.
		if d.PaymentIntent != nil && d.PaymentIntent.ID != "" {
			page.Payments = append(page.Payments, d.PaymentIntent.ID)
		}
	}
	if len(disputes) > 0 && results.Meta().HasMore {
		page.Next = disputes[len(disputes)-1].ID
	}
	return page, nil
}

// reversal reads one dispute; one that says nothing certain is an error, so that a person sees the look-up fail again and again.
func reversal(d *stripe.Dispute, reference string) (billing.Reversal, error) {
	if d == nil || d.ID == "" || d.PaymentIntent == nil || d.PaymentIntent.ID != reference {
		return billing.Reversal{}, fmt.Errorf("stripe: the answer holds no dispute of %s", clip(reference))
	}
	r := billing.Reversal{Reference: d.ID, Code: clip(string(d.Reason))}
	switch d.Status {
	case stripe.DisputeStatusLost, stripe.DisputeStatusNeedsResponse, stripe.DisputeStatusUnderReview:
	case stripe.DisputeStatusWon, stripe.DisputeStatusPrevented, stripe.DisputeStatusWarningNeedsResponse,
		stripe.DisputeStatusWarningUnderReview, stripe.DisputeStatusWarningClosed:
		r.Won = true
		return r, nil
	default:
		return r, fmt.Errorf("stripe: dispute %s has the status %q", clip(d.ID), clip(string(d.Status)))
	}
	took, err := fromStripe(d.Amount, string(d.Currency))
	if err != nil || !took.IsPositive() {
		return r, fmt.Errorf("stripe: dispute %s does not say how much it took", clip(d.ID))
	}
	r.Amount = took
	return r, nil
}
