package stripesim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

type intent struct {
	ID                 string
	Seq                int64
	Customer           *string
	PaymentMethod      *string
	Amount             int64
	AmountReceived     int64
	Currency           string
	Status             string
	MethodTypes        []string
	OffSession         bool
	Description        string
	Metadata           map[string]string
	LatestCharge       *string
	LastError          json.RawMessage
	NextAction         json.RawMessage
	CancellationReason *string
	CanceledAt         *time.Time
	Created            time.Time
}

func (i intent) json() any {
	out := intentJSON{
		ID: i.ID, Object: "payment_intent", Amount: i.Amount, AmountReceived: i.AmountReceived, CanceledAt: unixOrNull(i.CanceledAt),
		CancellationReason: i.CancellationReason, CaptureMethod: "automatic", ClientSecret: i.ID + "_secret_sim", ConfirmationMethod: "automatic",
		Created: i.Created.Unix(), Currency: i.Currency, Customer: i.Customer, Description: orNull(i.Description), Metadata: i.Metadata,
		PaymentMethodOptions: map[string]any{}, PaymentMethodTypes: i.MethodTypes, Status: i.Status,
	}
	if i.LatestCharge != nil {
		out.LatestCharge = *i.LatestCharge
	}
	if i.PaymentMethod != nil && i.Status != "requires_payment_method" {
		out.PaymentMethod = *i.PaymentMethod
	}
	if len(i.LastError) > 0 {
		out.LastPaymentError = i.LastError
	}
	if len(i.NextAction) > 0 {
		out.NextAction = i.NextAction
	}
	return out
}

// Stripe's smallest charges (docs.stripe.com/currencies), where they are not 50 minor units.
var smallest = map[string]int64{
	"gbp": 30, "huf": 17500, "mxn": 1000, "aed": 200,
	"ron": 200, "dkk": 250, "hkd": 400, "nok": 300, "sek": 300, "myr": 200, "pln": 200, "thb": 1000,
	"czk": 1500,
}

func (s *Simulator) createIntent(ctx context.Context, req request) (plan, error) {
	if bad := req.only("amount", "currency", "customer", "payment_method", "payment_method_types", "payment_method_options", "automatic_payment_methods",
		"confirm", "confirmation_method", "off_session", "error_on_requires_action", "metadata", "description", "statement_descriptor_suffix", "statement_descriptor",
		"receipt_email", "return_url", "mandate", "mandate_data", "capture_method", "setup_future_usage", "use_stripe_sdk"); bad != nil {
		return plan{}, bad
	}
	amount, bad := req.positive("amount")
	if bad != nil {
		return plan{}, bad
	}
	i := intent{ID: newID("pi_3"), Amount: amount, Currency: req.str("currency"), Status: "requires_payment_method",
		MethodTypes: req.list("payment_method_types"), Description: req.str("description"), Customer: orNull(req.str("customer"))}
	if i.Metadata, bad = req.metadata(); bad != nil {
		return plan{}, bad
	}
	if bad := s.checkIntent(&i, req); bad != nil {
		return plan{}, bad
	}
	m, err := s.methodFor(ctx, &i, req.str("payment_method"))
	if err != nil {
		return plan{}, err
	}
	if req.yes("confirm") && m == nil {
		return plan{}, invalidRequest("parameter_missing", "payment_method", "You cannot confirm this PaymentIntent because it's missing a payment method.")
	}
	p := plan{run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		i.Created = s.now()
		if err := s.insertIntent(ctx, tx, &i, m); err != nil {
			return nil, err
		}
		if !req.yes("confirm") {
			return i.json(), s.emit(ctx, tx, "payment_intent.created", i.json(), req.key)
		}
		return s.confirm(ctx, tx, &i, *m, confirmation{offSession: req.yes("off_session"), errorOnAction: req.yes("error_on_requires_action"), key: req.key})
	}}
	if m != nil {
		p.token = m.Token
		if req.yes("confirm") {
			p.behaviour = m.behaviour()
		}
	}
	return p, nil
}

// checkIntent validates what Stripe validates before it executes anything.
func (s *Simulator) checkIntent(i *intent, req request) *apiError {
	switch {
	case i.Currency == "":
		return invalidRequest("parameter_missing", "currency", "Missing required param: currency.")
	case !isCurrency(i.Currency):
		return invalidRequest("", "currency", "Invalid currency: "+i.Currency+". Three lower-case letters are expected.")
	case req.str("capture_method") != "" && req.str("capture_method") != "automatic" && req.str("capture_method") != "automatic_async":
		return invalidRequest("", "capture_method", "The simulator captures at once; capture_method must be automatic.")
	}
	if len(i.MethodTypes) == 0 {
		i.MethodTypes = []string{"card"}
		if req.yes("automatic_payment_methods[enabled]") {
			i.MethodTypes = []string{"card", "us_bank_account"}
		}
	}
	for _, t := range i.MethodTypes {
		if t != "card" && t != "us_bank_account" {
			return invalidRequest("payment_intent_invalid_parameter", "payment_method_types", "The payment method type provided: "+t+" is not known to the simulator.")
		}
	}
	if !s.opt.Limits {
		return nil
	}
	least := int64(50)
	if n, ok := smallest[i.Currency]; ok {
		least = n
	}
	switch {
	case i.Amount < least:
		return invalidRequest("amount_too_small", "amount", fmt.Sprintf("Amount must be at least %d in the currency's smallest unit.", least))
	case i.Amount > 99_999_999:
		return invalidRequest("amount_too_large", "amount", "Amount must be no more than 99999999 in the currency's smallest unit.")
	}
	return nil
}

func isCurrency(c string) bool {
	return len(c) == 3 && !slices.ContainsFunc([]byte(c), func(b byte) bool { return b < 'a' || b > 'z' })
}

// methodFor finds the payment method an intent shall use and checks that it may; nil when none is named.
func (s *Simulator) methodFor(ctx context.Context, i *intent, id string) (*method, error) {
	if i.Customer != nil {
		if _, err := one[customer](ctx, s.pool, "customer", *i.Customer, `select * from stripesim.customers where id = $1`, *i.Customer); err != nil {
			return nil, asParam(err, "customer")
		}
	}
	if id == "" {
		return nil, nil
	}
	m, ok, err := s.findMethod(ctx, s.pool, id)
	switch {
	case err != nil:
		return nil, asParam(err, "payment_method")
	case m.Detached:
		return nil, invalidRequest("", "payment_method", "The provided PaymentMethod was previously detached from a Customer and may not be used again.")
	case ok && m.Customer != nil && (i.Customer == nil || *i.Customer != *m.Customer):
		return nil, invalidRequest("", "payment_method", "The provided PaymentMethod belongs to another Customer. Include that Customer in the request.")
	case !slices.Contains(i.MethodTypes, m.Kind):
		return nil, invalidRequest("payment_intent_incompatible_payment_method", "payment_method",
			"The PaymentMethod provided ("+m.Kind+") is not allowed for this PaymentIntent.")
	case m.Kind == "us_bank_account" && i.Currency != "usd":
		return nil, invalidRequest("payment_method_currency_mismatch", "currency", "us_bank_account can be used in usd only, not "+i.Currency+".")
	}
	return &m, nil
}

// asParam turns a missing object in a path into a missing object in a parameter: 400 instead of 404.
func asParam(err error, param string) error {
	var e *apiError
	if errors.As(err, &e) {
		e.Status, e.Param = 400, param
		return e
	}
	return err
}

func (s *Simulator) insertIntent(ctx context.Context, tx pgx.Tx, i *intent, m *method) error {
	if m != nil {
		if m.ID == "" { // a bare test token becomes a method of its own
			made, err := s.insertMethod(ctx, tx, m.Token, m.Kind, nil)
			if err != nil {
				return err
			}
			*m = made
		}
		i.PaymentMethod, i.Status = &m.ID, "requires_confirmation"
	}
	_, err := tx.Exec(ctx, `
		insert into stripesim.payment_intents (id, customer, payment_method, amount, currency, status, method_types, description, metadata, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		i.ID, i.Customer, i.PaymentMethod, i.Amount, i.Currency, i.Status, i.MethodTypes, i.Description, i.Metadata, i.Created)
	if err != nil {
		return fmt.Errorf("create payment intent: %w", err)
	}
	return nil
}

// saveIntent writes back what a step changed.
func (s *Simulator) saveIntent(ctx context.Context, tx pgx.Tx, i *intent) error {
	_, err := tx.Exec(ctx, `
		update stripesim.payment_intents set payment_method = $2, amount_received = $3, status = $4, off_session = $5, latest_charge = $6,
			last_error = $7, next_action = $8, cancellation_reason = $9, canceled_at = $10 where id = $1`,
		i.ID, i.PaymentMethod, i.AmountReceived, i.Status, i.OffSession, i.LatestCharge, i.LastError, i.NextAction, i.CancellationReason, i.CanceledAt)
	if err != nil {
		return fmt.Errorf("save payment intent %s: %w", i.ID, err)
	}
	return nil
}

// lockIntent reads an intent for change. Every step of an intent goes through this lock.
func (s *Simulator) lockIntent(ctx context.Context, tx pgx.Tx, id string) (intent, error) {
	return one[intent](ctx, tx, "payment_intent", id, `select * from stripesim.payment_intents where id = $1 for update`, id)
}
