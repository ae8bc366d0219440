package stripesim

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

type refund struct {
	ID            string
	Seq           int64
	Charge        string
	PaymentIntent string
	Amount        int64
	Currency      string
	Reason        string
	Metadata      map[string]string
	Created       time.Time
}

func (r refund) json() any {
	return refundJSON{ID: r.ID, Object: "refund", Amount: r.Amount, Charge: r.Charge, Created: r.Created.Unix(), Currency: r.Currency,
		Metadata: r.Metadata, PaymentIntent: r.PaymentIntent, Reason: orNull(r.Reason), Status: "succeeded"}
}

func (s *Simulator) createRefund(ctx context.Context, req request) (plan, error) {
	if bad := req.only("charge", "payment_intent", "amount", "reason", "metadata"); bad != nil {
		return plan{}, bad
	}
	meta, bad := req.metadata()
	if bad != nil {
		return plan{}, bad
	}
	amount := int64(0) // all that is left
	if req.str("amount") != "" {
		if amount, bad = req.positive("amount"); bad != nil {
			return plan{}, bad
		}
	}
	target := req.str("charge")
	if target == "" {
		target = req.str("payment_intent")
	}
	if target == "" {
		return plan{}, invalidRequest("parameter_missing", "charge", "One of the following params should be provided for this request: payment_intent or charge.")
	}
	return plan{run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		c, err := one[charge](ctx, tx, "charge", target, `
			select * from stripesim.charges where (id = $1 or payment_intent = $1) and status = 'succeeded' for update`, target)
		if err != nil {
			return nil, asParam(err, "charge")
		}
		left := c.Amount - c.AmountRefunded
		if amount == 0 {
			amount = left
		}
		switch {
		case c.Returned:
			return nil, invalidRequest("charge_disputed", "", "Charge "+c.ID+" has been charged back; cannot issue a refund.")
		case left == 0:
			return nil, invalidRequest("charge_already_refunded", "", "Charge "+c.ID+" has already been refunded.")
		case amount > left:
			return nil, invalidRequest("", "amount", fmt.Sprintf("Refund amount (%d) is greater than unrefunded amount on charge (%d).", amount, left))
		}
		r := refund{ID: newID("re_3"), Charge: c.ID, PaymentIntent: c.PaymentIntent, Amount: amount, Currency: c.Currency,
			Reason: req.str("reason"), Metadata: meta, Created: s.now()}
		return r.json(), s.giveBack(ctx, tx, c, r, req.key)
	}}, nil
}

// giveBack books a refund and tells it.
func (s *Simulator) giveBack(ctx context.Context, tx pgx.Tx, c charge, r refund, key string) error {
	_, err := tx.Exec(ctx, `
		insert into stripesim.refunds (id, charge, payment_intent, amount, currency, reason, metadata, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.ID, r.Charge, r.PaymentIntent, r.Amount, r.Currency, r.Reason, r.Metadata, r.Created)
	if err != nil {
		return fmt.Errorf("book a refund: %w", err)
	}
	c.AmountRefunded += r.Amount
	if _, err := tx.Exec(ctx, `update stripesim.charges set amount_refunded = $2 where id = $1`, c.ID, c.AmountRefunded); err != nil {
		return fmt.Errorf("book a refund: %w", err)
	}
	shown, err := s.showCharge(ctx, tx, c)
	if err != nil {
		return err
	}
	return s.emit(ctx, tx, "charge.refunded", shown, key)
}

func (s *Simulator) retrieveRefund(ctx context.Context, req request) (any, error) {
	r, err := one[refund](ctx, s.pool, "refund", req.id, `select * from stripesim.refunds where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return r.json(), nil
}

func (s *Simulator) listRefunds(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[refund](ctx, s.pool, `
		select * from stripesim.refunds
		where ($1 = '' or charge = $1) and ($2 = '' or payment_intent = $2) and ($3 = '' or seq < (select seq from stripesim.refunds where id = $3))
		order by seq desc limit $4`, req.str("charge"), req.str("payment_intent"), req.str("starting_after"), limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf("list", "/v1/refunds", rows, limit, refund.json), nil
}
