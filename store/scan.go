package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// DueInvoice is an invoice to start a case for, or whose case has no workflow yet.
type DueInvoice struct {
	ID        billing.InvoiceID
	CollectAt time.Time
}

// DueInvoices returns a page of open invoices that are due and have no live case with a started workflow, ordered by (collect_at, id)
// after the given one. Memory is bounded by limit; the order makes the scan resumable.
func (s *Store) DueInvoices(ctx context.Context, after DueInvoice, limit int) ([]DueInvoice, error) {
	const query = `
		select i.id, i.collect_at from invoices i
		where i.state = 'open' and i.collect_at <= coalesce($4::timestamptz, now()) and (i.collect_at, i.id) > ($1, $2)
			and not exists (select 1 from cases c where c.invoice_id = i.id and c.finished_at is null and c.workflow_started_at is not null)
		order by i.collect_at, i.id limit $3`
	var now *time.Time
	if s.testNow != nil {
		t := s.testNow()
		now = &t
	}
	rows, _ := s.pool.Query(ctx, query, after.CollectAt, after.ID, limit, now)
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueInvoice])
	if err != nil {
		return nil, fmt.Errorf("scan due invoices: %w", err)
	}
	return due, nil
}

// OpenedCase is what a workflow's start needs.
type OpenedCase struct {
	ID       billing.CaseID
	Invoice  billing.InvoiceID
	Number   string
	Account  billing.AccountID
	Due      money.Amount
	Policy   string
	Settled  bool // nothing to collect: no workflow is needed
	Existing bool // the case was open already
}

// OpenCase opens the case of an invoice that is due, or returns the live one (unique per invoice and episode). The row is committed
// before its workflow is started, so that a start that fails is found by the next scan.
func (s *Store) OpenCase(ctx context.Context, id billing.InvoiceID) (OpenedCase, error) {
	var o OpenedCase
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		o, err = s.openCase(ctx, tx, id)
		return err
	})
	if err != nil {
		return o, fmt.Errorf("open case of invoice %s: %w", id, err)
	}
	return o, nil
}

func (s *Store) openCase(ctx context.Context, tx pgx.Tx, id billing.InvoiceID) (OpenedCase, error) {
	var o OpenedCase
	// The account comes first: a hold on all its cases is either seen here, or sees this one.
	const account = `select held_until from accounts where id = (select account_id from invoices where id = $1) for share`
	var held *time.Time
	if err := tx.QueryRow(ctx, account, id).Scan(&held); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return o, err
	}
	invoice, err := lockInvoice(ctx, tx, id)
	if err != nil {
		return o, err
	}
	o = OpenedCase{Invoice: id, Number: invoice.Number, Account: invoice.AccountID}
	if o.Due, err = invoice.Due(); err != nil {
		return o, err
	}
	if invoice.State != billing.InvoiceOpen {
		o.Settled = true
		return o, nil
	}
	err = tx.QueryRow(ctx, liveCase, id).Scan(&o.ID, &o.Policy)
	if err == nil {
		o.Existing = true
		return o, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return o, err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return o, err
	}
	if invoice.CollectAt.After(now) {
		return o, billing.Refuse(billing.RefusedNotNow, "invoice", "invoice %s is not due before %s", id, invoice.CollectAt.UTC().Format(time.RFC3339))
	}
	policy, choice, err := s.choosePolicy(ctx, tx, invoice)
	if err != nil {
		return o, err
	}
	var episodes int
	if err := tx.QueryRow(ctx, `select count(*) from cases where invoice_id = $1`, id).Scan(&episodes); err != nil {
		return o, err
	}
	o.ID, o.Policy = billing.CaseIDFor(id, episodes+1), policy.Name
	const insert = `insert into cases (id, invoice_id, episode, account_id, policy, policy_version, clock_started_at, opened_at)
		values ($1, $2, $3, $4, $5, $6, $7, $7)`
	if _, err := tx.Exec(ctx, insert, o.ID, id, episodes+1, invoice.AccountID, policy.Name, policy.Version, now); err != nil {
		return o, err
	}
	const event = `insert into case_events (case_id, at, kind, data) values ($1, $2, 'opened', $3)`
	if _, err := tx.Exec(ctx, event, o.ID, now, map[string]any{"due": o.Due, "policy": policy.Name, "version": policy.Version,
		"because": choice.Because}); err != nil {
		return o, err
	}
	if orZero(held).After(now) {
		err = s.openHeld(ctx, tx, o.ID)
	}
	return o, err
}

// openHeld puts a case on hold that is opened while its whole account is.
func (s *Store) openHeld(ctx context.Context, tx pgx.Tx, id billing.CaseID) error {
	e, err := s.lockCase(ctx, tx, id)
	if err != nil || !e.account.HeldUntil.After(e.now) {
		return err
	}
	return e.putOnHold(ctx, e.account.HeldUntil, e.account.HoldScopes, false)
}

// WorkflowStarted records that a case's workflow runs.
func (s *Store) WorkflowStarted(ctx context.Context, id billing.CaseID) error {
	const update = `update cases set workflow_started_at = coalesce(workflow_started_at, now()) where id = $1`
	if _, err := s.pool.Exec(ctx, update, id); err != nil {
		return fmt.Errorf("record start of case %s: %w", id, err)
	}
	return nil
}

// LiveCases returns a page of cases that should have a running workflow, by id after the given one (I20).
func (s *Store) LiveCases(ctx context.Context, after billing.CaseID, limit int) ([]billing.CaseID, error) {
	rows, _ := s.pool.Query(ctx, `select id from cases where finished_at is null and id > $1 order by id limit $2`, after, limit)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[billing.CaseID])
	if err != nil {
		return nil, fmt.Errorf("list live cases: %w", err)
	}
	return ids, nil
}

// CaseToStart reads what the start of a case's workflow needs; Settled when the case is finished.
func (s *Store) CaseToStart(ctx context.Context, id billing.CaseID) (OpenedCase, error) {
	const query = `select c.id, i.id, i.number, c.account_id, i.total_minor - i.allocated_minor, i.currency, c.policy, c.finished_at is not null
		from cases c join invoices i on i.id = c.invoice_id where c.id = $1`
	o := OpenedCase{Existing: true}
	var minor int64
	var code string
	err := s.pool.QueryRow(ctx, query, id).Scan(&o.ID, &o.Invoice, &o.Number, &o.Account, &minor, &code, &o.Policy, &o.Settled)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, billing.Refuse(billing.RefusedNotFound, "case", "there is no case %s", id)
	}
	if err != nil {
		return o, fmt.Errorf("read case %s: %w", id, err)
	}
	c, err := money.ParseCurrency(code)
	o.Due = money.New(minor, c)
	return o, err
}
