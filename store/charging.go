package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// Order is what a person orders about the whole system: who, why, and an id that tells one order from the next (R2).
type Order struct {
	Actor     string
	Reason    string
	RequestID string
}

// check refuses an order that nobody signs; names and reasons are kept for ever, so they hold no addresses (I18).
func (o Order) check() error {
	for field, v := range map[string]string{"actor": o.Actor, "reason": o.Reason, "request_id": o.RequestID} {
		switch {
		case strings.TrimSpace(v) == "":
			return billing.Refuse(billing.RefusedInvalid, field, "is missing")
		case strings.Contains(v, "@"):
			return billing.Refuse(billing.RefusedInvalid, field, "must not hold an e-mail address: it is kept for ever")
		case len(v) > 500:
			return billing.Refuse(billing.RefusedInvalid, field, "is longer than 500 bytes")
		}
	}
	return nil
}

// chargingGate is the advisory lock that orders stops and starts against charges: whoever is about to mark an attempt as sent, or has
// found a stop and will save that its case waits, shares it; a stop or start takes it alone. So nothing is sent after StopCharging
// returned, and no case goes to sleep after StartCharging looked for sleepers. It is taken after all row locks but pokes'.
const (
	chargingGate = 0x72_63_68_67 // "rchg"
	wakePage     = 500
)

// StopCharging keeps every charge at a gateway back, or at any ("*"), until StartCharging. It reports false when that was stopped
// already; the first order stays. What was sent before it returns may still take money.
func (s *Store) StopCharging(ctx context.Context, gateway string, o Order) (fresh bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := knownGateway(ctx, tx, gateway); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, int64(chargingGate)); err != nil {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const insert = `insert into charging_stops (gateway, stopped_by, reason, since) values ($1, $2, $3, $4) on conflict do nothing`
		tag, err := tx.Exec(ctx, insert, gateway, o.Actor, o.Reason, now)
		if fresh = tag.RowsAffected() == 1; err != nil || !fresh {
			return err
		}
		return logOrder(ctx, tx, now, "charging_stopped", o, nil, dunning.ChargingStop{Gateway: gateway, By: o.Actor, Reason: o.Reason, Since: now})
	})
	if err != nil {
		return false, fmt.Errorf("stop charging at %s: %w", gateway, err)
	}
	return fresh, nil
}

// StartCharging lifts a stop and wakes the cases that it kept back, a page at a time. It returns how many; the same order again wakes
// those that are still asleep. A gateway's own stop is not lifted by starting "*", nor the other way round.
func (s *Store) StartCharging(ctx context.Context, gateway string, o Order) (lifted bool, woken int, err error) {
	if err := o.check(); err != nil {
		return false, 0, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, int64(chargingGate)); err != nil {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		var was dunning.ChargingStop
		const remove = `delete from charging_stops where gateway = $1 returning gateway, stopped_by, reason, since`
		err = tx.QueryRow(ctx, remove, gateway).Scan(&was.Gateway, &was.By, &was.Reason, &was.Since)
		if lifted = err == nil; errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return logOrder(ctx, tx, now, "charging_started", o, was, nil)
	})
	if err != nil {
		return false, 0, fmt.Errorf("start charging at %s: %w", gateway, err)
	}
	woken, err = s.wakePaused(ctx)
	if err != nil {
		return lifted, woken, fmt.Errorf("start charging at %s: %w (give the order again to wake the rest)", gateway, err)
	}
	return lifted, woken, nil
}

// wakePaused has every live case that a stop of ours keeps back re-read, page by page so that no transaction is long.
func (s *Store) wakePaused(ctx context.Context) (woken int, err error) {
	after := ""
	for {
		var page []string
		err := s.inTx(ctx, func(tx pgx.Tx) error {
			const asleep = `select id from cases where finished_at is null and paused_since is not null and id > $1 order by id limit $2`
			rows, _ := tx.Query(ctx, asleep, after, wakePage)
			if page, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return err
			}
			const ask = `insert into pokes (case_id, reason) select unnest($1::text[]), 'charging started'
				on conflict (case_id) do update set reason = excluded.reason, asked_at = clock_timestamp(), not_before = now()`
			if _, err := tx.Exec(ctx, ask, page); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `select pg_notify('`+PokesChannel+`', '')`)
			return err
		})
		if err != nil || len(page) == 0 {
			return woken, err
		}
		woken, after = woken+len(page), page[len(page)-1]
	}
}

// ChargingStops returns the stops in force, and how many live cases they keep back.
func (s *Store) ChargingStops(ctx context.Context) (stops []dunning.ChargingStop, waiting int, err error) {
	if stops, err = readStops(ctx, s.pool); err != nil {
		return nil, 0, err
	}
	const count = `select count(*) from cases where finished_at is null and paused_since is not null`
	if err := s.pool.QueryRow(ctx, count).Scan(&waiting); err != nil {
		return nil, 0, fmt.Errorf("count cases that wait for charging: %w", err)
	}
	return stops, waiting, nil
}

// knownGateway refuses a misspelt name, which would stop nothing.
func knownGateway(ctx context.Context, tx pgx.Tx, gateway string) error {
	if gateway == dunning.AnyGateway {
		return nil
	}
	var known bool
	if err := tx.QueryRow(ctx, `select exists (select 1 from payment_methods where gateway = $1)`, gateway).Scan(&known); err != nil {
		return err
	}
	if !known {
		return billing.Refuse(billing.RefusedInvalid, "gateway", "no payment method is at a gateway %q", gateway)
	}
	return nil
}

func logOrder(ctx context.Context, tx pgx.Tx, now time.Time, act string, o Order, before, after any) error {
	const insert = `insert into audit_log (at, actor, act, reason, request_id, before, after) values ($1, $2, $3, $4, $5, $6, $7)`
	_, err := tx.Exec(ctx, insert, now, o.Actor, act, o.Reason, o.RequestID, before, after)
	return err
}

// chargingStops returns the stops in force, once per transaction. When there is one the gate is shared from then on: a start waits until
// what this transaction saves of it can be seen.
func (e *episode) chargingStops(ctx context.Context) ([]dunning.ChargingStop, error) {
	if e.stops != nil {
		return *e.stops, nil
	}
	stops, err := readStops(ctx, e.tx)
	if err == nil && len(stops) > 0 {
		if _, err := e.tx.Exec(ctx, `select pg_advisory_xact_lock_shared($1)`, int64(chargingGate)); err != nil {
			return nil, fmt.Errorf("read charging stops: %w", err)
		}
		stops, err = readStops(ctx, e.tx)
	}
	if err != nil {
		return nil, err
	}
	e.stops = &stops
	return stops, nil
}

func readStops(ctx context.Context, db interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}) ([]dunning.ChargingStop, error) {
	rows, _ := db.Query(ctx, `select gateway, stopped_by, reason, since from charging_stops order by gateway`)
	stops, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dunning.ChargingStop])
	if err != nil {
		return nil, fmt.Errorf("read charging stops: %w", err)
	}
	return stops, nil
}

// refuseIfStopped is the kill switch in the transaction that lets an attempt go. The attempt's row is locked before the gate is shared,
// as everywhere.
func refuseIfStopped(ctx context.Context, tx pgx.Tx, id billing.AttemptID) error {
	const gate = `select pg_advisory_xact_lock_shared($2) from (select 1 from attempts where id = $1 for no key update) locked`
	if _, err := tx.Exec(ctx, gate, id, int64(chargingGate)); err != nil {
		return err
	}
	const query = `select s.gateway, s.stopped_by from charging_stops s join attempts a on s.gateway in (a.gateway, '*') where a.id = $1 limit 1`
	var gateway, by string
	err := tx.QueryRow(ctx, query, id).Scan(&gateway, &by)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return billing.Refuse(billing.RefusedNotNow, "attempt", "attempt %s is not sent: charging is stopped by %s", id, by)
}

// stopped reports whether charging is stopped at a gateway.
func (e *episode) stopped(ctx context.Context, gateway string) (bool, error) {
	stops, err := e.chargingStops(ctx)
	return dunning.Facts{Stops: stops}.Stopped(gateway), err
}

// decide reads the facts and answers "what comes next?". While the answer is a pause of our own the stage clock stands: it moves by the
// time paused as soon as the case goes on (T1); the due date does not.
func (e *episode) decide(ctx context.Context) (dunning.Facts, dunning.Step, error) {
	f, err := e.facts(ctx)
	if err != nil {
		return f, dunning.Step{}, err
	}
	step := dunning.Decide(f)
	// A stop keeps no charge back on a method that can't be charged anyway (PM2).
	for step.Do == dunning.DoWait && step.Paused && step.Then == dunning.DoCharge && f.Attempt == nil {
		_, skipped, err := e.skipUnusable(ctx, f, step.Method)
		if err != nil {
			return f, step, err
		}
		if !skipped {
			break
		}
		if f, err = e.facts(ctx); err != nil {
			return f, step, err
		}
		step = dunning.Decide(f)
	}
	switch since := e.row.PausedSince; {
	case step.Paused && since == nil:
		if err := e.setPaused(ctx, &e.now); err != nil {
			return f, step, err
		}
		return f, step, e.event(ctx, "paused", map[string]any{"why": step.Why})
	case !step.Paused && since != nil:
		if err := e.setPaused(ctx, nil); err != nil {
			return f, step, err
		}
		if err := e.countPause(ctx, *since); err != nil {
			return f, step, err
		}
		if f, err = e.facts(ctx); err != nil {
			return f, step, err
		}
		step = dunning.Decide(f)
	}
	return f, step, nil
}

func (e *episode) setPaused(ctx context.Context, since *time.Time) error {
	e.row.PausedSince = since
	if _, err := e.tx.Exec(ctx, `update cases set paused_since = $2 where id = $1`, e.row.ID, since); err != nil {
		return fmt.Errorf("pause case %s: %w", e.row.ID, err)
	}
	return nil
}
