package pgtest

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	Main(m, migrate, fstest.MapFS{"1.sql": {Data: []byte(schema)}})
}

const schema = "create table thing (n int); insert into thing values (1)"

func migrate(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, schema)
	return err
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func count(t testing.TB, conn *pgx.Conn, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	one, two := connect(t, New(t)), connect(t, New(t))
	if _, err := one.Exec(t.Context(), "insert into thing values (2)"); err != nil {
		t.Fatal(err)
	}
	if a, b := count(t, one, "select count(*) from thing"), count(t, two, "select count(*) from thing"); a != 2 || b != 1 {
		t.Errorf("got %d and %d rows, want 2 and 1", a, b)
	}
}

func TestDatabaseIsDroppedWithOpenConnections(t *testing.T) {
	var name string
	t.Run("user", func(t *testing.T) {
		conn, err := pgx.Connect(context.Background(), New(t))
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database // left open on purpose
	})
	if n := count(t, run.cluster.owner, "select count(*) from pg_database where datname = $1", name); n != 0 {
		t.Errorf("%s is still there", name)
	}
}

func TestManyAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if n := count(t, connect(t, New(t)), "select count(*) from thing"); n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		})
	}
	wg.Wait()
}

// childEnv makes TestChild keep a database until its process is killed.
const childEnv = "PGTEST_CHILD"

func TestChild(t *testing.T) {
	if os.Getenv(childEnv) == "" {
		return // only of use to TestKilledRunsLeaveNothing
	}
	conn := connect(t, New(t))
	os.WriteFile(os.Getenv(childEnv), []byte(conn.Config().Database), 0o600)
	select {}
}

func TestKilledRunsLeaveNothing(t *testing.T) {
	live := connect(t, New(t)).Config().Database
	report := t.TempDir() + "/name"
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childEnv+"="+report)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	var orphan string
	for deadline := time.Now().Add(30 * time.Second); orphan == ""; time.Sleep(10 * time.Millisecond) {
		raw, _ := os.ReadFile(report)
		orphan = string(raw)
		if time.Now().After(deadline) {
			t.Fatal("the child made no database")
		}
	}
	c := run.cluster
	has := func(name string) bool {
		return count(t, c.owner, "select count(*) from pg_database where datname = $1", name) == 1
	}
	if err := c.sweep(t.Context()); err != nil || !has(orphan) {
		t.Errorf("sweep took the database of a living run: %v", err)
	}
	child.Process.Kill()
	child.Wait()
	for deadline := time.Now().Add(30 * time.Second); has(orphan); time.Sleep(10 * time.Millisecond) {
		if err := c.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("sweep leaves the database of a killed run")
		}
	}
	if !has(live) {
		t.Error("sweep took our own database")
	}
}

func TestTemplateIsSharedByContentAndBounded(t *testing.T) {
	New(t) // joins the server
	c := run.cluster
	made := 0
	counting := func(ctx context.Context, url string) error { made++; return migrate(ctx, url) }
	source := func(s string) fstest.MapFS { return fstest.MapFS{"1.sql": {Data: []byte(s)}} }
	unique := strings.ReplaceAll(t.TempDir(), "/", "-")
	first, err := c.ensureTemplate(t.Context(), counting, []fs.FS{source(unique)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.ensureTemplate(t.Context(), counting, []fs.FS{source(unique)})
	if err != nil || again != first || made != 1 {
		t.Errorf("the same content was migrated %d times (%v)", made, err)
	}
	for i := range templatesKept {
		if _, err := c.ensureTemplate(t.Context(), counting, []fs.FS{source(unique + string(rune('a'+i)))}); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, c.owner, "select count(*) from pg_database where datname = $1", first); n != 0 {
		t.Error("an old template stays for ever")
	}
	if n := count(t, c.owner, "select count(*) from pg_database where datname like $1 || '%'", templatePrefix); n > templatesKept {
		t.Errorf("%d templates are kept", n)
	}
	New(t) // though our own template was pushed out
}

func TestFailedMigrationIsNotATemplate(t *testing.T) {
	New(t)
	source := fstest.MapFS{"1.sql": {Data: []byte(t.TempDir())}}
	broken := func(context.Context, string) error { return os.ErrInvalid }
	if _, err := run.cluster.ensureTemplate(t.Context(), broken, []fs.FS{source}); err == nil {
		t.Fatal("a failed migration gave a template")
	}
	if _, err := run.cluster.ensureTemplate(t.Context(), migrate, []fs.FS{source}); err != nil {
		t.Errorf("the half-made template is in the way: %v", err)
	}
}

func BenchmarkNew(b *testing.B) {
	New(b) // joins the server
	for b.Loop() {
		url, drop, err := run.cluster.newDatabase(b.Context())
		if err != nil || url == "" {
			b.Fatal(err)
		}
		if err := drop(); err != nil {
			b.Fatal(err)
		}
	}
}
