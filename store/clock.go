package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// now is the instant a transaction decides by: Postgres' clock, read after the locks are held, so that all workers agree whatever
// their own clocks say (faults.md G1). Tests that play weeks in a second set their own with SetNow.
func (s *Store) now(ctx context.Context, tx pgx.Tx) (time.Time, error) {
	if s.testNow != nil {
		return s.testNow().UTC().Truncate(time.Microsecond), nil
	}
	var now time.Time
	if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("read the clock: %w", err)
	}
	return now.UTC(), nil
}

// SetNow replaces Postgres' clock in every decision: for tests and simulations only.
func (s *Store) SetNow(now func() time.Time) { s.testNow = now }

// testInstant is the tests' own instant for statements that read the clock themselves: coalesce($1, clock_timestamp()).
func (s *Store) testInstant() *time.Time {
	if s.testNow == nil {
		return nil
	}
	now := s.testNow().UTC()
	return &now
}
