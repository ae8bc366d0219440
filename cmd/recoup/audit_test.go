package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func runAudit(t *testing.T, database, gateway string, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	c := auditCommand(auditEnv{
		Open:     func(ctx context.Context) (*store.Store, error) { return store.Open(ctx, database) },
		BooksURL: func() string { return gateway },
	})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&out)
	c.SetArgs(args)
	err = c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAuditSaysWhatIsBrokenAndFails(t *testing.T) {
	database := pgtest.New(t)
	charges := `{"charges":[],"totals":[],"next":null}`
	simulator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(charges)) }))
	defer simulator.Close()

	out, err := runAudit(t, database, simulator.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "the audit of an empty database", out, "I1  holds", "Compared with the books of stripe.", "20 invariants hold, 0 broken, 0 breaches;")

	charges = `{"charges":[{"id":"ch_1","amount":100,"currency":"USD","status":"succeeded"}],"totals":[],"next":null}`
	out, err = runAudit(t, database, simulator.URL)
	if !errors.Is(err, errBroken) {
		t.Errorf("the command ends with %v", err)
	}
	wantIn(t, "the audit of a stray charge", out, "I1  BROKEN", "charge ch_1: carries no attempt's id", "next: stop the workers", "19 invariants hold, 1 broken, 1 breach;")

	out, err = runAudit(t, database, simulator.URL, "--json")
	var report struct {
		OK         bool
		Invariants []struct{ ID string }
	}
	if wrong := json.Unmarshal([]byte(out), &report); wrong != nil || report.OK || len(report.Invariants) != 20 || !errors.Is(err, errBroken) {
		t.Errorf("--json: %v, %v, %+v", err, wrong, report)
	}
	if out, err = runAudit(t, database, simulator.URL, "--no-books"); err != nil {
		t.Errorf("--no-books: %v", err)
	}
	wantIn(t, "--no-books", out, "No gateway's books were read")
}

func TestAuditWithoutItsBooksSaysWhatToDo(t *testing.T) {
	database := pgtest.New(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if _, err := runAudit(t, database, gone.URL); err == nil {
		t.Error("an audit without its books went well")
	} else {
		wantIn(t, "the error", err.Error(), "is the simulator up?", "--no-books")
	}
	for _, stripe := range []string{"", "https://api.stripe.com"} {
		if _, err := runAudit(t, database, stripe); err != nil {
			t.Errorf("gateway %q: %v", stripe, err)
		}
	}
}

func TestAuditSinceLastSaysSoAndRefusesBooks(t *testing.T) {
	database := pgtest.New(t)
	for range 2 {
		out, err := runAudit(t, database, "http://127.0.0.1:1", "--since-last")
		if err != nil {
			t.Fatal(err)
		}
		wantIn(t, "--since-last", out, "Incremental: 0 accounts touched", "20 invariants hold")
	}
	if _, err := runAudit(t, database, "", "--since-last", "--checkpoint", "x"); err == nil {
		t.Error("--since-last and --checkpoint went together")
	}
}

// TestI15AuditKeepsCheckpoints: the file is made, grows while all is well, and tells of a journal that is not the one it was.
func TestI15AuditKeepsCheckpoints(t *testing.T) {
	database := pgtest.New(t)
	file := filepath.Join(t.TempDir(), "checkpoints.jsonl")
	for range 2 {
		if _, err := runAudit(t, database, "", "--checkpoint", file); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil || bytes.Count(raw, []byte("\n")) != 2 {
		t.Fatalf("%v, the file holds:\n%s", err, raw)
	}
	other := bytes.ReplaceAll(raw, []byte(`"digest":"e3`), []byte(`"digest":"a3`))
	if err := os.WriteFile(file, other, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runAudit(t, database, "", "--checkpoint", file)
	if !errors.Is(err, errBroken) {
		t.Errorf("another journal: %v", err)
	}
	wantIn(t, "the audit", out, "I15 BROKEN", "journal checkpoint 1: ")
	if after, _ := os.ReadFile(file); !bytes.Equal(after, other) {
		t.Error("a broken journal was recorded")
	}
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = runAudit(t, database, "", "--checkpoint", file); err == nil {
		t.Error("a file of something else was taken")
	} else {
		wantIn(t, "the error", err.Error(), "line 1", "not a checkpoint")
	}
}
