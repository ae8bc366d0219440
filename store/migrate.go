package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"recoup/dunning"
)

// MigrationFiles are the migrations, in migrations/.
//
//go:embed migrations/*.sql
var MigrationFiles embed.FS

// Migrate brings the database at url to the newest schema, puts the policies there that are shipped (D5), and returns the versions it applied, oldest first.
// Running it again, or from two processes at once, is harmless.
func Migrate(ctx context.Context, url string) ([]int64, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("migrate: read database url: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	// One migrator at a time: the lock is the session's, so it goes with the connection.
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: connect: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock(hashtext('recoup migrate'))"); err != nil {
		return nil, fmt.Errorf("migrate: lock: %w", err)
	}
	files, err := fs.Sub(MigrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	// Numbers are given out before the work is done, so a release may bring one below the newest that a database has.
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithAllowOutofOrder(true))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	var applied []int64
	for _, r := range results {
		applied = append(applied, r.Source.Version)
	}
	direct, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("migrate: connect: %w", err)
	}
	defer direct.Close(ctx)
	if err := shipPolicies(ctx, direct, dunning.ShippedFiles()); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return applied, nil
}
