package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// promise notes that the customer will pay an amount until a date. Until a day after it the stage clock stands: no round, no escalation.
// One per invoice and, for the account, per 12 months, unless the policy says otherwise or a supervisor overrides; none once suspended
// (rules.md §8).
func (e *episode) promise(ctx context.Context, d *decision) (string, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return "", err
	}
	switch {
	case e.row.FinishedAt != nil || e.invoice.State != billing.InvoiceOpen:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	case e.row.Closing != "":
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "it was decided to end the case")
	case e.row.Stage == dunning.StageSuspended || e.account.Standing != billing.StandingActive:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is suspended: a promise comes too late, a payment reinstates it")
	case d.Amount.Currency() != due.Currency():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "the invoice is in %s", due.Currency())
	case d.Amount.Minor() > due.Minor():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "only %s is due", due)
	case !d.Until.After(e.now):
		return "", billing.Refuse(billing.RefusedInvalid, "until", "must be in the future")
	case d.Until.After(e.now.Add(e.policy.Limits.PromiseMax())):
		return "", billing.Refuse(billing.RefusedInvalid, "until", "a promise may lie at most %d days ahead, at %s", e.policy.Limits.PromiseDays,
			e.now.Add(e.policy.Limits.PromiseMax()).Format(time.RFC3339))
	case e.row.PromisedUntil != nil:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "a promise stands already: reverse it first")
	}
	if err := e.mayPromise(ctx, d.Override); err != nil {
		return "", err
	}
	stops, err := e.dayAfter(d.Until)
	if err != nil {
		return "", err
	}
	if from := e.stoppedUntil(); stops.After(from) {
		if err := e.shiftClock(ctx, stops.Sub(from), shiftedByPromise); err != nil {
			return "", err
		}
	}
	e.row.PromisedUntil = &stops
	const insert = `with noted as (update cases set promised_until = $9 where id = $4)
		insert into promises (request_id, account_id, invoice_id, case_id, currency, amount_minor, allocated_minor, until, stops_until, made_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	if _, err := e.tx.Exec(ctx, insert, d.RequestID, e.account.ID, e.invoice.ID, e.row.ID, due.Currency().Code(), d.Amount.Minor(),
		e.invoice.Allocated.Minor(), d.Until.UTC(), stops, e.now); err != nil {
		return "", fmt.Errorf("promise for case %s: %w", e.row.ID, err)
	}
	err = e.tell(ctx, dunning.NoticePromiseRecorded, "promise-"+d.RequestID, billing.NoticeData{Amount: d.Amount, Until: d.Until.UTC()})
	return fmt.Sprintf("%s is promised by %s; nothing is charged and nothing escalates until %s", d.Amount, d.Until.UTC().Format(time.RFC3339),
		stops.Format(time.RFC3339)), err
}

// mayPromise refuses more promises for the invoice, and sooner after the account's last one, than the policy allows. One that was
// withdrawn doesn't count.
func (e *episode) mayPromise(ctx context.Context, override bool) error {
	const query = `select count(*) filter (where invoice_id = $2), max(made_at) filter (where made_at > $3) from promises
		where account_id = $1 and state <> 'withdrawn' and (invoice_id = $2 or made_at > $3)`
	l := e.policy.Limits
	var same int
	var last *time.Time
	if err := e.tx.QueryRow(ctx, query, e.account.ID, e.invoice.ID, e.now.Add(-l.PromiseEvery())).Scan(&same, &last); err != nil {
		return fmt.Errorf("promise for case %s: %w", e.row.ID, err)
	}
	switch {
	case override:
		return nil
	case same > 0 && same >= l.PromisesPerInvoice:
		return billing.Refuse(billing.RefusedNotNow, "override", "there was a promise for this invoice already: only a supervisor may allow another")
	case l.PromisesPerInvoice == 0:
		return billing.Refuse(billing.RefusedNotNow, "override", "the policy allows no promises: only a supervisor may")
	case last == nil:
		return nil
	}
	return billing.Refuse(billing.RefusedNotNow, "override", "the account made a promise on %s: one in %s, unless a supervisor allows another",
		last.UTC().Format(time.DateOnly), l.PromiseEveryWords())
}

// dayAfter is a day after an instant in the account's zone; a second in a policy that counts seconds.
func (e *episode) dayAfter(t time.Time) (time.Time, error) {
	if e.policy.Unit == dunning.UnitSecond {
		return t.UTC().Add(time.Second), nil
	}
	loc, err := time.LoadLocation(e.account.TimeZone)
	if err != nil {
		return t, fmt.Errorf("zone of account %s: %w", e.account.ID, err)
	}
	return t.In(loc).AddDate(0, 0, 1).UTC(), nil
}

// judgePromise ends an open promise when it was kept or its time is up; every transaction that changes a case asks.
func (e *episode) judgePromise(ctx context.Context) error {
	const query = `select request_id, amount_minor, allocated_minor, until from promises where invoice_id = $1 and state = 'open'`
	var request string
	var promised, before int64
	var until time.Time
	err := e.tx.QueryRow(ctx, query, e.invoice.ID).Scan(&request, &promised, &before, &until)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("case %s waits for a promise that is not there", e.row.ID)
	}
	if err != nil {
		return fmt.Errorf("judge promise of case %s: %w", e.row.ID, err)
	}
	kept := e.invoice.State == billing.InvoicePaid || e.invoice.Allocated.Minor()-before >= promised
	switch {
	case kept:
		return e.endPromise(ctx, request, "kept")
	case e.invoice.State != billing.InvoiceOpen:
		return e.endPromise(ctx, request, "withdrawn")
	case e.row.PromisedUntil.After(e.now):
		return nil
	}
	if err := e.endPromise(ctx, request, "broken"); err != nil {
		return err
	}
	amount := money.New(promised, e.invoice.Total.Currency())
	return e.tell(ctx, dunning.NoticePromiseBroken, "promise-"+request, billing.NoticeData{Amount: &amount, Until: until.UTC()})
}

// endPromise records how a promise ended; what it did not need of the time goes back to the stage clock.
func (e *episode) endPromise(ctx context.Context, request, state string) error {
	stopped := e.stoppedUntil()
	e.row.PromisedUntil = nil
	const update = `with ended as (update promises set state = $2, ended_at = $3 where request_id = $1)
		update cases set promised_until = null where id = $4`
	if _, err := e.tx.Exec(ctx, update, request, state, e.now, e.row.ID); err != nil {
		return fmt.Errorf("end promise of case %s: %w", e.row.ID, err)
	}
	if err := e.giveBack(ctx, stopped.Sub(e.stoppedUntil()), shiftedByRelease); err != nil {
		return err
	}
	return e.event(ctx, "promise_"+state, map[string]any{"request": request})
}
