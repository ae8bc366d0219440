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
	before, after                  any
}

func auditAct(ctx context.Context, tx pgx.Tx, a act) error {
	if a.requestID == "" { // an act of its own, which nobody sends twice under one id (I16)
		a.requestID = a.kind + "-" + uuid.NewString()
	}
	const insert = `insert into audit_log (actor, act, reason, request_id, account_id, before, after) values ($1, $2, $3, $4, nullif($5, ''), $6, $7)`
	if _, err := tx.Exec(ctx, insert, a.actor, a.kind, a.reason, a.requestID, a.account, a.before, a.after); err != nil {
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
	Case    billing.CaseID
	Actor   string
	Act     string
	From    time.Time // inclusive
	To      time.Time // exclusive
	// Before pages backwards: only entries with a lower id; 0 for the newest.
	Before int64
	Limit  int // 1 to 1,000
}

const auditColumns = `id, at, actor, act, reason, request_id, origin, coalesce(account_id, '') as account, coalesce(invoice_id, '') as invoice,
	coalesce(case_id, '') as "case", before, after`

const auditWhere = ` from audit_log where ($1 = '' or account_id = $1) and ($2 = '' or case_id = $2) and ($3 = '' or actor = $3)
	and ($4 = '' or act = $4) and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)`

func (f AuditFilter) args() []any {
	return []any{f.Account, f.Case, f.Actor, f.Act, instantOrNil(f.From), instantOrNil(f.To)}
}

// ListAuditLog returns entries, the newest first.
func (s *Store) ListAuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	limit := min(max(f.Limit, 1), 1000)
	rows, err := s.pool.Query(ctx, `select `+auditColumns+auditWhere+` and ($7 = 0 or id < $7) order by id desc limit $8`,
		append(f.args(), f.Before, limit)...)
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
	rows, err := s.pool.Query(ctx, `select `+auditColumns+auditWhere+` order by id`, f.args()...)
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

func instantOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
