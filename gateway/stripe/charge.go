package stripe

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// idempotencyKey is the key of a charge. It can only be made from an attempt's id (PM5): no run, counter or time is in it, and
// sending an attempt again is the same key.
type idempotencyKey string

// Charge sends one attempt as a confirmed off-session PaymentIntent. AttemptNotSent speaks of this send only: if an earlier send of
// the same attempt ended unknown, it is still unknown.
func (a *Adapter) Charge(ctx context.Context, req gateway.ChargeRequest) gateway.Answer {
	params, problem := a.intentParams(req)
	if problem != "" {
		return gateway.Answer{State: billing.AttemptNotSent, OurConfig: true, Message: problem}
	}
	key := keyOf(req.Attempt)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	ctx, exchange := withCall(ctx, string(key))
	params.IdempotencyKey = stripe.String(string(key))
	intent, err := a.client.V1PaymentIntents.Create(ctx, params)
	if err != nil {
		return answerToError(err, req.Attempt, exchange.sent.Load())
	}
	return answerToIntent(intent, req.Attempt)
}

// intentParams says what to charge; a problem is a defect of the request itself, found before anything is sent.
func (a *Adapter) intentParams(req gateway.ChargeRequest) (*stripe.PaymentIntentCreateParams, string) {
	minor, currency, err := toStripe(req.Amount)
	switch {
	case req.Attempt == "" || len(req.Attempt) > billing.IDMax:
		return nil, "the attempt has no usable id"
	case err != nil:
		return nil, err.Error()
	case req.Token == "":
		return nil, "the payment method has no token"
	case req.Kind != billing.MethodCard && req.Kind != billing.MethodUSBankAccount:
		return nil, fmt.Sprintf("the adapter cannot charge a %s", req.Kind)
	}
	params := &stripe.PaymentIntentCreateParams{
		Amount:             stripe.Int64(minor),
		Currency:           stripe.String(currency),
		PaymentMethod:      stripe.String(req.Token),
		PaymentMethodTypes: []*string{stripe.String(string(req.Kind))},
		Confirm:            stripe.Bool(true),
		OffSession:         stripe.Bool(true),
		Description:        stripe.String("Invoice " + req.InvoiceNumber),
		Metadata:           map[string]string{MetaAttempt: string(req.Attempt), MetaInvoice: string(req.Invoice), MetaCase: string(req.Case)},
	}
	if req.InvoiceNumber == "" {
		params.Description = nil
	}
	if req.CustomerToken != "" {
		params.Customer = stripe.String(req.CustomerToken)
	}
	if req.Kind == billing.MethodUSBankAccount && a.cfg.OfflineMandates {
		params.MandateData = &stripe.PaymentIntentCreateMandateDataParams{
			CustomerAcceptance: &stripe.PaymentIntentCreateMandateDataCustomerAcceptanceParams{
				Type: stripe.String("offline"), Offline: &stripe.PaymentIntentCreateMandateDataCustomerAcceptanceOfflineParams{}}}
	}
	return params, ""
}
