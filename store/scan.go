package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
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
	// Tried are the last attempts of a case whose workflow is started again, oldest first.
	Tried []dunning.Try
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
	if err != nil {
		return o, fmt.Errorf("read case %s: %w", id, err)
	}
	o.Due = money.New(minor, c)
	o.Tried, err = s.tried(ctx, id)
	return o, err
}

// tried reads the last attempts of a case, for the operators of a run that has not seen them.
func (s *Store) tried(ctx context.Context, id billing.CaseID) ([]dunning.Try, error) {
	const query = `select a.id::text, a.round, m.brand, m.kind, m.last4, a.state, a.decline_code, a.network_code, a.advice_code
		from attempts a join payment_methods m on m.id = a.method_id where a.case_id = $1 order by a.created_at desc, a.id limit $2`
	rows, err := s.pool.Query(ctx, query, id, dunning.TriedMax)
	if err != nil {
		return nil, fmt.Errorf("read attempts of case %s: %w", id, err)
	}
	tried, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (dunning.Try, error) {
		var t dunning.Try
		var m billing.PaymentMethod
		var state billing.AttemptState
		var decline, network, advice string
		err := row.Scan(&t.Attempt, &t.Round, &m.Brand, &m.Kind, &m.Last4, &state, &decline, &network, &advice)
		t.Masked, t.Outcome = masked(m), dunning.OutcomeInWords(state, decline, network, advice)
		return t, err
	})
	slices.Reverse(tried)
	return tried, err
}
