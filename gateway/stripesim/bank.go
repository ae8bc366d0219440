package stripesim

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// settleDue takes every charge whose next step has fallen due, one transaction each: debits settle or fail, settled ones are
// returned, disputed ones are taken back.
func (s *Simulator) settleDue(ctx context.Context) error {
	for {
		done, err := s.settleOne(ctx)
		if err != nil || done {
			return err
		}
	}
}

func (s *Simulator) settleOne(ctx context.Context) (done bool, err error) {
	var intentID string
	err = s.pool.QueryRow(ctx, `
		select payment_intent from stripesim.charges where settle_step is not null and settles_at <= $1
		order by settles_at limit 1`, s.now()).Scan(&intentID)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return true, fmt.Errorf("find due charges: %w", err)
	}
	return false, s.inTx(ctx, func(tx pgx.Tx) error {
		i, err := s.lockIntent(ctx, tx, intentID)
		if err != nil {
			return err
		}
		c, err := one[charge](ctx, tx, "charge", "", `
			select * from stripesim.charges where payment_intent = $1 and settle_step is not null and settles_at <= $2 for update`, intentID, s.now())
		var gone *apiError
		if errors.As(err, &gone) {
			return nil // cancelled meanwhile
		}
		if err != nil {
			return err
		}
		return s.step(ctx, tx, &i, c, *c.SettleStep)
	})
}

// step carries out one planned step of a charge.
func (s *Simulator) step(ctx context.Context, tx pgx.Tx, i *intent, c charge, what string) error {
	m, err := one[method](ctx, tx, "payment_method", c.PaymentMethod, `select * from stripesim.payment_methods where id = $1`, c.PaymentMethod)
	if err != nil {
		return err
	}
	switch what {
	case "settle":
		return s.settle(ctx, tx, i, c, m.behaviour())
	case "fail":
		return s.failDebit(ctx, tx, i, c, m, bankFunds)
	case "return":
		return s.takeBack(ctx, tx, c, bankReturnReason(m))
	case "dispute":
		return s.takeBack(ctx, tx, c, m.behaviour().Dispute)
	}
	return fmt.Errorf("charge %s has no step %q", c.ID, what)
}

func bankReturnReason(m method) string {
	if b := m.behaviour(); b.Bank != nil && b.Bank.Returns != nil {
		return b.Bank.Returns.Code
	}
	return "insufficient_funds"
}

// settle ends processing with the money taken.
func (s *Simulator) settle(ctx context.Context, tx pgx.Tx, i *intent, c charge, b behaviour) error {
	c.Status, c.SettlesAt, c.SettleStep = "succeeded", nil, nil
	if b.Bank != nil && b.Bank.Returns != nil {
		c.schedule(s.now(), orDefault(b.After, s.opt.BankDelay), "return")
	}
	if err := s.saveCharge(ctx, tx, c); err != nil {
		return err
	}
	i.Status, i.AmountReceived, i.LastError = "succeeded", c.Amount, nil
	return s.changed(ctx, tx, i, "payment_intent.succeeded", c.IdempotencyKey)
}

// failDebit ends processing without money. The reason is the method's own, else the one given.
func (s *Simulator) failDebit(ctx context.Context, tx pgx.Tx, i *intent, c charge, m method, reason decline) error {
	if b := m.behaviour(); b.Bank != nil && b.Bank.Fail != nil {
		reason = *b.Bank.Fail
	}
	c.Status, c.Failure, c.SettlesAt, c.SettleStep = "failed", &reason, nil, nil
	if err := s.saveCharge(ctx, tx, c); err != nil {
		return err
	}
	return s.fallBack(ctx, tx, i, reason.asError(c.ID, m), c.ID, c.IdempotencyKey)
}

// takeBack reverses a settled charge: a bank's return or a cardholder's dispute. At Stripe both are a dispute; the intent stays
// succeeded, for it tells what happened then.
func (s *Simulator) takeBack(ctx context.Context, tx pgx.Tx, c charge, reason string) error {
	c.Returned, c.SettlesAt, c.SettleStep = true, nil, nil
	if err := s.saveCharge(ctx, tx, c); err != nil {
		return err
	}
	status := "needs_response"
	if c.ID[:2] == "py" { // a bank's return can't be contested
		status = "lost"
	}
	d := dispute{ID: newID("du_1"), Charge: c.ID, PaymentIntent: c.PaymentIntent, Amount: c.Amount - c.AmountRefunded, Currency: c.Currency,
		Reason: reason, Status: status, Created: s.now()}
	_, err := tx.Exec(ctx, `
		insert into stripesim.disputes (id, charge, payment_intent, amount, currency, reason, status, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		d.ID, d.Charge, d.PaymentIntent, d.Amount, d.Currency, d.Reason, d.Status, d.Created)
	if err != nil {
		return fmt.Errorf("book a dispute: %w", err)
	}
	return s.emit(ctx, tx, "charge.dispute.created", d.json(), "")
}

func (s *Simulator) saveCharge(ctx context.Context, tx pgx.Tx, c charge) error {
	_, err := tx.Exec(ctx, `update stripesim.charges set status = $2, returned = $3, failure = $4, settles_at = $5, settle_step = $6 where id = $1`,
		c.ID, c.Status, c.Returned, c.Failure, c.SettlesAt, c.SettleStep)
	if err != nil {
		return fmt.Errorf("save charge %s: %w", c.ID, err)
	}
	return nil
}
