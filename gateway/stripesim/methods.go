package stripesim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

type method struct {
	ID       string
	Seq      int64
	Customer *string
	Token    string
	Kind     string
	Detached bool
	Created  time.Time
}

func (m method) behaviour() behaviour {
	b, _ := behaviourOf(m.Token) // rows are only written for tokens that exist
	return b
}

// expiryYear keeps test cards good for years; they expire in December.
func (m method) expiryYear() int { return m.Created.Year() + 4 }

func (m method) json() any {
	b := m.behaviour()
	sum := sha256.Sum256([]byte(m.Token))
	fingerprint := hex.EncodeToString(sum[:8])
	out := methodJSON{ID: m.ID, Object: "payment_method", Created: m.Created.Unix(), Customer: m.Customer, Metadata: map[string]string{}, Type: m.Kind}
	if m.Kind == "card" {
		out.Card = &cardJSON{Brand: b.Brand, Country: b.Country, ExpMonth: 12, ExpYear: m.expiryYear(), Fingerprint: fingerprint, Funding: b.Funding, Last4: b.Last4}
	} else {
		out.USBankAccount = &bankJSON{AccountHolderType: "individual", AccountType: b.Funding, BankName: b.Brand, Fingerprint: fingerprint,
			Last4: b.Last4, RoutingNumber: "110000000"}
	}
	return out
}

// createMethod makes a payment method from a test token: type=card&card[token]=tok_visa as Stripe's tests do, or our shorter
// token=pm_card_visa. Card numbers are refused: no page or test of Recoup ever holds one.
func (s *Simulator) createMethod(_ context.Context, req request) (plan, error) {
	if bad := req.only("type", "card", "us_bank_account", "billing_details", "metadata", "token"); bad != nil {
		return plan{}, bad
	}
	token := req.str("token")
	if token == "" {
		token = "pm_card_" + trimToken(req.str("card[token]"))
	}
	b, ok := behaviourOf(token)
	if !ok {
		return plan{}, invalidRequest("resource_missing", "token",
			"The simulator makes payment methods of test tokens only, such as token=pm_card_visa. No such token: '"+token+"'")
	}
	return plan{token: token, run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		m, err := s.insertMethod(ctx, tx, token, b.Kind, nil)
		return m.json(), err
	}}, nil
}

func trimToken(tok string) string {
	const prefix = "tok_"
	if len(tok) > len(prefix) && tok[:len(prefix)] == prefix {
		return tok[len(prefix):]
	}
	return tok
}

func (s *Simulator) insertMethod(ctx context.Context, tx pgx.Tx, token, kind string, customer *string) (method, error) {
	m := method{ID: newID("pm_1"), Token: token, Kind: kind, Customer: customer, Created: s.now()}
	_, err := tx.Exec(ctx, `insert into stripesim.payment_methods (id, customer, token, kind, created) values ($1, $2, $3, $4, $5)`,
		m.ID, m.Customer, m.Token, m.Kind, m.Created)
	if err != nil {
		return m, fmt.Errorf("create payment method: %w", err)
	}
	return m, nil
}

// findMethod reads a payment method by id. A bare test token is good too, as at Stripe: ok is false then and the method is made when
// it is used.
func (s *Simulator) findMethod(ctx context.Context, db querier, id string) (m method, ok bool, err error) {
	if b, isToken := behaviourOf(id); isToken {
		return method{Token: id, Kind: b.Kind}, false, nil
	}
	m, err = one[method](ctx, db, "PaymentMethod", id, `select * from stripesim.payment_methods where id = $1`, id)
	return m, err == nil, err
}

func (s *Simulator) retrieveMethod(ctx context.Context, req request) (any, error) {
	m, ok, err := s.findMethod(ctx, s.pool, req.id)
	switch {
	case err != nil:
		return nil, err
	case !ok: // Stripe shows its test tokens as methods of their own
		m.ID, m.Created = req.id, s.now()
	}
	return m.json(), nil
}

func (s *Simulator) listMethods(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	of := req.str("customer")
	if req.id != "" {
		of = req.id
	}
	rows, err := many[method](ctx, s.pool, `
		select * from stripesim.payment_methods
		where customer = $1 and not detached and ($2 = '' or kind = $2)
		  and ($3 = '' or seq < (select seq from stripesim.payment_methods where id = $3))
		order by seq desc limit $4`, of, req.str("type"), req.str("starting_after"), limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf("list", "/v1/payment_methods", rows, limit, method.json), nil
}

func (s *Simulator) attachMethod(ctx context.Context, req request) (plan, error) {
	if bad := req.only("customer"); bad != nil {
		return plan{}, bad
	}
	if req.str("customer") == "" {
		return plan{}, invalidRequest("parameter_missing", "customer", "Missing required param: customer.")
	}
	m, _, err := s.findMethod(ctx, s.pool, req.id)
	if err != nil {
		return plan{}, err
	}
	return plan{token: m.Token, run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		m, err := s.attach(ctx, tx, req.id, req.str("customer"))
		if err != nil {
			return nil, err
		}
		return m.json(), nil
	}}, nil
}

// attach gives a method, or a fresh one made of a test token, to a customer.
func (s *Simulator) attach(ctx context.Context, tx pgx.Tx, id, of string) (method, error) {
	if _, err := one[customer](ctx, tx, "customer", of, `select * from stripesim.customers where id = $1`, of); err != nil {
		return method{}, err
	}
	m, ok, err := s.findMethod(ctx, tx, id)
	switch {
	case err != nil:
		return m, err
	case !ok:
		return s.insertMethod(ctx, tx, m.Token, m.Kind, &of)
	case m.Detached || (m.Customer != nil && *m.Customer != of):
		return m, invalidRequest("", "",
			"The payment method you provided has already been attached to a customer or was detached from one; it may not be used again.")
	}
	m.Customer = &of
	if _, err := tx.Exec(ctx, `update stripesim.payment_methods set customer = $2 where id = $1`, m.ID, of); err != nil {
		return m, fmt.Errorf("attach payment method: %w", err)
	}
	return m, nil
}

func (s *Simulator) detachMethod(ctx context.Context, req request) (plan, error) {
	m, ok, err := s.findMethod(ctx, s.pool, req.id)
	if err != nil {
		return plan{}, err
	}
	if !ok || m.Customer == nil || m.Detached {
		return plan{}, invalidRequest("", "", "The payment method you provided is not attached to a customer so detachment is impossible.")
	}
	return plan{token: m.Token, run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		if _, err := tx.Exec(ctx, `update stripesim.payment_methods set detached = true where id = $1`, m.ID); err != nil {
			return nil, fmt.Errorf("detach payment method: %w", err)
		}
		m.Customer, m.Detached = nil, true
		return m.json(), nil
	}}, nil
}
