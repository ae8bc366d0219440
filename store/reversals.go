package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// RecordReversal books money that was taken back after an attempt had succeeded (U5, faults.md A14, A26): compensating entries, the
// invoice open again, a new case linked to the old one, the customer told, the method blocked where its reason says so. Credits and
// deposits stay where they are. One attempt and reference are booked once; booked says whether it was now.
func (s *Store) RecordReversal(ctx context.Context, attempt billing.AttemptID, r billing.Reversal) (booked bool, err error) {
	if r.Reference == "" || !r.Won && !r.Amount.IsPositive() {
		return false, billing.Refuse(billing.RefusedInvalid, "reversal", "a reversal must have a reference and an amount above zero")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		booked = false
		e, row, err := s.lockAttemptCase(ctx, tx, attempt)
		if err != nil {
			return err
		}
		var known, received bool
		const query = `select exists (select 1 from reversals where attempt_id = $1 and reference = $2),
			exists (select 1 from journal_transactions where key = 'receipt/' || $1::text)`
		if err := tx.QueryRow(ctx, query, row.ID, r.Reference).Scan(&known, &received); err != nil {
			return err
		}
		switch {
		case r.Won && known:
			return e.openTask(ctx, task{Kind: "dispute_won", Key: "dispute_won/" + r.Reference, Attempt: row.ID.String(), Detail: map[string]any{"reference": r.Reference}})
		case r.Won || known:
			return nil
		case !received:
			return billing.Refuse(billing.RefusedNotNow, "attempt", "attempt %s is %s: its money is not booked yet, so it can't be taken back", row.ID, row.State)
		}
		booked = true
		return s.reverse(ctx, e, row, r)
	})
	if err != nil {
		return false, fmt.Errorf("record reversal %s of attempt %s: %w", r.Reference, attempt, err)
	}
	return booked, nil
}

// lockAttemptCase locks the case that an attempt belongs to, and the attempt.
func (s *Store) lockAttemptCase(ctx context.Context, tx pgx.Tx, attempt billing.AttemptID) (*episode, attemptRow, error) {
	id, err := uuid.Parse(string(attempt))
	if err != nil {
		return nil, attemptRow{}, billing.Refuse(billing.RefusedNotFound, "attempt", "there is no attempt %s", attempt)
	}
	var of billing.CaseID
	err = tx.QueryRow(ctx, `select coalesce((select case_id from attempts where id = $1), '')`, id).Scan(&of)
	if err != nil {
		return nil, attemptRow{}, err
	}
	if of == "" {
		return nil, attemptRow{}, billing.Refuse(billing.RefusedNotFound, "attempt", "there is no attempt %s", attempt)
	}
	e, err := s.lockCase(ctx, tx, of)
	if err != nil {
		return nil, attemptRow{}, err
	}
	row, err := e.attemptRow(ctx, attempt)
	return e, row, err
}

func (s *Store) reverse(ctx context.Context, e *episode, row attemptRow, r billing.Reversal) error {
	split, err := e.splitReversal(ctx, row, r.Amount)
	if err != nil {
		return err
	}
	key := "receipt_reversed/" + row.ID.String() + "/" + r.Reference
	if err := postJournal(ctx, e.tx, key, e.account.ID, billing.ReceiptReversed(row.Gateway, e.invoice, split)); err != nil {
		return err
	}
	if err := e.takeOff(ctx, split.Reopened); err != nil {
		return err
	}
	m, err := e.method(ctx, row.MethodID)
	if err != nil {
		return err
	}
	if err := e.blockReversed(ctx, m, r); err != nil {
		return err
	}
	next, err := s.collectAgain(ctx, e)
	if err != nil {
		return err
	}
	const insert = `insert into reversals (attempt_id, reference, code, currency, amount_minor, unapplied_minor, reopened_minor, lost_minor, case_id, booked_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10)`
	if _, err := e.tx.Exec(ctx, insert, row.ID, r.Reference, r.Code, r.Amount.Currency().Code(), r.Amount.Minor(), split.Unapplied.Minor(),
		split.Reopened.Minor(), split.Lost.Minor(), next.row.ID, e.now); err != nil {
		return err
	}
	return next.tellReversal(ctx, e, row, m, r, split)
}

// splitReversal finds where an attempt's money lies now: in unapplied funds, or on the invoice. An invoice that is void or written off
// owes nothing any more, whatever is taken back.
func (e *episode) splitReversal(ctx context.Context, row attemptRow, amount money.Amount) (billing.ReversalSplit, error) {
	const query = `
		with received as (
			select coalesce(-sum(n.amount_minor) filter (where n.ledger_kind = 'unapplied_funds'), 0)::bigint as unapplied,
			       coalesce(-sum(n.amount_minor) filter (where n.ledger_kind = 'receivable'), 0)::bigint as allocated
			  from journal_transactions t join journal_entries n on n.transaction_id = t.id where t.key = $1),
		before as (select coalesce(sum(unapplied_minor), 0)::bigint as unapplied, coalesce(sum(reopened_minor), 0)::bigint as reopened
			from reversals where attempt_id = $2),
		there as (select coalesce(-sum(amount_minor), 0)::bigint as unapplied from journal_entries
			where ledger_kind = 'unapplied_funds' and account_id = $3 and currency = $4)
		select r.unapplied - b.unapplied, r.allocated - b.reopened, t.unapplied from received r, before b, there t`
	var unapplied, owed, there int64
	if err := e.tx.QueryRow(ctx, query, "receipt/"+row.ID.String(), row.ID, e.account.ID, amount.Currency().Code()).Scan(&unapplied, &owed, &there); err != nil {
		return billing.ReversalSplit{}, err
	}
	if e.invoice.State == billing.InvoiceVoid || e.invoice.State == billing.InvoiceWrittenOff {
		// What a void invoice had received was moved to unapplied funds (CR6).
		unapplied, owed = unapplied+owed, 0
	}
	owed = min(owed, e.invoice.Allocated.Minor())
	return billing.SplitReversal(amount, money.New(min(unapplied, there), amount.Currency()), money.New(owed, e.invoice.Total.Currency())), nil
}

// takeOff lowers what is allocated to the invoice. It is the one way back from paid to open (U5).
func (e *episode) takeOff(ctx context.Context, amount money.Amount) error {
	if amount.IsZero() {
		return nil
	}
	left, err := e.invoice.Allocated.Sub(amount)
	if err != nil {
		return err
	}
	const update = `update invoices set allocated_minor = $2, state = 'open', settled_at = null where id = $1 and state in ('open', 'paid')`
	tag, err := e.tx.Exec(ctx, update, e.invoice.ID, left.Minor())
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("invoice %s is %s", e.invoice.ID, e.invoice.State)
	}
	if err != nil {
		return err
	}
	e.invoice.Allocated, e.invoice.State = left, billing.InvoiceOpen
	return nil
}

// blockReversed keeps a method from being charged again by itself when it was disputed, or returned for good.
func (e *episode) blockReversed(ctx context.Context, m billing.PaymentMethod, r billing.Reversal) error {
	if !dunning.ReversalBlocks(m.Kind, r.Code) {
		return nil
	}
	const update = `update payment_methods set state = 'blocked', state_reason = $2 where id = $1 and state <> 'blocked'`
	if _, err := e.tx.Exec(ctx, update, m.ID, dunning.ReversalReason(m.Kind, r.Code)); err != nil {
		return fmt.Errorf("block method %s: %w", m.ID, err)
	}
	return nil
}

// collectAgain returns the case that collects the invoice now: the live one, or a new episode linked to e; e itself when the invoice
// owes nothing.
func (s *Store) collectAgain(ctx context.Context, e *episode) (*episode, error) {
	if e.invoice.State != billing.InvoiceOpen {
		return e, nil
	}
	opened, err := s.openCase(ctx, e.tx, e.invoice.ID)
	if err != nil {
		return nil, err
	}
	if !opened.Existing {
		if _, err := e.tx.Exec(ctx, `update cases set reopens = $2 where id = $1`, opened.ID, e.row.ID); err != nil {
			return nil, err
		}
	}
	return s.lockCase(ctx, e.tx, opened.ID)
}

// tellReversal writes it on both timelines, tells the customer and asks people where one must look. e is the case that collects now.
func (e *episode) tellReversal(ctx context.Context, old *episode, row attemptRow, m billing.PaymentMethod, r billing.Reversal, split billing.ReversalSplit) error {
	data := map[string]any{"attempt": row.ID.String(), "amount": r.Amount, "code": r.Code, "reference": r.Reference, "case": e.row.ID}
	if err := old.event(ctx, "payment_returned", data); err != nil {
		return err
	}
	if old.row.ID != e.row.ID {
		if err := e.event(ctx, "reopened", map[string]any{"amount": split.Reopened, "case": old.row.ID, "attempt": row.ID.String()}); err != nil {
			return err
		}
	}
	if split.Reopened.IsPositive() {
		notice := billing.NoticeData{Attempt: billing.AttemptID(row.ID.String()), Amount: &r.Amount}
		if err := e.tell(ctx, dunning.NoticePaymentReturned, "reversal-"+r.Reference, notice); err != nil {
			return err
		}
	}
	detail := map[string]any{"amount": r.Amount, "code": r.Code, "reference": r.Reference}
	if m.Kind == billing.MethodCard {
		if err := e.openTask(ctx, task{Kind: "chargeback", Key: "chargeback/" + r.Reference, Attempt: row.ID.String(), Detail: detail}); err != nil {
			return err
		}
	}
	if split.Lost.IsPositive() {
		detail["lost"] = split.Lost
		if err := e.openTask(ctx, task{Kind: "reversal_loss", Key: "reversal_loss/" + r.Reference, Attempt: row.ID.String(), Detail: detail}); err != nil {
			return err
		}
	}
	if e.row.FinishedAt != nil {
		return nil
	}
	return poke(ctx, e.tx, e.row.ID, "payment returned")
}
