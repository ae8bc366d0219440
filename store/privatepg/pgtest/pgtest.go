// Package pgtest gives every test a Postgres database of its own, copied from
// a migrated template in a few tens of milliseconds.
//
// It owns the databases' names, lives and ends. All test processes of one
// user share one private server (see package privatepg), which the last of
// them stops; with DATABASE_URL set, that server is used instead. What killed
// test runs leave behind is removed by the next run.
//
//	func TestMain(m *testing.M) { pgtest.Main(m, store.Migrate, store.Migrations) }
//
//	func TestX(t *testing.T) { db := open(pgtest.New(t)) … }
package pgtest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"
)

// prepareWait bounds everything before the first test: initdb on a busy
// machine, the migration, or waiting for another process to finish these.
const prepareWait = 3 * time.Minute

// run is the state of this test process.
var run struct {
	migrate func(ctx context.Context, url string) error
	sources []fs.FS

	once    sync.Once
	cluster *cluster
	err     error
}

// Main runs the tests and exits. The server starts with the first call of
// [New], so a run that needs no database starts none.
//
// Migrate brings an empty database up to date; it runs once per template.
// Sources are the files that decide what it does (embedded migrations): the
// template is shared by all packages and runs that name the same content.
// Without sources a template serves one build of one test binary.
func Main(m *testing.M, migrate func(ctx context.Context, url string) error, sources ...fs.FS) {
	run.migrate, run.sources = migrate, sources
	code := m.Run()
	if run.cluster != nil && run.err == nil {
		if err := run.cluster.close(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// New makes a migrated database that only this test uses and gives its URL.
// It is dropped, along with connections still open, when the test ends.
func New(t testing.TB) string {
	t.Helper()
	run.once.Do(func() {
		if run.migrate == nil {
			run.err = fmt.Errorf("call pgtest.Main in this package's TestMain")
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), prepareWait)
		defer cancel()
		run.cluster, run.err = openCluster(ctx, run.migrate, run.sources)
	})
	if run.err != nil {
		t.Fatalf("prepare Postgres for tests: %v", run.err)
	}
	url, drop, err := run.cluster.newDatabase(t.Context())
	if err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return url
}
