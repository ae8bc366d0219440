package stripesim

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations are the SQL files that make the schema; tests name them as the source of their database template.
var Migrations fs.FS = migrationFiles

// Migrate brings the schema stripesim of a database up to date. New does it too.
func Migrate(ctx context.Context, databaseURL string) error {
	pool, err := pgxpool.New(ctx, databaseURL)
	if err != nil {
		return fmt.Errorf("open the simulator's database: %w", err)
	}
	defer pool.Close()
	return migrate(ctx, pool)
}

// migrate brings the schema stripesim up to date. Its version table lies inside the schema, so that the books can share a database
// with Recoup's own tables and be dropped without a trace. Two simulators that start at once wait for each other.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the simulator's database: %w", err)
	}
	defer conn.Release()
	const lock = 0x7374_7269_7065 // "stripe"
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1)`, int64(lock)); err != nil {
		return fmt.Errorf("lock the simulator's schema: %w", err)
	}
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), `select pg_advisory_unlock($1)`, int64(lock)) }()
	if _, err := conn.Exec(ctx, `create schema if not exists stripesim`); err != nil {
		return fmt.Errorf("create schema stripesim: %w", err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("stripesim.goose_db_version"))
	if err != nil {
		return fmt.Errorf("read the simulator's migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the simulator's books: %w", err)
	}
	return nil
}

// inTx runs do in one transaction.
func (s *Simulator) inTx(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, do)
}
