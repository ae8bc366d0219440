package stripesim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// confirmation is how an intent is confirmed.
type confirmation struct {
	offSession    bool
	errorOnAction bool
	authenticated bool // the customer has just proved who they are
	key           string
}

// confirm tries to take the money of a locked intent: it succeeds, is declined, waits for the customer or for the bank. Everything
// it writes, also of a decline, is committed by the caller together with the result.
func (s *Simulator) confirm(ctx context.Context, tx pgx.Tx, i *intent, m method, how confirmation) (any, error) {
	b := m.behaviour()
	i.OffSession = how.offSession
	if !how.authenticated {
		switch {
		case b.AuthOffSession && (how.offSession || how.errorOnAction):
			return nil, s.refuse(ctx, tx, i, m, declinedAuth, how.key)
		case b.AuthAlways && how.errorOnAction:
			return nil, s.refuse(ctx, tx, i, m, declinedAuth, how.key)
		case b.AuthAlways, b.AuthOnSession:
			return s.askCustomer(ctx, tx, i, how.key)
		}
	}
	declined, err := s.declines(ctx, tx, b, m, i)
	if err != nil {
		return nil, err
	}
	if declined {
		return nil, s.refuse(ctx, tx, i, m, *b.Decline, how.key)
	}
	if b.Kind == "us_bank_account" {
		return s.startDebit(ctx, tx, i, m, b, how.key)
	}
	return s.take(ctx, tx, i, m, b, how.key)
}

// declines decides whether this charge is declined, counting the tries of methods that decline for a while.
func (s *Simulator) declines(ctx context.Context, tx pgx.Tx, b behaviour, m method, i *intent) (bool, error) {
	if b.Decline == nil {
		return false, nil
	}
	now := s.now()
	if !b.DeclineUntil.IsZero() {
		return now.Before(b.DeclineUntil), nil
	}
	if b.DeclineFirst == 0 && b.DeclineFor == 0 {
		return true, nil
	}
	counter := m.ID
	if m.Customer == nil { // a bare token is a new method each time: count per invoice then
		counter = m.Token + "|" + i.Metadata["recoup_invoice"]
	}
	var tries int
	var first time.Time
	err := tx.QueryRow(ctx, `
		insert into stripesim.method_tries as t (counter, tries, first_try) values ($1, 1, $2)
		on conflict (counter) do update set tries = t.tries + 1
		returning tries, first_try`, counter, now).Scan(&tries, &first)
	if err != nil {
		return false, fmt.Errorf("count tries: %w", err)
	}
	if b.DeclineFirst > 0 {
		return tries <= b.DeclineFirst, nil
	}
	return now.Before(first.Add(b.DeclineFor)), nil
}

// take moves the money of a card now.
func (s *Simulator) take(ctx context.Context, tx pgx.Tx, i *intent, m method, b behaviour, key string) (any, error) {
	c := s.newCharge(i, m, "succeeded", key)
	if b.CapturePercent > 0 {
		c.Amount = max(1, i.Amount*b.CapturePercent/100)
	}
	c.Amount += b.WrongBy
	if b.Dispute != "" {
		c.schedule(s.now(), orDefault(b.After, s.opt.BankDelay), "dispute")
	}
	if err := s.insertCharge(ctx, tx, c); err != nil {
		return nil, err
	}
	i.Status, i.AmountReceived, i.LatestCharge, i.LastError, i.NextAction = "succeeded", c.Amount, &c.ID, nil, nil
	return i.json(), s.changed(ctx, tx, i, "payment_intent.succeeded", key)
}

// startDebit accepts a bank debit: pending, nothing has moved, the background loop goes on with it.
func (s *Simulator) startDebit(ctx context.Context, tx pgx.Tx, i *intent, m method, b behaviour, key string) (any, error) {
	c := s.newCharge(i, m, "pending", key)
	switch {
	case b.Bank.Never:
	case b.Bank.Fail != nil:
		c.schedule(s.now(), orDefault(b.Bank.Delay, s.opt.BankDelay), "fail")
	default:
		c.schedule(s.now(), orDefault(b.Bank.Delay, s.opt.BankDelay), "settle")
	}
	if err := s.insertCharge(ctx, tx, c); err != nil {
		return nil, err
	}
	i.Status, i.LatestCharge, i.LastError, i.NextAction = "processing", &c.ID, nil, nil
	return i.json(), s.changed(ctx, tx, i, "payment_intent.processing", key)
}

// askCustomer leaves the intent open until the customer completes the authentication page.
func (s *Simulator) askCustomer(ctx context.Context, tx pgx.Tx, i *intent, key string) (any, error) {
	page := map[string]any{"url": "/sim/authenticate/" + i.ID, "return_url": nil}
	action, err := json.Marshal(map[string]any{"type": "redirect_to_url", "redirect_to_url": page})
	if err != nil {
		return nil, err
	}
	i.Status, i.NextAction = "requires_action", action
	return i.json(), s.changed(ctx, tx, i, "payment_intent.requires_action", key)
}

// refuse records a declined charge and returns the 402 that is the request's result.
func (s *Simulator) refuse(ctx context.Context, tx pgx.Tx, i *intent, m method, d decline, key string) error {
	c := s.newCharge(i, m, "failed", key)
	c.Failure = &d
	if err := s.insertCharge(ctx, tx, c); err != nil {
		return err
	}
	refusal := d.asError(c.ID, m)
	if err := s.fallBack(ctx, tx, i, refusal, c.ID, key); err != nil {
		return err
	}
	refusal.PaymentIntent = i.json()
	return refusal
}

// fallBack returns an intent to requires_payment_method with the reason, and tells it.
func (s *Simulator) fallBack(ctx context.Context, tx pgx.Tx, i *intent, why *apiError, chargeID, key string) error {
	reason, err := json.Marshal(why)
	if err != nil {
		return err
	}
	i.Status, i.LastError, i.LatestCharge, i.NextAction = "requires_payment_method", reason, &chargeID, nil
	return s.changed(ctx, tx, i, "payment_intent.payment_failed", key)
}

func (s *Simulator) changed(ctx context.Context, tx pgx.Tx, i *intent, event, key string) error {
	if err := s.saveIntent(ctx, tx, i); err != nil {
		return err
	}
	return s.emit(ctx, tx, event, i.json(), key)
}

// asError is the decline as Stripe tells it: 402 card_error for cards; bank failures arrive later and have no decline code.
func (d decline) asError(chargeID string, m method) *apiError {
	e := &apiError{Status: http.StatusPaymentRequired, Type: "card_error", Code: d.Code, DeclineCode: d.DeclineCode, Message: d.Message, Charge: chargeID,
		AdviceCode: d.Advice, NetworkAdviceCode: d.NetworkAdvice, NetworkDeclineCode: d.NetworkDecline, PaymentMethod: m.json()}
	if m.Kind == "us_bank_account" {
		e.Type = "invalid_request_error"
	}
	return e
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
