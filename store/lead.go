package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// leadRetry is how often a process asks whether it may lead now, and whether its lock is still there.
const leadRetry = 10 * time.Second

// Lead runs f in one process at a time, of all that call it with this name: while a lock of this session is held. Others wait until it is
// free. When the session is lost f's ctx ends, and Lead tries again. It returns when ctx ends or f returns while it still leads.
//
// It keeps work from being done twice, not from being wrong: f must be harmless in two processes for a moment.
func (s *Store) Lead(ctx context.Context, name string, f func(context.Context) error) error {
	for {
		led, err := s.lead(ctx, name, f)
		if ctx.Err() != nil || led && err == nil {
			return nil
		}
		if led {
			return err
		}
		// Not free, or Postgres does not answer: either passes.
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(leadRetry):
		}
	}
}

// lead says whether f came to its own end.
func (s *Store) lead(ctx context.Context, name string, f func(context.Context) error) (ended bool, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	var held bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock(hashtext($1))", "recoup lead "+name).Scan(&held); err != nil || !held {
		return false, err
	}
	defer func() {
		free, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(free, "select pg_advisory_unlock(hashtext($1))", "recoup lead "+name); err != nil {
			_ = conn.Conn().Close(free) // the lock goes with the session
		}
	}()
	leading, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	done := make(chan error, 1)
	go func() { done <- f(leading) }()
	for {
		select {
		case err := <-done:
			return true, err
		case <-time.After(leadRetry):
			if _, err := conn.Exec(ctx, "select 1"); err != nil {
				lose(fmt.Errorf("the lock's session is lost: %w", err))
				return false, errors.Join(err, <-done)
			}
		}
	}
}
