package rig

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/audit"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 50 * time.Millisecond

// Eventually looks until f has nothing to say against it; after the time given the error is the last objection.
func Eventually(ctx context.Context, within time.Duration, what string, f func() error) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("not within %s: %s: %w", within, what, err)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		}
	}
}

// Far is how far away a date must be for a case that waits for it to be quiet.
const Far = time.Minute

// Move is something that still moves.
type Move struct {
	Account string
	What    string
}

// Moving lists what still moves: cases that are neither finished, nor parked, nor waiting for a person or for a date farther away than
// far (I17), due invoices without a case, attempts to be asked about, and outboxes that are not empty. What is to be sent later than far
// does not count.
func (r *Rig) Moving(ctx context.Context, far time.Duration) ([]Move, error) {
	const query = `
		select account_id, format('case %s: %s %s', id, stage, coalesce(next_step ->> 'do', 'not started')) from cases
		 where finished_at is null and not (coalesce(next_step ->> 'do', '') = 'wait' and (next_at is null or next_at > now() + $1::interval))
		union all
		select account_id, format('a round of case %s is asked for', id) from cases
		 where finished_at is null and wake <> '' and stage <> 'finished' and (held_until is null or held_until <= now())
		union all
		select c.account_id, format('case %s is asked to re-read', p.case_id) from pokes p join cases c on c.id = p.case_id
		union all
		select i.account_id, format('invoice %s is due and has no case', i.id) from invoices i
		 where i.state = 'open' and i.collect_at <= now() and not exists (select 1 from cases c where c.invoice_id = i.id and c.finished_at is null)
		union all
		select account_id, format('notice %s is %s', kind, state) from notices where state in ('queued', 'sending') and send_after < now() + $1::interval
		union all
		select account_id, format('the hook is not called for generation %s', generation) from standing_calls where accepted_at is null
		union all
		select a.account_id, format('the gateway is to be asked about attempt %s', a.id) from reversal_checks k join attempts a on a.id = k.attempt_id
		 where k.not_before < now() + $1::interval`
	rows, _ := r.Store.Pool().Query(ctx, query, far)
	moves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Move])
	if err != nil {
		return nil, fmt.Errorf("look for what moves: %w", err)
	}
	return moves, nil
}

// AwaitQuiet waits until nothing moves any more (I17).
func (r *Rig) AwaitQuiet(ctx context.Context, within time.Duration) error {
	return Eventually(ctx, within, "every case is finished, parked, or waits for a date far away (I17)", func() error {
		moving, err := r.Moving(ctx, Far)
		if err != nil || len(moving) == 0 {
			return err
		}
		const shown = 20
		var lines []string
		for _, m := range moving[:min(len(moving), shown)] {
			lines = append(lines, m.Account+": "+m.What)
		}
		return fmt.Errorf("%d things move:\n%s", len(moving), strings.Join(lines, "\n"))
	})
}

// Audit checks every invariant over the database, the gateway's books and the send records.
func (r *Rig) Audit(ctx context.Context) (audit.Report, error) {
	return audit.Run(ctx, r.Store.Pool(), audit.Options{Books: []audit.Books{audit.SimulatorBooks{URL: r.gateway}}})
}

// MustAudit is an error with the whole report when an invariant is broken, or when the gateway's books were not read.
func (r *Rig) MustAudit(ctx context.Context) error {
	report, err := r.Audit(ctx)
	if err != nil {
		return err
	}
	if len(report.Books) == 0 {
		return errors.New("the audit did not read the gateway's books")
	}
	if report.OK() {
		return nil
	}
	var b strings.Builder
	if err := report.Write(&b); err != nil {
		return err
	}
	return fmt.Errorf("the audit found broken invariants:\n%s", b.String())
}
