package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// lockWholeAccount locks an account for a decision about it as a whole: an episode without invoice and case. Its policy is the one that
// the account's new cases take.
func (s *Store) lockWholeAccount(ctx context.Context, tx pgx.Tx, id billing.AccountID) (*episode, error) {
	e := &episode{s: s, tx: tx}
	var err error
	if e.account, e.sharing, err = lockAccounts(ctx, tx, id); err != nil {
		return nil, err
	}
	if e.policy, err = s.accountPolicy(ctx, tx, id); err != nil {
		return nil, fmt.Errorf("account %s: %w", id, err)
	}
	e.now, err = s.now(ctx, tx)
	return e, err
}

func (e *episode) carryOutForAccount(ctx context.Context, d *decision) (string, error) {
	switch d.Kind {
	case billing.Hold:
		d.all = true
		return e.holdAccount(ctx, d.Resolution)
	case billing.Release:
		d.all = true
		return e.releaseAccount(ctx)
	case billing.Reverse:
		return e.takeBack(ctx, d)
	default:
		return e.decideStanding(ctx, d)
	}
}

// decideStanding changes an account's standing because a person says so, by generation number (S3).
func (e *episode) decideStanding(ctx context.Context, d *decision) (string, error) {
	d.all = true
	switch d.Kind {
	case billing.SuspendNow:
		return e.suspendNow(ctx, d)
	case billing.Reinstate:
		return e.reinstate(ctx)
	case billing.NeverSuspend:
		switch {
		case !d.Until.After(e.now):
			return "", billing.Refuse(billing.RefusedInvalid, "until", "must be in the future")
		case d.Until.After(e.now.Add(billing.NeverSuspendMax)):
			return "", billing.Refuse(billing.RefusedInvalid, "until", "may lie at most a year ahead, at %s", e.now.Add(billing.NeverSuspendMax).Format(time.RFC3339))
		case e.account.Standing == billing.StandingClosed:
			return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is closed")
		}
		until := d.Until.UTC()
		changed := "the account is not suspended before " + until.Format(time.RFC3339)
		if e.account.Standing == billing.StandingSuspended {
			changed += "; it is suspended now, and stays so until it is paid or reinstated"
		}
		return changed, e.neverSuspendUntil(ctx, &until)
	case billing.CloseAccount:
		if e.account.Standing == billing.StandingClosed {
			return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is closed already")
		}
		return "the account is closed; its open invoices stay open", e.setStanding(ctx, billing.StandingClosed, "closed by staff", "")
	default:
		return "", billing.Refuse(billing.RefusedInvalid, "kind", "about an account can be decided %v", billing.AccountKinds())
	}
}

// staffSuspended: account $1 is suspended by staff, which only staff ends.
const staffSuspended = `select exists (select 1 from suspensions where account_id = $1 and cause = 'staff' and lifted_at is null)`

// suspendNow suspends an account whatever it owes. One that is suspended for an unpaid invoice stays so when that is paid.
func (e *episode) suspendNow(ctx context.Context, d *decision) (string, error) {
	var already bool
	if err := e.tx.QueryRow(ctx, staffSuspended, e.account.ID).Scan(&already); err != nil {
		return "", fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	switch {
	case e.account.Standing == billing.StandingClosed:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is closed")
	case already:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "staff suspended the account already")
	case e.account.NeverSuspendUntil.After(e.now):
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "a person keeps the account from being suspended until %s: reverse that first",
			e.account.NeverSuspendUntil.Format(time.RFC3339))
	}
	notice := dunning.NoticeSuspended
	if e.account.Standing == billing.StandingSuspended {
		notice = ""
	}
	if err := e.setStanding(ctx, billing.StandingSuspended, "suspended by staff", notice); err != nil {
		return "", err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	const insert = `insert into suspensions (id, account_id, cause, case_id, suspended_generation, suspended_at, evidence)
		values ($1, $2, 'staff', nullif($3, ''), $4, $5, $6)`
	evidence := map[string]any{"request": d.RequestID, "actor": d.by}
	if _, err := e.tx.Exec(ctx, insert, id, e.account.ID, e.row.ID, e.account.Generation, e.now, evidence); err != nil {
		return "", fmt.Errorf("suspend account %s: %w", e.account.ID, err)
	}
	return fmt.Sprintf("the account is suspended by generation %d; only staff reinstates it", e.account.Generation), nil
}

// reinstate ends every suspension of an account, and opens a closed one again.
func (e *episode) reinstate(ctx context.Context) (string, error) {
	if e.account.Standing == billing.StandingActive {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is active")
	}
	const lift = `update suspensions set lifted_at = $2, lifted_generation = $3, lifted_because = 'reinstated by staff' where account_id = $1 and lifted_at is null`
	if _, err := e.tx.Exec(ctx, lift, e.account.ID, e.now, e.account.Generation+1); err != nil {
		return "", fmt.Errorf("reinstate account %s: %w", e.account.ID, err)
	}
	if err := e.setStanding(ctx, billing.StandingActive, "reinstated by staff", dunning.NoticeReinstated); err != nil {
		return "", err
	}
	return fmt.Sprintf("the account is active by generation %d", e.account.Generation), nil
}

// neverSuspendUntil keeps the account from being suspended until then; nil ends that.
func (e *episode) neverSuspendUntil(ctx context.Context, until *time.Time) error {
	e.account.NeverSuspendUntil = orZero(until)
	const update = `update accounts set never_suspend_until = $2, never_suspend_since = case when $2::timestamptz is not null then $3::timestamptz end where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.account.ID, until, e.now); err != nil {
		return fmt.Errorf("keep account %s from being suspended: %w", e.account.ID, err)
	}
	// A suspension that was put off until then is looked at again.
	const again = `update cases set postponed_until = null, postponed_why = '' where account_id = $1 and finished_at is null and postponed_until is not null`
	if _, err := e.tx.Exec(ctx, again, e.account.ID); err != nil {
		return fmt.Errorf("keep account %s from being suspended: %w", e.account.ID, err)
	}
	e.row.PostponedUntil, e.row.PostponedWhy = nil, ""
	return nil
}

// holdAccount puts every live case of the account on hold, and those that are opened while it lasts.
func (e *episode) holdAccount(ctx context.Context, r billing.Resolution) (string, error) {
	if err := mayHold(e.policy.Limits, e.now, r.Until, e.account.HeldUntil, e.account.HoldExtended); err != nil {
		return "", err
	}
	until, scopes, extended := r.Until.UTC(), scopesOf(r), e.account.HeldUntil.After(e.now)
	e.account.HeldUntil, e.account.HoldScopes, e.account.HoldExtended = until, scopes, extended
	const update = `update accounts set held_until = $2, hold_scopes = $3, hold_extended = $4 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.account.ID, until, scopes, extended); err != nil {
		return "", fmt.Errorf("hold account %s: %w", e.account.ID, err)
	}
	var last *episode
	n, err := e.eachLive(ctx, func(c *episode) error {
		last = c
		later, both := c.joinHold(until, scopes)
		return c.putOnHold(ctx, later, both, c.row.HoldExtended)
	})
	if err == nil && last != nil {
		err = last.liftIfSettled(ctx, "the account is held")
		e.account.Standing, e.account.Generation = last.account.Standing, last.account.Generation
	}
	return fmt.Sprintf("held until %s, with %d open cases", until.Format(time.RFC3339), n), err
}

// releaseAccount ends the hold of the account, and of each of its cases.
func (e *episode) releaseAccount(ctx context.Context) (string, error) {
	if !e.account.HeldUntil.After(e.now) {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the account is not held")
	}
	e.account.HeldUntil, e.account.HoldScopes, e.account.HoldExtended = time.Time{}, nil, false
	const update = `update accounts set held_until = null, hold_scopes = '{}', hold_extended = false where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.account.ID); err != nil {
		return "", fmt.Errorf("release account %s: %w", e.account.ID, err)
	}
	released := 0
	_, err := e.eachLive(ctx, func(c *episode) error {
		if !orZero(c.row.HeldUntil).After(c.now) {
			return nil
		}
		released++
		_, err := c.release(ctx)
		return err
	})
	return fmt.Sprintf("released, with %d open cases", released), err
}

// eachLive locks the account's live cases one after the other, by id, and runs f on each. The account's lock is held, so nobody else
// takes two of them.
func (e *episode) eachLive(ctx context.Context, f func(*episode) error) (int, error) {
	rows, _ := e.tx.Query(ctx, `select id from cases where account_id = $1 and finished_at is null order by id`, e.account.ID)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[billing.CaseID])
	if err != nil {
		return 0, fmt.Errorf("live cases of account %s: %w", e.account.ID, err)
	}
	for _, id := range ids {
		c, err := e.s.lockCase(ctx, e.tx, id)
		if err != nil {
			return 0, err
		}
		if err := f(c); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// pokeAll tells the workflows of all live cases of the account to re-read.
func (e *episode) pokeAll(ctx context.Context, why string) error {
	const upsert = `with asked as (
			insert into pokes (case_id, reason) select id, $2 from cases where account_id = $1 and finished_at is null order by id
			on conflict (case_id) do update set reason = excluded.reason, asked_at = clock_timestamp(), not_before = now())
		select pg_notify('` + PokesChannel + `', '')`
	if _, err := e.tx.Exec(ctx, upsert, e.account.ID, why); err != nil {
		return fmt.Errorf("poke cases of account %s: %w", e.account.ID, err)
	}
	return nil
}

// describeAccount says how an account stands after a decision about it.
func (e *episode) describeAccount() string {
	text := "the account is " + string(e.account.Standing)
	if e.account.NeverSuspendUntil.After(e.now) {
		text += ", not to be suspended before " + e.account.NeverSuspendUntil.Format(time.RFC3339)
	}
	return text + "; its open cases re-read themselves"
}
