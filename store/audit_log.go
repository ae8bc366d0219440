package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// act is one thing that somebody did, beyond the resolutions, for the audit log.
type act struct {
	actor, kind, reason, requestID string
	account                        billing.AccountID
	invoice                        billing.InvoiceID
	caseID                         billing.CaseID
	before, after                  any
}

func auditAct(ctx context.Context, tx pgx.Tx, a act) error {
	if a.requestID == "" { // an act of its own, which nobody sends twice under one id (I16)
		a.requestID = a.kind + "-" + uuid.NewString()
	}
	const insert = `insert into audit_log (actor, act, reason, request_id, account_id, invoice_id, case_id, before, after)
		values ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), $8, $9)`
	if _, err := tx.Exec(ctx, insert, a.actor, a.kind, a.reason, a.requestID, a.account, a.invoice, a.caseID, a.before, a.after); err != nil {
		return fmt.Errorf("audit %s: %w", a.kind, err)
	}
	return nil
}

// AuditEntry is one row of the audit log: who, what, when, why, before and after, by which request, from where.
type AuditEntry struct {
	ID        int64
	At        time.Time
	Actor     string
	Act       string
	Reason    string
	RequestID string
	Origin    string
	Account   billing.AccountID
	Invoice   billing.InvoiceID
	Case      billing.CaseID
	Before    []byte // JSON, nil when there is none
	After     []byte
}

// AuditFilter chooses entries; empty fields choose all.
type AuditFilter struct {
	Account billing.AccountID
	// Case chooses what was done about the case, and what was decided about its account as a whole.
	Case  billing.CaseID
	Actor string
	Act   string
	From  time.Time // inclusive
	To    time.Time // exclusive
	// Before pages backwards: only entries with a lower id; 0 for the newest.
	Before int64
	Limit  int // 1 to 1,000
}

const auditColumns = `id, at, actor, act, reason, request_id, origin, coalesce(account_id, '') as account, coalesce(invoice_id, '') as invoice,
	coalesce(case_id, '') as "case", before, after`

// query gathers the conditions that are asked for only, so that each finds its index.
func (f AuditFilter) query() *conditions {
	q := &conditions{}
	if f.Account != "" {
		q.add("account_id = ?", f.Account)
	}
	if f.Case != "" {
		q.add(`(case_id = ? or case_id is null and account_id = (select account_id from cases where id = ?) and act = any(?))`,
			f.Case, f.Case, billing.AccountKinds())
	}
	if f.Actor != "" {
		q.add("actor = ?", f.Actor)
	}
	if f.Act != "" {
		q.add("act = ?", f.Act)
	}
	if !f.From.IsZero() {
		q.add("at >= ?", f.From)
	}
	if !f.To.IsZero() {
		q.add("at < ?", f.To)
	}
	if f.Before > 0 {
		q.add("id < ?", f.Before)
	}
	return q
}

// ListAuditLog returns entries, the newest first.
func (s *Store) ListAuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	limit := min(max(f.Limit, 1), 1000)
	q := f.query()
	rows, err := s.pool.Query(ctx, fmt.Sprintf("select %s from audit_log%s order by id desc limit %d", auditColumns, q.where(), limit), q.args...)
	if err != nil {
		return nil, fmt.Errorf("list audit log: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[AuditEntry])
}

// ExportAuditLog gives every chosen entry to take, the oldest first, in one snapshot and in constant memory. That somebody exported it
// is an entry itself, written first.
func (s *Store) ExportAuditLog(ctx context.Context, f AuditFilter, actor string, take func(AuditEntry) error) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		return auditAct(ctx, tx, act{actor: actor, kind: "export_audit_log", reason: "exported", account: f.Account})
	})
	if err != nil {
		return err
	}
	q := f.query()
	rows, err := s.pool.Query(ctx, "select "+auditColumns+" from audit_log"+q.where()+" order by id", q.args...)
	if err != nil {
		return fmt.Errorf("export audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := pgx.RowToStructByName[AuditEntry](rows)
		if err != nil {
			return fmt.Errorf("export audit log: %w", err)
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return rows.Err()
}
