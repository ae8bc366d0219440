package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// suspend is S2 as one guarded statement under the locks that receipts take: due above the policy's minimum, deadline passed, no open
// attempt, no hold, required notices delivered. No row means a guard did not hold: the suspension is put off and says why.
func (e *episode) suspend(ctx context.Context, deadline time.Time) error {
	minimum, ok := e.policy.MinimumToSuspend[e.invoice.Total.Currency().Code()]
	if !ok {
		minimum = e.policy.MinimumToSuspend[dunning.DefaultAmount]
	}
	const guarded = `
		update accounts a set standing = 'suspended', generation = a.generation + 1
		  from cases c join invoices i on i.id = c.invoice_id
		 where ` + mayBeSuspended + ` and a.standing = 'active'
		returning a.generation`
	const due = `select exists (select 1 from accounts a, cases c join invoices i on i.id = c.invoice_id where ` + mayBeSuspended + `)`
	var passes bool
	if err := e.tx.QueryRow(ctx, due, e.row.ID, minimum, deadline, e.now).Scan(&passes); err != nil {
		return fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	if !passes {
		return e.postpone(ctx, minimum)
	}
	if early, err := e.noticesStillRun(ctx); err != nil || early {
		return err
	}
	if e.account.Standing != billing.StandingActive {
		// Another invoice of the account was faster: one suspension per account and cause (I9). This one blocks its end from now on.
		return e.setStage(ctx, dunning.StageSuspended)
	}
	// Only a suspension that would be carried out can be one too many (S4).
	why, err := e.breakerTrips(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		return e.putSuspensionOff(ctx, why)
	}
	var generation int64
	err = e.tx.QueryRow(ctx, guarded, e.row.ID, minimum, deadline, e.now).Scan(&generation)
	if errors.Is(err, pgx.ErrNoRows) {
		return e.postpone(ctx, minimum)
	}
	if err != nil {
		return fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	e.account.Standing, e.account.Generation = billing.StandingSuspended, generation
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	owed, err := e.invoice.Due()
	if err != nil {
		return err
	}
	const insert = `insert into suspensions (id, account_id, cause, case_id, suspended_generation, suspended_at, evidence)
		values ($1, $2, 'unpaid', $3, $4, $5, $6)`
	evidence := map[string]any{"due": owed, "deadline": deadline, "minimum_minor": minimum}
	if _, err := e.tx.Exec(ctx, insert, id, e.account.ID, e.row.ID, generation, e.now, evidence); err != nil {
		return fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	again := e.row.Stage == dunning.StageSuspended
	if err := e.setStage(ctx, dunning.StageSuspended); err != nil {
		return err
	}
	// A suspension that was put off leaves the customer no less time until the account closes (T1). One that a hold had lifted was not
	// late, and the hold's time is counted.
	if !again {
		if err := e.countLateStep(ctx, func(d dunning.Dates) time.Time { return d.Suspend }); err != nil {
			return err
		}
	}
	return e.standingChanged(ctx, "unpaid invoice "+string(e.invoice.ID), dunning.NoticeSuspended)
}

// noticesDelivered: the final notice and the notice of suspension of the case reached the customer: by mail when the account has a
// contact, else in the console (S2, N5).
const noticesDelivered = `(select count(distinct n.kind) from notices n where n.case_id = c.id and n.state = 'sent'
	and n.kind in ('final_notice', 'suspension_scheduled')
	and (n.channel = 'email' or not exists (select 1 from contacts k where k.account_id = c.account_id))) = 2`

// noticesRun is when the final notice and the notice of suspension will have been with the customer for as long as the policy leaves between
// them and the suspension, counted from the first delivery of each (T1); zero in other stages, and while one is not delivered.
func (e *episode) noticesRun(ctx context.Context, dates dunning.Dates) (time.Time, error) {
	if e.row.Stage != dunning.StageSuspensionScheduled {
		return time.Time{}, nil
	}
	const query = `select min(n.sent_at) filter (where n.kind = 'final_notice'), min(n.sent_at) filter (where n.kind = 'suspension_scheduled')
		from notices n where n.case_id = $1 and n.state = 'sent' and n.kind in ('final_notice', 'suspension_scheduled')
			and (n.channel = 'email' or not exists (select 1 from contacts k where k.account_id = $2))`
	var final, last *time.Time
	if err := e.tx.QueryRow(ctx, query, e.row.ID, e.account.ID).Scan(&final, &last); err != nil {
		return time.Time{}, fmt.Errorf("deliveries of the notices of case %s: %w", e.row.ID, err)
	}
	if final == nil || last == nil {
		return time.Time{}, nil
	}
	until := final.Add(dates.Suspend.Sub(dates.FinalNotice))
	if after := last.Add(dates.Suspend.Sub(dates.SuspensionNotice)); after.After(until) {
		until = after
	}
	return until.UTC(), nil
}

// noticesStillRun reports whether a notice was delivered only since this step was decided: the guards hold then, and the customer had no
// time yet. The next decision waits for it (T1).
func (e *episode) noticesStillRun(ctx context.Context) (bool, error) {
	dates, err := e.dates()
	if err != nil {
		return false, err
	}
	until, err := e.noticesRun(ctx, dates)
	return until.After(e.now), err
}

// postpone puts a suspension off and says why, in words for operators and the account's page.
func (e *episode) postpone(ctx context.Context, minimum int64) error {
	const query = `select
		exists (select 1 from attempts t where t.invoice_id = c.invoice_id and t.state in ` + openStates + `), ` + noticesDelivered + `
		from cases c where c.id = $1`
	var open, delivered bool
	if err := e.tx.QueryRow(ctx, query, e.row.ID).Scan(&open, &delivered); err != nil {
		return fmt.Errorf("postpone suspension of case %s: %w", e.row.ID, err)
	}
	due, err := e.invoice.Due()
	if err != nil {
		return err
	}
	why := "the account is held"
	switch {
	case e.account.NeverSuspendUntil.After(e.now):
		why = "a person keeps the account from being suspended"
	case e.invoice.Disputed.IsPositive():
		why = "the invoice is disputed"
	case orZero(e.row.PromisedUntil).After(e.now):
		why = "payment is promised"
	case open:
		why = "an attempt is still open"
	case due.Minor() < minimum:
		why = "the amount due is below the policy's minimum"
	case !delivered:
		why = "a required notice is not delivered yet"
	}
	return e.putSuspensionOff(ctx, why)
}

// putSuspensionOff has a suspension looked at again later, and says why once.
func (e *episode) putSuspensionOff(ctx context.Context, why string) error {
	until := e.now.Add(e.suspendRetry())
	again := e.row.PostponedWhy == why
	e.row.PostponedUntil, e.row.PostponedWhy = &until, why
	const update = `update cases set postponed_until = $2, postponed_why = $3 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, until, why); err != nil {
		return fmt.Errorf("postpone suspension of case %s: %w", e.row.ID, err)
	}
	if again {
		return nil
	}
	return e.event(ctx, "suspension_postponed", map[string]any{"why": why, "until": until})
}

// setStanding changes an account's standing and everything that follows from it (S1, S3); kind is the notice for the customer, or "".
func (e *episode) setStanding(ctx context.Context, to billing.Standing, why string, kind dunning.NoticeKind) error {
	const update = `update accounts set standing = $2, generation = generation + 1 where id = $1 returning generation`
	if err := e.tx.QueryRow(ctx, update, e.account.ID, to).Scan(&e.account.Generation); err != nil {
		return fmt.Errorf("set standing of account %s: %w", e.account.ID, err)
	}
	e.account.Standing = to
	return e.standingChanged(ctx, why, kind)
}

// standingChanged queues the call of the user's own service with the new generation, tells the customer and records it.
func (e *episode) standingChanged(ctx context.Context, why string, kind dunning.NoticeKind) error {
	const call = `insert into standing_calls (account_id, generation, standing, reason) values ($1, $2, $3, $4)`
	if _, err := e.tx.Exec(ctx, call, e.account.ID, e.account.Generation, e.account.Standing, why); err != nil {
		return fmt.Errorf("queue call for account %s: %w", e.account.ID, err)
	}
	if e.row.ID == "" {
		// Decided about the account as a whole: its cases tell of the decision.
	} else if err := e.event(ctx, "standing", map[string]any{"standing": e.account.Standing, "generation": e.account.Generation, "why": why}); err != nil {
		return err
	}
	if kind == "" {
		return nil
	}
	return e.tell(ctx, kind, fmt.Sprintf("generation-%d", e.account.Generation), billing.NoticeData{Generation: e.account.Generation})
}

// becauseHeld is why a hold lifts a suspension: unlike a payment or a person's decision, it ends by itself.
const becauseHeld = "the last blocking invoice is held"

// liftedByHold reports whether the account's last suspension was lifted by a hold, so that it comes back after it (S1).
func (e *episode) liftedByHold(ctx context.Context) (bool, error) {
	if e.row.Stage != dunning.StageSuspended || e.account.Standing != billing.StandingActive {
		return false, nil
	}
	const query = `select coalesce((select lifted_because from suspensions where account_id = $1 and cause = 'unpaid'
		order by suspended_generation desc limit 1), '') = $2`
	var again bool
	if err := e.tx.QueryRow(ctx, query, e.account.ID, becauseHeld).Scan(&again); err != nil {
		return false, fmt.Errorf("read the last suspension of account %s: %w", e.account.ID, err)
	}
	return again, nil
}

// liftIfSettled reinstates the account when no invoice blocks it any more (S1). A held, disputed, pending or unknown invoice does not
// block. It runs in the transaction that settled the invoice, so it needs no workflow to be alive (faults.md E9).
func (e *episode) liftIfSettled(ctx context.Context, why string) error {
	if e.account.Standing != billing.StandingSuspended {
		return nil
	}
	const blocking = `select exists (select 1 from cases c join invoices i on i.id = c.invoice_id
		where c.account_id = $1 and c.stage = 'suspended' and i.state = 'open' and (c.held_until is null or c.held_until <= $2)
		  and not exists (select 1 from disputes d where d.invoice_id = i.id and d.ended_at is null)
		  and not exists (select 1 from attempts t where t.invoice_id = i.id and t.state in ('pending', 'unknown')))`
	var blocked bool
	if err := e.tx.QueryRow(ctx, blocking, e.account.ID, e.now).Scan(&blocked); err != nil {
		return fmt.Errorf("reinstate account %s: %w", e.account.ID, err)
	}
	if blocked {
		return nil
	}
	const lift = `update suspensions set lifted_at = $2, lifted_generation = $3, lifted_because = $4
		where account_id = $1 and cause = 'unpaid' and lifted_at is null`
	tag, err := e.tx.Exec(ctx, lift, e.account.ID, e.now, e.account.Generation+1, why)
	if err != nil {
		return fmt.Errorf("reinstate account %s: %w", e.account.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return nil // suspended by staff: only staff reinstates
	}
	var byStaff bool
	if err := e.tx.QueryRow(ctx, staffSuspended, e.account.ID).Scan(&byStaff); err != nil {
		return fmt.Errorf("reinstate account %s: %w", e.account.ID, err)
	}
	if byStaff {
		return e.setStanding(ctx, billing.StandingSuspended, "paid, and still suspended by staff", "")
	}
	return e.setStanding(ctx, billing.StandingActive, why, dunning.NoticeReinstated)
}
