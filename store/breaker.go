package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// SuspensionBreaker is what guards against mass suspensions by our own mistake (S4, faults.md E5).
type SuspensionBreaker struct {
	Floor        int       // so many suspensions an hour are always allowed
	Share        float64   // and this share of the active accounts, 0.005 is 0.5 %
	Limit        int       // the greater of both, as the accounts were last counted
	LastHour     int       // accounts suspended within the last hour, or since a person allowed it again
	StoppedSince time.Time // zero: suspensions run
	StoppedWhy   string
	PutOff       int // cases whose suspension waits for a person
}

// Bounds of the breaker.
const (
	breakerWindow = time.Hour
	countEvery    = 5 * time.Minute // active accounts are counted again after this
	// stoppedWords begin the reason of every suspension that the breaker put off.
	stoppedWords = "suspensions are stopped"
)

type breakerRow struct {
	Floor          int
	Share          float64
	CountedFrom    time.Time
	ActiveAccounts int64
	ActiveAt       time.Time
	StoppedSince   *time.Time
	StoppedWhy     string
}

func (r breakerRow) limit() int {
	return max(r.Floor, int(math.Floor(r.Share*float64(r.ActiveAccounts)+1e-9)))
}

// The two infinities of Postgres are moved into Go's range.
const breakerColumns = `floor, share::float8, greatest(counted_from, 'epoch'::timestamptz) as counted_from, active_accounts,
	greatest(active_at, 'epoch'::timestamptz) as active_at, stopped_since, stopped_why`

// breakerTrips is S4 under the breaker's lock, taken after the case's: it returns why no account may be suspended now, or "". The first
// suspension over the bound stops all of them until a person allows them again.
func (e *episode) breakerTrips(ctx context.Context) (string, error) {
	rows, _ := e.tx.Query(ctx, `select `+breakerColumns+` from suspension_breaker for update`)
	b, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[breakerRow])
	if err != nil {
		return "", fmt.Errorf("read the breaker of suspensions: %w", err)
	}
	if b.StoppedSince != nil {
		return b.StoppedWhy, nil
	}
	n, err := suspendedSince(ctx, e.tx, b.from(e.now))
	if err != nil || n < b.Floor {
		return "", err
	}
	if e.now.Sub(b.ActiveAt) >= countEvery || e.now.Before(b.ActiveAt) {
		const count = `update suspension_breaker set active_accounts = (select count(*) from accounts where standing = 'active'), active_at = $1
			returning active_accounts`
		if err := e.tx.QueryRow(ctx, count, e.now).Scan(&b.ActiveAccounts); err != nil {
			return "", fmt.Errorf("count active accounts: %w", err)
		}
	}
	if n < b.limit() {
		return "", nil
	}
	why := fmt.Sprintf("%s: %d accounts were suspended within an hour, which is as many as may be (S4); a person looks first", stoppedWords, n)
	if _, err := e.tx.Exec(ctx, `update suspension_breaker set stopped_since = $1, stopped_why = $2`, e.now, why); err != nil {
		return "", fmt.Errorf("stop suspensions: %w", err)
	}
	return why, e.openTask(ctx, task{Kind: "suspensions_stopped", Key: "suspensions_stopped/" + e.now.UTC().Format(time.RFC3339Nano),
		Detail: map[string]any{"suspended": n, "limit": b.limit(), "active_accounts": b.ActiveAccounts, "next": "recoup suspensions status"}})
}

// from is the instant after which suspensions count.
func (r breakerRow) from(now time.Time) time.Time {
	from := now.Add(-breakerWindow)
	if r.CountedFrom.After(from) {
		from = r.CountedFrom
	}
	return from
}

func suspendedSince(ctx context.Context, db interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, from time.Time) (n int, err error) {
	const query = `select count(distinct account_id) from suspensions where cause = 'unpaid' and suspended_at > $1`
	if err := db.QueryRow(ctx, query, from).Scan(&n); err != nil {
		return 0, fmt.Errorf("count suspensions: %w", err)
	}
	return n, nil
}

// ReadSuspensionBreaker says whether suspensions run, and how far they are from being stopped.
func (s *Store) ReadSuspensionBreaker(ctx context.Context) (SuspensionBreaker, error) {
	var out SuspensionBreaker
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select `+breakerColumns+` from suspension_breaker`)
		b, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[breakerRow])
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select count(*) from accounts where standing = 'active'`).Scan(&b.ActiveAccounts); err != nil {
			return err
		}
		out = SuspensionBreaker{Floor: b.Floor, Share: b.Share, Limit: b.limit(), StoppedSince: orZero(b.StoppedSince), StoppedWhy: b.StoppedWhy}
		if out.LastHour, err = suspendedSince(ctx, tx, b.from(now)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select count(*) from cases where `+stoppedByBreaker).Scan(&out.PutOff)
	})
	if err != nil {
		return out, fmt.Errorf("read the breaker of suspensions: %w", err)
	}
	return out, nil
}

const stoppedByBreaker = `finished_at is null and stage = 'suspension_scheduled' and postponed_until is not null and postponed_why like '` + stoppedWords + `%'`

// AllowSuspensions is a person's word that the suspensions are right: they go on, counted anew from now, and the cases that were put off
// look again at once. It reports false when they were not stopped.
func (s *Store) AllowSuspensions(ctx context.Context, o Order) (lifted bool, woken int, err error) {
	if err := o.check(); err != nil {
		return false, 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		var was breakerRow
		rows, _ := tx.Query(ctx, `select `+breakerColumns+` from suspension_breaker for update`)
		if was, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[breakerRow]); err != nil {
			return err
		}
		if lifted = was.StoppedSince != nil; !lifted {
			return nil
		}
		if _, err := tx.Exec(ctx, `update suspension_breaker set stopped_since = null, stopped_why = '', counted_from = $1`, now); err != nil {
			return err
		}
		const done = `update tasks set closed_at = $1, closed_by = $2 where kind = 'suspensions_stopped' and closed_at is null`
		if _, err := tx.Exec(ctx, done, now, o.Actor); err != nil {
			return err
		}
		return logOrder(ctx, tx, now, "suspensions_allowed", o, map[string]any{"stopped_since": was.StoppedSince, "why": was.StoppedWhy}, nil)
	})
	if err == nil {
		woken, err = s.wakePutOff(ctx)
	}
	if err != nil {
		return lifted, woken, fmt.Errorf("allow suspensions: %w", err)
	}
	return lifted, woken, nil
}

// wakePutOff has the cases that the breaker put off look again, page by page.
func (s *Store) wakePutOff(ctx context.Context) (woken int, err error) {
	for page := wakePage; page == wakePage; woken += page {
		err := s.inTx(ctx, func(tx pgx.Tx) error {
			const again = `
				with page as (select id from cases where ` + stoppedByBreaker + ` order by id limit $1 for no key update skip locked),
				freed as (update cases c set postponed_until = null, postponed_why = '' from page where c.id = page.id returning c.id)
				insert into pokes (case_id, reason) select id, 'suspensions are allowed again' from freed
				on conflict (case_id) do update set reason = excluded.reason, asked_at = clock_timestamp(), not_before = now()`
			tag, err := tx.Exec(ctx, again, wakePage)
			if err != nil {
				return err
			}
			page = int(tag.RowsAffected())
			_, err = tx.Exec(ctx, `select pg_notify('`+PokesChannel+`', '')`)
			return err
		})
		if err != nil {
			return woken, err
		}
	}
	return woken, nil
}

// LimitSuspensions sets how many accounts may be suspended within an hour: the greater of floor and the share of the active ones.
func (s *Store) LimitSuspensions(ctx context.Context, floor int, share float64, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case floor < 0 || floor > 1_000_000:
		return billing.Refuse(billing.RefusedInvalid, "floor", "must be 0 to 1000000, got %d", floor)
	case !(share >= 0 && share <= 1):
		return billing.Refuse(billing.RefusedInvalid, "share", "must be 0 to 1 (0.005 is 0.5 %%), got %v", share)
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		var beforeFloor int
		var beforeShare float64
		if err := tx.QueryRow(ctx, `select floor, share::float8 from suspension_breaker for update`).Scan(&beforeFloor, &beforeShare); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update suspension_breaker set floor = $1, share = $2::float8::numeric`, floor, share); err != nil {
			return err
		}
		return logOrder(ctx, tx, now, "suspensions_limited", o, map[string]any{"floor": beforeFloor, "share": beforeShare},
			map[string]any{"floor": floor, "share": share})
	})
	if err != nil {
		return fmt.Errorf("limit suspensions: %w", err)
	}
	return nil
}
