package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// TaskRefund is the kind of a task to send unapplied funds back (U4).
const TaskRefund = "refund"

// decidedElsewhere are the kinds of tasks that end by a decision, not by being called done.
var decidedElsewhere = map[string]string{
	"outcome_unknown":     "say what became of the attempt: resolve_unknown",
	"charge_bound":        "let the case go on: retry_now",
	"suspensions_stopped": "answer the breaker: recoup suspensions",
	"settlement_overdue":  "say what became of the attempt: resolve_unknown",
	"dispute":             "end the dispute on its case: end_dispute",
	"second_person":       "another person confirms the decision, or nobody does",
}

// TaskEnd is a person's word that a task is done. A refund's reference names the payment that went back.
type TaskEnd struct {
	Task string
	Order
	Reference string
}

// openTaskRow is a task as CloseTask locks it.
type openTaskRow struct {
	kind     string
	account  billing.AccountID
	invoice  billing.InvoiceID
	caseID   billing.CaseID
	gateway  string
	detail   json.RawMessage
	closedAt *time.Time
}

// CloseTask records that a person has done what a task asked for, and for a refund books that the money left unapplied funds. fresh is
// false when it was closed already. Tasks that a decision ends are refused, with the decision.
func (s *Store) CloseTask(ctx context.Context, in TaskEnd) (fresh bool, err error) {
	if err := in.check(); err != nil {
		return false, err
	}
	id, err := uuid.Parse(in.Task)
	if err != nil {
		return false, billing.Refuse(billing.RefusedInvalid, "task", "%q is not a task's id; see recoup task list", in.Task)
	}
	if billing.LooksLikeCardNumber(in.Reference) || len(in.Reference) > 100 {
		return false, billing.Refuse(billing.RefusedInvalid, "reference", "must be the payment's reference, in at most 100 characters")
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		fresh = false
		t, err := lockTask(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.closedAt != nil {
			return nil
		}
		if instead, ok := decidedElsewhere[t.kind]; ok {
			return billing.Refuse(billing.RefusedNotNow, "task", "this task ends by a decision: %s", instead)
		}
		if t.kind == TaskRefund {
			if err := t.bookRefund(ctx, tx, id, in); err != nil {
				return err
			}
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update tasks set closed_at = $2, closed_by = $3 where id = $1`, id, now, in.Actor); err != nil {
			return fmt.Errorf("close task %s: %w", id, err)
		}
		fresh = true
		return auditAct(ctx, tx, act{actor: in.Actor, kind: "close_task", reason: in.Reason, requestID: in.RequestID, account: t.account, invoice: t.invoice, caseID: t.caseID,
			before: map[string]any{"task": id, "kind": t.kind, "detail": t.detail}, after: map[string]any{"reference": in.Reference}})
	})
	return fresh, err
}

// lockTask locks the account and then the task, in the order of the package comment.
func lockTask(ctx context.Context, tx pgx.Tx, id uuid.UUID) (openTaskRow, error) {
	var t openTaskRow
	err := tx.QueryRow(ctx, `select coalesce(account_id, '') from tasks where id = $1`, id).Scan(&t.account)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, billing.Refuse(billing.RefusedNotFound, "task", "there is no task %s", id)
	}
	if err != nil {
		return t, fmt.Errorf("lock task %s: %w", id, err)
	}
	if t.account != "" {
		if _, _, err := lockAccounts(ctx, tx, t.account); err != nil {
			return t, err
		}
	}
	const query = `select t.kind, coalesce(t.invoice_id, ''), coalesce(t.case_id, ''), t.detail, t.closed_at,
		coalesce((select a.gateway from attempts a where a.id = t.attempt_id), '') from tasks t where t.id = $1 for update`
	err = tx.QueryRow(ctx, query, id).Scan(&t.kind, &t.invoice, &t.caseID, &t.detail, &t.closedAt, &t.gateway)
	if err != nil {
		return t, fmt.Errorf("lock task %s: %w", id, err)
	}
	return t, nil
}

// bookRefund takes the task's amount out of unapplied funds, back through the gateway it came by or from the bank (U4, M2).
func (t openTaskRow) bookRefund(ctx context.Context, tx pgx.Tx, id uuid.UUID, in TaskEnd) error {
	if strings.TrimSpace(in.Reference) == "" {
		return billing.Refuse(billing.RefusedInvalid, "reference", "must name the refund at the gateway or bank: it is booked with it")
	}
	var detail struct {
		Amount money.Amount `json:"amount"`
	}
	if err := json.Unmarshal(t.detail, &detail); err != nil || !detail.Amount.IsPositive() {
		return fmt.Errorf("close task %s: its amount can't be read: %w", id, err)
	}
	var held int64
	const query = `select coalesce(-sum(amount_minor), 0)::bigint from journal_entries
		where account_id = $1 and ledger_kind = 'unapplied_funds' and currency = $2`
	if err := tx.QueryRow(ctx, query, t.account, detail.Amount.Currency().Code()).Scan(&held); err != nil {
		return fmt.Errorf("close task %s: %w", id, err)
	}
	if held < detail.Amount.Minor() {
		return billing.Refuse(billing.RefusedNotNow, "task", "unapplied funds hold %s now, less than the %s to refund: it was used or refunded otherwise",
			money.New(held, detail.Amount.Currency()), detail.Amount)
	}
	return postJournal(ctx, tx, "refunded/"+id.String(), t.account, billing.UnappliedRefunded(t.account, t.gateway, detail.Amount))
}

// ListTasks returns open tasks, the oldest first, at most 1,000; kind and account, when given, choose.
func (s *Store) ListTasks(ctx context.Context, kind string, account billing.AccountID) ([]TaskView, error) {
	rows, err := s.pool.Query(ctx, `select id::text, kind, coalesce(account_id, ''), coalesce(invoice_id, ''), coalesce(case_id, ''), detail, opened_at
		from tasks where closed_at is null and ($1 = '' or kind = $1) and ($2 = '' or account_id = $2) order by opened_at, id limit 1000`, kind, account)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[TaskView])
}

// FindTask returns one task and whether it is done; a Refusal when there is none.
func (s *Store) FindTask(ctx context.Context, id string) (t TaskView, closed bool, err error) {
	if _, err := uuid.Parse(id); err != nil {
		return t, false, billing.Refuse(billing.RefusedNotFound, "task", "there is no task %q", id)
	}
	const query = `select id::text, kind, coalesce(account_id, ''), coalesce(invoice_id, ''), coalesce(case_id, ''), detail, opened_at, closed_at is not null
		from tasks where id = $1`
	err = s.pool.QueryRow(ctx, query, id).Scan(&t.ID, &t.Kind, &t.Account, &t.Invoice, &t.Case, &t.Detail, &t.OpenedAt, &closed)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, false, billing.Refuse(billing.RefusedNotFound, "task", "there is no task %s", id)
	}
	if err != nil {
		return t, false, fmt.Errorf("find task %s: %w", id, err)
	}
	return t, closed, nil
}
