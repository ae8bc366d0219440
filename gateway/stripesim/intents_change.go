package stripesim

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
)

func (s *Simulator) confirmIntent(ctx context.Context, req request) (plan, error) {
	if bad := req.only("payment_method", "payment_method_types", "payment_method_options", "off_session", "error_on_requires_action",
		"mandate", "mandate_data", "return_url", "receipt_email", "use_stripe_sdk"); bad != nil {
		return plan{}, bad
	}
	i, err := one[intent](ctx, s.pool, "payment_intent", req.id, `select * from stripesim.payment_intents where id = $1`, req.id)
	if err != nil {
		return plan{}, err
	}
	id := req.str("payment_method")
	if id == "" && i.PaymentMethod != nil {
		id = *i.PaymentMethod
	}
	m, err := s.methodFor(ctx, &i, id)
	if err != nil {
		return plan{}, err
	}
	if m == nil {
		return plan{}, invalidRequest("parameter_missing", "payment_method", "You cannot confirm this PaymentIntent because it's missing a payment method.")
	}
	return plan{token: m.Token, behaviour: m.behaviour(), run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		i, err := s.lockIntent(ctx, tx, req.id)
		if err != nil {
			return nil, err
		}
		if i.Status != "requires_confirmation" && i.Status != "requires_payment_method" && i.Status != "requires_action" {
			return nil, s.unexpectedState(i, "confirm")
		}
		if m.ID == "" {
			if *m, err = s.insertMethod(ctx, tx, m.Token, m.Kind, nil); err != nil {
				return nil, err
			}
		}
		i.PaymentMethod = &m.ID
		return s.confirm(ctx, tx, &i, *m, confirmation{offSession: req.yes("off_session"), errorOnAction: req.yes("error_on_requires_action"), key: req.key})
	}}, nil
}

// cancelIntent cancels what has not succeeded. A bank debit in processing can be cancelled, as with Stripe's test account for that;
// its pending charge fails with it.
func (s *Simulator) cancelIntent(ctx context.Context, req request) (plan, error) {
	if bad := req.only("cancellation_reason"); bad != nil {
		return plan{}, bad
	}
	if _, err := one[intent](ctx, s.pool, "payment_intent", req.id, `select * from stripesim.payment_intents where id = $1`, req.id); err != nil {
		return plan{}, err
	}
	return plan{run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		i, err := s.lockIntent(ctx, tx, req.id)
		if err != nil {
			return nil, err
		}
		if i.Status == "succeeded" || i.Status == "canceled" {
			return nil, s.unexpectedState(i, "cancel")
		}
		if i.Status == "processing" {
			_, err := tx.Exec(ctx, `update stripesim.charges set status = 'failed', failure = $2, settle_step = null, settles_at = null
				where payment_intent = $1 and status = 'pending'`, i.ID, decline{Code: "canceled", Message: "The payment was canceled before it settled."})
			if err != nil {
				return nil, fmt.Errorf("cancel a pending charge: %w", err)
			}
		}
		now := s.now()
		i.Status, i.CanceledAt, i.NextAction, i.CancellationReason = "canceled", &now, nil, orNull(req.str("cancellation_reason"))
		if err := s.saveIntent(ctx, tx, &i); err != nil {
			return nil, err
		}
		return i.json(), s.emit(ctx, tx, "payment_intent.canceled", i.json(), req.key)
	}}, nil
}

func (s *Simulator) unexpectedState(i intent, verb string) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: "invalid_request_error", Code: "payment_intent_unexpected_state", PaymentIntent: i.json(),
		Message: "You cannot " + verb + " this PaymentIntent because it has a status of " + i.Status + "."}
}
