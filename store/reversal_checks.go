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

// ReversalsChannel is the Postgres channel that tells of an attempt to ask the gateway about.
const ReversalsChannel = "recoup_reversals"

// ReversalCheck is an attempt that has ended and whose gateway is to be asked again: whether money was taken back of a success, or
// whether one that ended without money took some after all (U4).
type ReversalCheck struct {
	Attempt     billing.AttemptID
	Case        billing.CaseID
	State       billing.AttemptState
	Gateway     string
	Reference   string
	FirstSentAt time.Time
	AskedAt     time.Time
	Tries       int
}

// askForReversal has the gateway asked about an attempt now: it told that money was taken back.
func askForReversal(ctx context.Context, tx pgx.Tx, attempt uuid.UUID, now time.Time) error {
	const upsert = `with asked as (
			insert into reversal_checks (attempt_id, asked_at, not_before) values ($1, $2, $2)
			on conflict (attempt_id) do update set asked_at = $2, not_before = $2, tries = 0)
		select pg_notify('` + ReversalsChannel + `', '')`
	_, err := tx.Exec(ctx, upsert, attempt, now)
	return err
}

// AskAboutReversals has the gateway asked about those of these payments, by its own references, that are successes here, and returns how
// many they are. Of one whose money is booked as taken back it is asked again: the dispute may have been won since.
func (s *Store) AskAboutReversals(ctx context.Context, gateway string, payments []string) (asked int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const query = `select id from attempts where gateway = $1 and gateway_reference = any($2) and gateway_reference <> '' and state = 'succeeded' order by id`
		rows, _ := tx.Query(ctx, query, gateway, payments)
		attempts, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		for _, id := range attempts {
			if err := askForReversal(ctx, tx, id, now); err != nil {
				return err
			}
		}
		asked = len(attempts)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("ask about reversals at %s: %w", gateway, err)
	}
	return asked, nil
}

// askWhetherLate has the gateway asked about an attempt that had ended without money: it told that money was taken (U4).
func askWhetherLate(ctx context.Context, tx pgx.Tx, attempt uuid.UUID, now time.Time) error {
	var late bool
	const query = `select exists (select 1 from attempts where id = $1 and state in ('declined', 'not_sent'))`
	if err := tx.QueryRow(ctx, query, attempt).Scan(&late); err != nil || !late {
		return err
	}
	return askForReversal(ctx, tx, attempt, now)
}

// watchForReturn has a bank debit looked at again: returns come weeks later, and webhooks may be lost (faults.md B5).
func (e *episode) watchForReturn(ctx context.Context, row attemptRow, kind billing.MethodKind) error {
	at := dunning.NextReturnCheck(kind, e.now, e.now)
	if at.IsZero() {
		return nil
	}
	const insert = `insert into reversal_checks (attempt_id, asked_at, not_before) values ($1, $2, $3) on conflict do nothing`
	if _, err := e.tx.Exec(ctx, insert, row.ID, e.now, at); err != nil {
		return fmt.Errorf("watch attempt %s for a return: %w", row.ID, err)
	}
	return nil
}

// DueReversalChecks returns attempts to ask about now, the longest waiting first.
func (s *Store) DueReversalChecks(ctx context.Context, limit int) ([]ReversalCheck, error) {
	var checks []ReversalCheck
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const query = `select a.id::text, a.case_id, a.state, a.gateway, a.gateway_reference, coalesce(a.first_sent_at, a.created_at), k.asked_at, k.tries
			from reversal_checks k join attempts a on a.id = k.attempt_id where k.not_before <= $1 order by k.not_before limit $2`
		rows, _ := tx.Query(ctx, query, now, limit)
		checks, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ReversalCheck])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read reversal checks: %w", err)
	}
	return checks, nil
}

// ReversalChecked forgets a check, or sets its next date; one asked for again meanwhile stays.
func (s *Store) ReversalChecked(ctx context.Context, c ReversalCheck) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		var kind billing.MethodKind
		var ended *time.Time
		const query = `select m.kind, a.ended_at from attempts a join payment_methods m on m.id = a.method_id where a.id = $1`
		if err := tx.QueryRow(ctx, query, c.Attempt).Scan(&kind, &ended); err != nil {
			return err
		}
		if next := dunning.NextReturnCheck(kind, orZero(ended), now); !next.IsZero() {
			_, err = tx.Exec(ctx, `update reversal_checks set not_before = $3, tries = 0 where attempt_id = $1 and asked_at = $2`, c.Attempt, c.AskedAt, next)
			return err
		}
		_, err = tx.Exec(ctx, `delete from reversal_checks where attempt_id = $1 and asked_at = $2`, c.Attempt, c.AskedAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget reversal check of attempt %s: %w", c.Attempt, err)
	}
	return nil
}

// ReversalCheckFailed puts a check off: the delay doubles up to an hour.
func (s *Store) ReversalCheckFailed(ctx context.Context, c ReversalCheck) error {
	delay := min(5*time.Second<<min(c.Tries, 10), time.Hour)
	const update = `update reversal_checks set tries = tries + 1, not_before = coalesce($3, now()) + make_interval(secs => $4)
		where attempt_id = $1 and asked_at = $2`
	var now *time.Time
	if s.testNow != nil {
		t := s.testNow()
		now = &t
	}
	if _, err := s.pool.Exec(ctx, update, c.Attempt, c.AskedAt, now, delay.Seconds()); err != nil {
		return fmt.Errorf("put off reversal check of attempt %s: %w", c.Attempt, err)
	}
	return nil
}

// WaitForReversal returns when a reversal was told of or ctx ends.
func (s *Store) WaitForReversal(ctx context.Context) error { return s.waitFor(ctx, ReversalsChannel) }
