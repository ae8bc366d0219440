package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// ChangesChannel is the Postgres channel that tells pages which case changed.
const ChangesChannel = "recoup_changes"

type caseRow struct {
	ID                 billing.CaseID
	InvoiceID          billing.InvoiceID
	Episode            int
	AccountID          billing.AccountID
	Policy             string
	PolicyVersion      int
	Stage              dunning.Stage
	ClockStartedAt     time.Time
	ClockShiftSeconds  int64
	ScheduledRounds    int
	Rounds             int
	LastRoundBeganAt   *time.Time
	Wake               dunning.Wake
	WakeMethod         billing.MethodID
	HeldSince          *time.Time
	HeldUntil          *time.Time
	HoldScopes         []string
	HoldExtended       bool
	PostponedUntil     *time.Time
	PostponedWhy       string
	RoundDeferredUntil *time.Time
	PausedSince        *time.Time
	ParkedWhy          string
	PromisedUntil      *time.Time
	Closing            billing.InvoiceState
	ClosingRequest     string
	FinishedAt         *time.Time
}

const caseColumns = `c.id, c.invoice_id, c.episode, c.account_id, c.policy, c.policy_version, c.stage, c.clock_started_at,
	c.clock_shift_seconds, c.scheduled_rounds, c.rounds, c.last_round_began_at, c.wake, c.wake_method, c.held_since, c.held_until, c.hold_scopes,
	c.hold_extended, c.postponed_until, c.postponed_why, c.round_deferred_until, c.paused_since, c.parked_why, c.promised_until,
	c.closing, c.closing_request, c.finished_at`

// episode is one case with everything that decides about it, locked: the account (and those that share credits with it), the invoice
// and the case. Its methods run inside one transaction.
type episode struct {
	s       *Store
	tx      pgx.Tx
	now     time.Time
	account billing.Account
	sharing []billing.Account
	invoice billing.Invoice
	row     caseRow
	policy  dunning.Policy
	stops   *[]dunning.ChargingStop // read once
}

// withCase locks a case in the order of the package comment and runs f; the case's row and its next step are saved by f's own writes.
func (s *Store) withCase(ctx context.Context, id billing.CaseID, f func(e *episode) error) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		e, err := s.lockCase(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(e)
	})
}

func (s *Store) lockCase(ctx context.Context, tx pgx.Tx, id billing.CaseID) (*episode, error) {
	var account billing.AccountID
	var invoice billing.InvoiceID
	err := tx.QueryRow(ctx, `select account_id, invoice_id from cases where id = $1`, id).Scan(&account, &invoice)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, billing.Refuse(billing.RefusedNotFound, "case", "there is no case %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("lock case %s: %w", id, err)
	}
	e := &episode{s: s, tx: tx}
	if e.account, e.sharing, err = lockAccounts(ctx, tx, account); err != nil {
		return nil, err
	}
	if e.invoice, err = lockInvoice(ctx, tx, invoice); err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, `select `+caseColumns+` from cases c where c.id = $1 for no key update`, id)
	if e.row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[caseRow]); err != nil {
		return nil, fmt.Errorf("lock case %s: %w", id, err)
	}
	if e.policy, err = s.keptPolicy(ctx, tx, e.row); err != nil {
		return nil, fmt.Errorf("case %s: %w", id, err)
	}
	if e.now, err = s.now(ctx, tx); err != nil {
		return nil, err
	}
	return e, nil
}

// dates are the case's dates for its clock as it stands (T1, T2).
func (e *episode) dates() (dunning.Dates, error) {
	shift := time.Duration(e.row.ClockShiftSeconds) * time.Second
	d, err := e.policy.DatesFor(e.row.ClockStartedAt, shift, e.account.TimeZone, e.invoice.ID)
	if err != nil {
		return d, fmt.Errorf("dates of case %s: %w", e.row.ID, err)
	}
	return d, nil
}

// facts reads what Decide needs beyond the locked rows.
func (e *episode) facts(ctx context.Context) (dunning.Facts, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return dunning.Facts{}, fmt.Errorf("facts of case %s: %w", e.row.ID, err)
	}
	f := dunning.Facts{
		Now: e.now, Invoice: e.invoice.ID, State: e.invoice.State, Due: due, Stage: e.row.Stage,
		ScheduledRounds: e.row.ScheduledRounds, Rounds: e.row.Rounds, Wake: e.row.Wake,
		LastRoundBegan: orZero(e.row.LastRoundBeganAt), HeldUntil: orZero(e.row.HeldUntil),
		AccountClosed:  e.account.Standing == billing.StandingClosed,
		PostponedUntil: orZero(e.row.PostponedUntil), PostponedWhy: e.row.PostponedWhy,
		RoundDeferredUntil: orZero(e.row.RoundDeferredUntil), Parked: e.row.ParkedWhy,
		PromisedUntil: orZero(e.row.PromisedUntil), Closing: e.row.Closing, NeverSuspendUntil: e.account.NeverSuspendUntil,
	}
	if f.Disputed, err = e.invoice.Withheld(); err != nil {
		return f, fmt.Errorf("facts of case %s: %w", e.row.ID, err)
	}
	for _, s := range e.row.HoldScopes {
		f.HeldScopes = append(f.HeldScopes, dunning.HoldScope(s))
	}
	if f.Attempt, err = e.openAttempt(ctx); err != nil || f.State != billing.InvoiceOpen {
		return f, err
	}
	if f.Dates, err = e.dates(); err != nil {
		return f, err
	}
	if f.NoticesRun, err = e.noticesRun(ctx, f.Dates); err != nil {
		return f, err
	}
	if f.SuspendAgain, err = e.liftedByHold(ctx); err != nil {
		return f, err
	}
	if f.Stops, err = e.chargingStops(ctx); err != nil {
		return f, err
	}
	f.Open, err = e.openRound(ctx)
	return f, err
}

// setStage moves the case along its state machine and records it (I14).
func (e *episode) setStage(ctx context.Context, to dunning.Stage) error {
	from := e.row.Stage
	if from == to {
		return nil
	}
	if !from.CanBecome(to) {
		return fmt.Errorf("case %s: %s to %s is not an edge of the state machine", e.row.ID, from, to)
	}
	e.row.Stage = to
	if _, err := e.tx.Exec(ctx, `update cases set stage = $2 where id = $1`, e.row.ID, to); err != nil {
		return fmt.Errorf("set stage of case %s: %w", e.row.ID, err)
	}
	return e.event(ctx, "stage", map[string]any{"from": from, "to": to})
}

// event adds a line to the case's timeline: ids, amounts and codes only (I18).
func (e *episode) event(ctx context.Context, kind string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	if _, err := e.tx.Exec(ctx, addCaseEvent, e.row.ID, e.now, kind, data); err != nil {
		return fmt.Errorf("record %s of case %s: %w", kind, e.row.ID, err)
	}
	return nil
}

// saveNext stores what comes next, for pages and operators, and tells the pages.
func (e *episode) saveNext(ctx context.Context, step dunning.Step) error {
	data, err := json.Marshal(step)
	if err != nil {
		return fmt.Errorf("save next step of case %s: %w", e.row.ID, err)
	}
	const update = `with saved as (update cases set next_step = $2, next_at = $3 where id = $1)
		select pg_notify('` + ChangesChannel + `', $1)`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, data, timeOrNull(step.At)); err != nil {
		return fmt.Errorf("save next step of case %s: %w", e.row.ID, err)
	}
	return nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
