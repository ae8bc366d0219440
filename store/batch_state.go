package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// PauseBatch keeps a running batch from carrying out more items from the moment it returns. It reports false when it was paused already.
func (s *Store) PauseBatch(ctx context.Context, id billing.BatchID, o Order) (fresh bool, err error) {
	return s.moveBatch(ctx, id, billing.BatchPaused, "batch_paused", o)
}

// ResumeBatch lets a paused batch go on. Of a running one it reports false, and tells its workflow again, which starts one that is missing.
func (s *Store) ResumeBatch(ctx context.Context, id billing.BatchID, o Order) (fresh bool, err error) {
	return s.moveBatch(ctx, id, billing.BatchRunning, "batch_resumed", o)
}

// CancelBatch ends a batch: what was done stays done, the items that still wait are left out. Nothing more is carried out from the moment
// it returns. It reports false when the batch was cancelled already.
func (s *Store) CancelBatch(ctx context.Context, id billing.BatchID, o Order) (fresh bool, err error) {
	return s.moveBatch(ctx, id, billing.BatchCancelled, "batch_cancelled", o)
}

func (s *Store) moveBatch(ctx context.Context, id billing.BatchID, to billing.BatchState, act string, o Order) (fresh bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		_, from, err := orderOf(ctx, tx, id, "for update")
		switch {
		case err != nil:
			return err
		case from == to:
			fresh = false
			return tellBatch(ctx, tx, id, to == billing.BatchRunning)
		case from.Ended():
			return billing.Refuse(billing.RefusedNotNow, "batch", "batch %s is %s", id, from)
		}
		fresh = true
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		left := int64(0)
		var ended *time.Time
		if to.Ended() {
			ended = &now
			const leaveOut = `update batch_items set state = 'left_out', says = $2, ended_at = $3 where batch_id = $1 and state = 'waiting'`
			tag, err := tx.Exec(ctx, leaveOut, id, "the batch was cancelled first", now)
			if left = tag.RowsAffected(); err != nil {
				return err
			}
		}
		const update = `update batches set state = $2, state_by = $3, state_why = $4, ended_at = $5 where id = $1`
		if _, err := tx.Exec(ctx, update, id, to, o.Actor, o.Reason, ended); err != nil {
			return err
		}
		after := map[string]any{"batch": id, "state": to}
		if left > 0 {
			after["left_out"] = left
		}
		if err := logOrder(ctx, tx, now, act, o, map[string]any{"batch": id, "state": from}, after); err != nil {
			return err
		}
		return tellBatch(ctx, tx, id, true)
	})
	if err != nil {
		return false, fmt.Errorf("set batch %s to %s: %w", id, to, err)
	}
	return fresh, nil
}

// BatchStatus is how far a batch is.
type BatchStatus struct {
	State     billing.BatchState
	Kind      billing.BatchKind
	PerMinute int
	Items     int
	Counts    map[billing.ItemState]int
	// FirstWaiting is the number of the first item without an outcome; 0 when each has one.
	FirstWaiting int
}

// BatchStatus says how far a batch is, and ends a running one of which nothing waits any more.
func (s *Store) BatchStatus(ctx context.Context, id billing.BatchID) (BatchStatus, error) {
	var b BatchStatus
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const end = `update batches set state = 'done', ended_at = $2 where id = $1 and state = 'running'
			and not exists (select 1 from batch_items where batch_id = $1 and state = 'waiting')`
		tag, err := tx.Exec(ctx, end, id, now)
		if err == nil && tag.RowsAffected() > 0 {
			err = tellBatch(ctx, tx, id, false)
		}
		if err != nil {
			return err
		}
		b, err = batchStatus(ctx, tx, id)
		return err
	})
	if err != nil {
		return BatchStatus{}, fmt.Errorf("status of batch %s: %w", id, err)
	}
	return b, nil
}

func batchStatus(ctx context.Context, tx pgx.Tx, id billing.BatchID) (BatchStatus, error) {
	b := BatchStatus{Counts: map[billing.ItemState]int{}}
	o, state, err := orderOf(ctx, tx, id, "")
	if err != nil {
		return b, err
	}
	b.State, b.Kind, b.PerMinute = state, o.Kind, o.PerMinute
	rows, _ := tx.Query(ctx, `select state, count(*)::int, min(number) from batch_items where batch_id = $1 group by state`, id)
	var what billing.ItemState
	var n, first int
	_, err = pgx.ForEachRow(rows, []any{&what, &n, &first}, func() error {
		b.Counts[what], b.Items = n, b.Items+n
		if what == billing.ItemWaiting {
			b.FirstWaiting = first
		}
		return nil
	})
	return b, err
}

// WakingBatch is a batch whose workflow is to be started or told to re-read.
type WakingBatch struct {
	ID      billing.BatchID
	Kind    billing.BatchKind
	Items   int
	AskedAt time.Time
	Live    bool // it has not ended
	Tries   int
}

// DueBatchWakes returns the batches whose workflows should hear of them now, the oldest first, at most limit.
func (s *Store) DueBatchWakes(ctx context.Context, limit int) ([]WakingBatch, error) {
	const query = `select id, kind, items, wake_asked_at, ended_at is null, wake_tries from batches
		where wake_asked_at is not null and wake_not_before <= now() order by wake_not_before limit $1`
	rows, _ := s.pool.Query(ctx, query, limit)
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WakingBatch])
	if err != nil {
		return nil, fmt.Errorf("read batches to wake: %w", err)
	}
	return due, nil
}

// LiveBatches returns the batches that should have a running workflow.
func (s *Store) LiveBatches(ctx context.Context) ([]WakingBatch, error) {
	rows, _ := s.pool.Query(ctx, `select id, kind, items, now(), true, 0 from batches where ended_at is null order by id`)
	live, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WakingBatch])
	if err != nil {
		return nil, fmt.Errorf("list live batches: %w", err)
	}
	return live, nil
}

// BatchWoken forgets that a batch's workflow was to be told, unless it was asked for again meanwhile.
func (s *Store) BatchWoken(ctx context.Context, b WakingBatch) error {
	const update = `update batches set wake_asked_at = null where id = $1 and wake_asked_at = $2`
	if _, err := s.pool.Exec(ctx, update, b.ID, b.AskedAt); err != nil {
		return fmt.Errorf("forget to wake batch %s: %w", b.ID, err)
	}
	return nil
}

// BatchNotWoken puts it off: the delay doubles up to a minute.
func (s *Store) BatchNotWoken(ctx context.Context, b WakingBatch) error {
	delay := min(time.Second<<min(b.Tries, 6), time.Minute)
	const update = `update batches set wake_tries = wake_tries + 1, wake_not_before = now() + make_interval(secs => $3) where id = $1 and wake_asked_at = $2`
	if _, err := s.pool.Exec(ctx, update, b.ID, b.AskedAt, delay.Seconds()); err != nil {
		return fmt.Errorf("put off waking batch %s: %w", b.ID, err)
	}
	return nil
}
