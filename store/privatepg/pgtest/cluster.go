package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	templatePrefix = "recoup_template_"
	testPrefix     = "recoup_test_"

	// Advisory lock classes (the first of two keys) in the maintenance database.
	lockRun      = 0x7ec0_0b01 // second key: the run; held as long as the test process lives
	lockTemplate = 0x7ec0_0b02 // second key: 0; held while a template is made or removed

	// templatesKept bounds how many templates of older migrations stay.
	templatesKept = 6
	dropWait      = 30 * time.Second
)

// cluster is this process's hold on the server that the tests use.
type cluster struct {
	server   *shared // nil when DATABASE_URL names the server
	admin    *pgxpool.Pool
	owner    *pgx.Conn // its session holds the lock of our run
	run      int32
	template string
	renew    func(ctx context.Context) error // makes the template again
	mu       sync.Mutex                      // guards owner, which serves one statement at a time
	last     atomic.Int64
}

func openCluster(ctx context.Context, migrate func(context.Context, string) error, sources []fs.FS) (c *cluster, err error) {
	c = &cluster{run: rand.Int32()}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		if c.server, err = join(ctx); err != nil {
			return c, err
		}
		url = c.server.url
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return c, fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = 4
	if c.admin, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return c, err
	}
	if c.owner, err = pgx.ConnectConfig(ctx, config.ConnConfig); err != nil {
		return c, err
	}
	if _, err = c.owner.Exec(ctx, "select pg_advisory_lock($1, $2)", int32(lockRun), c.run); err != nil {
		return c, err
	}
	if err = c.sweep(ctx); err != nil {
		return c, err
	}
	name, err := c.ensureTemplate(ctx, migrate, sources)
	c.template = name
	c.renew = func(ctx context.Context) error {
		_, err := c.ensureTemplate(ctx, migrate, sources)
		return err
	}
	return c, err
}

// close lets go of the server; the last process stops it.
func (c *cluster) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), dropWait)
	defer cancel()
	if c.owner != nil {
		c.owner.Close(ctx)
	}
	if c.admin != nil {
		c.admin.Close()
	}
	if c.server != nil {
		return c.server.leave()
	}
	return nil
}

func (c *cluster) newDatabase(ctx context.Context) (url string, drop func() error, err error) {
	name := fmt.Sprintf("%s%d_%d", testPrefix, c.run, c.last.Add(1))
	create := fmt.Sprintf("create database %s template %s", name, c.template)
	_, err = c.admin.Exec(ctx, create)
	if isCode(err, noSuchDatabase) { // many newer templates pushed ours out
		if err = c.renew(ctx); err == nil {
			_, err = c.admin.Exec(ctx, create)
		}
	}
	if err != nil {
		return "", nil, err
	}
	drop = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), dropWait)
		defer cancel()
		return c.dropDatabase(ctx, name)
	}
	return c.urlOf(name), drop, nil
}

func (c *cluster) dropDatabase(ctx context.Context, name string) error {
	_, err := c.admin.Exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
	return err
}

// sweep drops the databases of test processes that are gone: theirs is every
// run whose advisory lock is free.
func (c *cluster) sweep(ctx context.Context) error {
	rows, err := c.admin.Query(ctx, `
		select datname, split_part(datname, '_', 3)::int
		from pg_database where datname ~ ('^' || $1 || '\d+_\d+$')`, testPrefix)
	if err != nil {
		return err
	}
	type orphan struct {
		Name string
		Run  int32
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[orphan])
	if err != nil {
		return err
	}
	for _, o := range found {
		var gone bool
		err := c.admin.QueryRow(ctx, "select pg_try_advisory_xact_lock($1, $2)", int32(lockRun), o.Run).Scan(&gone)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		// Another process may sweep the same one.
		if err := c.dropDatabase(ctx, o.Name); err != nil && !isCode(err, noSuchDatabase) {
			return fmt.Errorf("drop %s of a killed run: %w", o.Name, err)
		}
	}
	return nil
}

const noSuchDatabase = "3D000"

func isCode(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}
