package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// PokesChannel is the Postgres channel that wakes the poker when a workflow should re-read its case.
const PokesChannel = "recoup_pokes"

// poke asks, in the transaction of the fact, that the case's workflow re-reads it. Several pokes before delivery are one (R1, D7).
// A repeated poke's asked_at is read under the row's lock, so that PokeDelivered never takes it for the one before.
func poke(ctx context.Context, tx pgx.Tx, id billing.CaseID, reason string) error {
	const upsert = `with asked as (
			insert into pokes (case_id, reason) values ($1, $2)
			on conflict (case_id) do update set reason = excluded.reason, asked_at = clock_timestamp(), not_before = now())
		select pg_notify('` + PokesChannel + `', '')`
	if _, err := tx.Exec(ctx, upsert, id, reason); err != nil {
		return fmt.Errorf("poke case %s: %w", id, err)
	}
	return nil
}

// Poke is a request that a case's workflow re-reads its case.
type Poke struct {
	Case    billing.CaseID
	Reason  string
	AskedAt time.Time
	Live    bool // the case is not finished
	Tries   int
}

// DuePokes returns the oldest pokes to deliver, at most limit.
func (s *Store) DuePokes(ctx context.Context, limit int) ([]Poke, error) {
	const query = `select p.case_id, p.reason, p.asked_at, c.finished_at is null, p.tries from pokes p join cases c on c.id = p.case_id
		where p.not_before <= now() order by p.not_before limit $1`
	rows, _ := s.pool.Query(ctx, query, limit)
	pokes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Poke])
	if err != nil {
		return nil, fmt.Errorf("read pokes: %w", err)
	}
	return pokes, nil
}

// PokeDelivered forgets a poke, unless it was asked for again meanwhile.
func (s *Store) PokeDelivered(ctx context.Context, p Poke) error {
	if _, err := s.pool.Exec(ctx, `delete from pokes where case_id = $1 and asked_at = $2`, p.Case, p.AskedAt); err != nil {
		return fmt.Errorf("forget poke of case %s: %w", p.Case, err)
	}
	return nil
}

// PokeFailed puts a poke off: the delay doubles up to a minute.
func (s *Store) PokeFailed(ctx context.Context, p Poke) error {
	delay := min(time.Second<<min(p.Tries, 6), time.Minute)
	const update = `update pokes set tries = tries + 1, not_before = now() + make_interval(secs => $3) where case_id = $1 and asked_at = $2`
	if _, err := s.pool.Exec(ctx, update, p.Case, p.AskedAt, delay.Seconds()); err != nil {
		return fmt.Errorf("put off poke of case %s: %w", p.Case, err)
	}
	return nil
}

// WaitForPoke returns when a poke was asked for or ctx ends.
func (s *Store) WaitForPoke(ctx context.Context) error { return s.waitFor(ctx, PokesChannel) }

// waitFor listens on a channel of Postgres until something is said there or ctx ends.
func (s *Store) waitFor(ctx context.Context, channel string) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", channel, err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return fmt.Errorf("listen on %s: %w", channel, err)
	}
	// The connection goes back to the pool, so it must stop listening; one that was cut off in the middle is closed by pgx.
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), "unlisten "+channel) }()
	if _, err := conn.Conn().WaitForNotification(ctx); err != nil {
		return fmt.Errorf("listen on %s: %w", channel, err)
	}
	return nil
}
