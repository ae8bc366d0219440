package stripesim

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

type charge struct {
	ID             string
	Seq            int64
	PaymentIntent  string
	PaymentMethod  string
	Customer       *string
	Amount         int64
	AmountRefunded int64
	Currency       string
	Status         string
	Returned       bool
	Failure        *decline
	Metadata       map[string]string
	IdempotencyKey string
	SettlesAt      *time.Time
	SettleStep     *string
	Created        time.Time
}

func (s *Simulator) newCharge(i *intent, m method, status, key string) charge {
	prefix := "ch_3"
	if m.Kind == "us_bank_account" {
		prefix = "py_3"
	}
	return charge{ID: newID(prefix), PaymentIntent: i.ID, PaymentMethod: m.ID, Customer: i.Customer, Amount: i.Amount, Currency: i.Currency,
		Status: status, Metadata: i.Metadata, IdempotencyKey: key, Created: s.now()}
}

// schedule plans the charge's next step.
func (c *charge) schedule(now time.Time, after time.Duration, step string) {
	at := now.Add(after)
	c.SettlesAt, c.SettleStep = &at, &step
}

func (s *Simulator) insertCharge(ctx context.Context, tx pgx.Tx, c charge) error {
	_, err := tx.Exec(ctx, `
		insert into stripesim.charges (id, payment_intent, payment_method, customer, amount, currency, status, failure, metadata,
			idempotency_key, settles_at, settle_step, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		c.ID, c.PaymentIntent, c.PaymentMethod, c.Customer, c.Amount, c.Currency, c.Status, c.Failure, c.Metadata,
		c.IdempotencyKey, c.SettlesAt, c.SettleStep, c.Created)
	if err != nil {
		return fmt.Errorf("book a charge: %w", err)
	}
	return nil
}

func (c charge) json(m method) any {
	b := m.behaviour()
	captured := int64(0)
	if c.Status == "succeeded" {
		captured = c.Amount
	}
	out := chargeJSON{ID: c.ID, Object: "charge", Amount: c.Amount, AmountCaptured: captured, AmountRefunded: c.AmountRefunded, Captured: c.Status == "succeeded",
		Created: c.Created.Unix(), Currency: c.Currency, Customer: c.Customer, Disputed: c.Returned, Metadata: c.Metadata, Paid: c.Status == "succeeded",
		PaymentIntent: c.PaymentIntent, PaymentMethod: c.PaymentMethod, Refunded: c.AmountRefunded == c.Amount, Status: c.Status,
		Outcome: outcomeJSON{NetworkStatus: "approved_by_network", RiskLevel: "normal", SellerMessage: "Payment complete.", Type: "authorized"}}
	details := map[string]any{"bank_name": b.Brand, "last4": b.Last4, "account_type": b.Funding, "routing_number": "110000000"}
	if m.Kind == "card" {
		details = map[string]any{"brand": b.Brand, "last4": b.Last4, "country": b.Country, "funding": b.Funding, "network": b.Brand,
			"exp_month": 12, "exp_year": m.expiryYear()}
	}
	out.PaymentMethodDetails = map[string]any{"type": m.Kind, m.Kind: details}
	if d := c.Failure; d != nil {
		out.FailureCode, out.FailureMessage = orNull(d.Code), orNull(d.Message)
		out.Outcome = outcomeJSON{AdviceCode: orNull(d.Advice), NetworkAdviceCode: orNull(d.NetworkAdvice), NetworkDeclineCode: orNull(d.NetworkDecline),
			NetworkStatus: "declined_by_network", Reason: orNull(d.DeclineCode), RiskLevel: "normal", SellerMessage: d.Message, Type: "issuer_declined"}
		if d.Reason != "" {
			out.Outcome.Type, out.Outcome.Reason, out.Outcome.RiskLevel, out.Outcome.NetworkStatus = "blocked", orNull(d.Reason), "highest", "not_sent_to_network"
		}
	}
	return out
}

func (s *Simulator) showCharge(ctx context.Context, db querier, c charge) (any, error) {
	m, err := one[method](ctx, db, "payment_method", c.PaymentMethod, `select * from stripesim.payment_methods where id = $1`, c.PaymentMethod)
	if err != nil {
		return nil, err
	}
	return c.json(m), nil
}

func (s *Simulator) retrieveCharge(ctx context.Context, req request) (any, error) {
	c, err := one[charge](ctx, s.pool, "charge", req.id, `select * from stripesim.charges where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return s.showCharge(ctx, s.pool, c)
}

func (s *Simulator) listCharges(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	from, before, bad := req.created()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[charge](ctx, s.pool, `
		select * from stripesim.charges
		where ($1 = '' or payment_intent = $1) and ($2 = '' or customer = $2) and created >= $3 and ($4 or created < $5)
		  and ($6 = '' or seq < (select seq from stripesim.charges where id = $6))
		order by seq desc limit $7`,
		req.str("payment_intent"), req.str("customer"), from, before.IsZero(), before, req.str("starting_after"), limit+1)
	if err != nil {
		return nil, err
	}
	shown := map[string]any{}
	for _, c := range rows {
		if shown[c.ID], err = s.showCharge(ctx, s.pool, c); err != nil {
			return nil, err
		}
	}
	return pageOf("list", "/v1/charges", rows, limit, func(c charge) any { return shown[c.ID] }), nil
}

func (s *Simulator) retrieveBalance(ctx context.Context, _ request) (any, error) {
	rows, err := s.pool.Query(ctx, `
		select currency, coalesce(sum(amount - amount_refunded) filter (where status = 'succeeded' and not returned), 0)::bigint,
		       coalesce(sum(amount) filter (where status = 'pending'), 0)::bigint
		from stripesim.charges group by currency order by currency`)
	if err != nil {
		return nil, fmt.Errorf("read balance: %w", err)
	}
	type part struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	available, pending := []part{}, []part{}
	var currency string
	var a, p int64
	_, err = pgx.ForEachRow(rows, []any{&currency, &a, &p}, func() error {
		available, pending = append(available, part{a, currency}), append(pending, part{p, currency})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read balance: %w", err)
	}
	return map[string]any{"object": "balance", "livemode": false, "available": available, "pending": pending}, nil
}
