package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// PolicyExplained says which policy an invoice follows and why.
type PolicyExplained struct {
	Invoice billing.Invoice
	// Zone and Locale are the account's.
	Zone, Locale string
	// Case is its latest case, "" when none opened yet; Start and Shift are that case's stage clock (T1).
	Case     billing.CaseID
	Finished bool
	Start    time.Time
	Shift    time.Duration
	// Policy and Version are what that case follows; Because is why it was chosen when the case opened, "" for cases of older releases.
	Policy  string
	Version int
	Because string
	// Moves are what people did to that since.
	Moves []PolicyMoved
	// Now is what a case opened now would follow.
	Now dunning.PolicyChoice
}

// PolicyMoved is one move of a case to another policy.
type PolicyMoved struct {
	At                     time.Time
	FromPolicy             string
	FromVersion            int
	ToPolicy               string
	ToVersion              int
	Actor, Reason, Request string
}

// ExplainPolicy says which policy an invoice's case follows, which rule chose it, and what a case opened now would follow.
func (s *Store) ExplainPolicy(ctx context.Context, id billing.InvoiceID) (PolicyExplained, error) {
	var out PolicyExplained
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var err error
		out, err = s.explainPolicy(ctx, tx, id)
		return err
	})
	if err != nil {
		return PolicyExplained{}, fmt.Errorf("explain policy of invoice %s: %w", id, err)
	}
	return out, nil
}

func (s *Store) explainPolicy(ctx context.Context, tx pgx.Tx, id billing.InvoiceID) (PolicyExplained, error) {
	var out PolicyExplained
	rows, _ := tx.Query(ctx, `select `+invoiceColumns+` from invoices i where i.id = $1`, id)
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[invoiceRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return out, billing.Refuse(billing.RefusedNotFound, "invoice", "there is no invoice %s", id)
	}
	if err != nil {
		return out, err
	}
	if out.Invoice, err = row.invoice(); err != nil {
		return out, err
	}
	if err := tx.QueryRow(ctx, `select time_zone, locale from accounts where id = $1`, out.Invoice.AccountID).Scan(&out.Zone, &out.Locale); err != nil {
		return out, err
	}
	if _, out.Now, err = s.choosePolicy(ctx, tx, out.Invoice); err != nil {
		return out, err
	}
	const latest = `select c.id, c.policy, c.policy_version, c.finished_at is not null, c.clock_started_at, c.clock_shift_seconds,
		coalesce((select e.data->>'because' from case_events e where e.case_id = c.id and e.kind = 'opened' order by e.id limit 1), '')
		from cases c where c.invoice_id = $1 order by c.episode desc limit 1`
	var shift int64
	err = tx.QueryRow(ctx, latest, id).Scan(&out.Case, &out.Policy, &out.Version, &out.Finished, &out.Start, &shift, &out.Because)
	if errors.Is(err, pgx.ErrNoRows) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Start, out.Shift = out.Start.UTC(), time.Duration(shift)*time.Second
	const moves = `select moved_at, from_policy, from_version, to_policy, to_version, actor, reason, request_id from policy_moves
		where case_id = $1 order by moved_at`
	rows, _ = tx.Query(ctx, moves, out.Case)
	out.Moves, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PolicyMoved])
	return out, err
}
