// Package store is Recoup's Postgres: hand-written SQL on pgx, one exported method = one transaction = one business fact. It keeps the
// guards that decide money (M3, M4, PM4–PM6, S2) as row locks and constraints. It knows the nouns of billing and dunning; it never
// talks to a gateway, sends mail or knows Temporal.
//
// Locks are always taken in this order: accounts (by id), invoice, case, attempt, credits (by id), deposits (by id). The account's lock comes first
// in every transaction that moves money, so two of them for one account never wait for each other in a circle. A batch and its item come before
// the account.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store runs Recoup's transactions on a pool of connections to the primary.
type Store struct {
	pool     *pgxpool.Pool
	testNow  func() time.Time
	policies sync.Map // policyKey → dunning.Policy: versions never change
}

// Limits on a session: a transaction that waits longer is undone and retried or reported, never left hanging (faults.md C15).
const (
	lockTimeout      = 10 * time.Second
	statementTimeout = 60 * time.Second
	idleInTxTimeout  = 30 * time.Second
	maxTxTries       = 8
)

// Open connects to the database at url.
func Open(ctx context.Context, url string) (*Store, error) { return OpenWith(ctx, url, nil) }

// OpenWith is Open with a last word on the pool's configuration, nil for none: for tests that trace statements.
func OpenWith(ctx context.Context, url string, configure func(*pgxpool.Config)) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open store: read database url: %w", err)
	}
	set := func(name string, d time.Duration) {
		config.ConnConfig.RuntimeParams[name] = fmt.Sprint(d.Milliseconds())
	}
	set("lock_timeout", lockTimeout)
	set("statement_timeout", statementTimeout)
	set("idle_in_transaction_session_timeout", idleInTxTimeout)
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.ConnConfig.RuntimeParams["application_name"] = "recoup"
	if configure != nil {
		configure(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open store: is Postgres up at %s:%d? %w", config.ConnConfig.Host, config.ConnConfig.Port, err)
	}
	return &Store{pool: pool}, nil
}

// Close gives all connections back.
func (s *Store) Close() { s.pool.Close() }

// Pool returns the pool for packages that read on their own (audit).
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// inTx runs f in one read-committed transaction and commits. Deadlocks and serialization failures run it again, so f must touch
// nothing but tx.
func (s *Store) inTx(ctx context.Context, f func(tx pgx.Tx) error) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := sayOrigin(ctx, tx); err != nil {
				return err
			}
			return f(tx)
		})
		if err == nil || try == maxTxTries || !retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try*try) * 5 * time.Millisecond):
		}
	}
}

func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
