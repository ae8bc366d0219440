package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// reconcileGrace is how old a payment must be before its receipt is missed: its answer may still be on the way (U1).
const reconcileGrace = time.Hour

// receiptOf is what was booked for attempt a.id.
const receiptOf = `left join lateral (
		select coalesce(sum(e.amount_minor), 0)::bigint as minor, coalesce(min(e.currency), '') as currency
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'gateway_clearing'
		 where t.key = 'receipt/' || a.id::text having count(*) > 0) r on true`

// CompareCharges compares payments of a gateway's list with attempts and receipts (I1, I2) and returns what differs.
func (s *Store) CompareCharges(ctx context.Context, gateway string, charges []billing.ListedCharge) ([]billing.Mismatch, error) {
	now, err := s.clock(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare charges: %w", err)
	}
	ids := make([]*uuid.UUID, len(charges))
	for i, c := range charges {
		if id, err := uuid.Parse(string(c.Attempt)); err == nil {
			ids[i] = &id
		}
	}
	const query = `select n.n, a.id is not null, coalesce(a.invoice_id, ''), coalesce(a.account_id, ''), coalesce(a.case_id, ''), coalesce(a.state, ''),
			r.minor, r.currency
		from unnest($1::uuid[]) with ordinality n (id, n) left join attempts a on a.id = n.id and a.gateway = $2 ` + receiptOf
	rows, err := s.pool.Query(ctx, query, ids, gateway)
	if err != nil {
		return nil, fmt.Errorf("compare charges: %w", err)
	}
	var found []billing.Mismatch
	var n int
	var known bool
	var state billing.AttemptState
	var minor *int64
	var code *string
	var m billing.Mismatch
	_, err = pgx.ForEachRow(rows, []any{&n, &known, &m.Invoice, &m.Account, &m.Case, &state, &minor, &code}, func() error {
		c := charges[n-1]
		m.Gateway, m.Reference, m.Attempt, m.Kind = gateway, c.Reference, c.Attempt, ""
		switch {
		case !known:
			m.Kind, m.Detail = billing.ChargeWithoutAttempt, fmt.Sprintf("%s was taken; its mark is %q", c.Taken, clip64(string(c.Attempt)))
		case minor == nil && now.Sub(c.At) >= reconcileGrace:
			m.Kind, m.Detail = billing.ChargeWithoutReceipt, fmt.Sprintf("%s was taken; the attempt is %s", c.Taken, state)
		case minor != nil && (*minor != c.Taken.Minor() || *code != c.Taken.Currency().Code()):
			m.Kind, m.Detail = billing.AmountsDiffer, fmt.Sprintf("%s was taken; the receipt says %d minor units of %s", c.Taken, *minor, *code)
		}
		if m.Kind != "" {
			found = append(found, m)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare charges: %w", err)
	}
	return found, nil
}

func clip64(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}

func (s *Store) clock(ctx context.Context) (now time.Time, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err = s.now(ctx, tx)
		return err
	})
	return now, err
}

// Receipts returns a page of what was booked for attempts that were first sent in [from, to), as the mismatch that each is when the
// gateway's list doesn't have it. It goes on after an attempt.
func (s *Store) Receipts(ctx context.Context, gateway string, from, to time.Time, after billing.AttemptID, limit int) ([]billing.Mismatch, error) {
	const query = `select a.id::text, a.gateway_reference, a.invoice_id, a.account_id, a.case_id, format('%s minor units of %s are booked', r.minor, r.currency)
		from attempts a ` + receiptOf + `
		where a.gateway = $1 and a.first_sent_at >= $2 and a.first_sent_at < $3 and r.minor is not null and a.id > coalesce(nullif($4, ''), '00000000-0000-0000-0000-000000000000')::uuid
		order by a.id limit $5`
	rows, err := s.pool.Query(ctx, query, gateway, from, to, string(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Mismatch, error) {
		m := billing.Mismatch{Kind: billing.ReceiptWithoutCharge, Gateway: gateway}
		err := row.Scan(&m.Attempt, &m.Reference, &m.Invoice, &m.Account, &m.Case, &m.Detail)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return found, nil
}

// RaiseMismatch opens the operators' task for a mismatch, once (N1); it reports whether it is a new one.
func (s *Store) RaiseMismatch(ctx context.Context, m billing.Mismatch) (fresh bool, err error) {
	about := m.Reference
	if about == "" || m.Kind == billing.ReceiptWithoutCharge {
		about = string(m.Attempt)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		const insert = `insert into tasks (id, key, kind, account_id, invoice_id, case_id, attempt_id, detail, opened_at)
			select $1, $2, 'reconciliation_mismatch', nullif($3, ''), nullif($4, ''), nullif($5, ''), (select id from attempts where id = $6), $7, $8
			on conflict (key) do nothing`
		var attempt *uuid.UUID
		if a, err := uuid.Parse(string(m.Attempt)); err == nil {
			attempt = &a
		}
		tag, err := tx.Exec(ctx, insert, id, fmt.Sprintf("reconciliation_mismatch/%s/%s/%s", m.Kind, m.Gateway, about), m.Account, m.Invoice, m.Case,
			attempt, m, now)
		fresh = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("raise mismatch of %s: %w", about, err)
	}
	return fresh, nil
}
