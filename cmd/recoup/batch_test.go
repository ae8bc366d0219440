package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// manyCases is a database with open cases.
type manyCases struct {
	t        *testing.T
	database string
	*store.Store
}

func newManyCases(t *testing.T, invoices ...string) manyCases {
	t.Helper()
	database := pgtest.New(t)
	s, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Pool().Exec(t.Context(), `insert into accounts (id, name, time_zone) values ('acme', 'a', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	amount := money.New(4900, money.MustCurrency("EUR"))
	var batch billing.Batch
	for n, id := range invoices {
		batch.Invoices = append(batch.Invoices, billing.BatchInvoice{Line: n + 1, Invoice: billing.Invoice{ID: billing.InvoiceID(id), Number: id, AccountID: "acme",
			State: billing.InvoiceOpen, DueDate: time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly), Total: amount, Allocated: money.Zero(amount.Currency()),
			Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, Amount: amount, PeriodStart: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}})
	}
	if _, err := s.Import(t.Context(), store.ImportInput{File: "many", Format: "test", Batch: batch}); err != nil {
		t.Fatal(err)
	}
	for _, id := range invoices {
		if _, err := s.OpenCase(t.Context(), billing.InvoiceID(id)); err != nil {
			t.Fatal(err)
		}
	}
	return manyCases{t, database, s}
}

func (m manyCases) run(args ...string) string {
	m.t.Helper()
	out, err := command(m.t, m.database, batchCommand, args...)
	if err != nil {
		m.t.Fatalf("%v: %v", args, explain(err))
	}
	return out
}

func (m manyCases) fails(args ...string) string {
	m.t.Helper()
	out, err := command(m.t, m.database, batchCommand, args...)
	if err == nil {
		m.t.Fatalf("%v went through: %s", args, out)
	}
	return explain(err)
}

var batchNamed = regexp.MustCompile(`Batch ([0-9]{8}-[a-z0-9]{6}) is recorded`)

func TestBatchesFromTheCommandLine(t *testing.T) {
	m := newManyCases(t, "inv-1", "inv-2", "inv-3")
	list := writeFile(t, "list.txt", "# their bank is down\ninv-1\n\ninv-2 # the large one\ninv-1\ninv-3\n")
	until := time.Now().UTC().AddDate(0, 0, 3).Format(time.DateOnly)
	wantIn(t, "list", m.run("list"), "There are no batches.")
	wantIn(t, "dry run", m.run("hold", list, "--until", until, "--dry-run"), "for 3 invoices", "inv-2", "would be done", "held until", "Nothing was changed. Would be done 3,")
	wantIn(t, "dry run", m.run("release", list, "--dry-run"), "refused", "the case is not held", "be refused 3")
	wantIn(t, "list", m.run("list"), "There are no batches.")
	for want, args := range map[string][]string{
		"reason: is missing":                        {"hold", list, "--until", until},
		"until: a hold must have an end":            {"hold", list, "--until", "0001-01-01", "--reason", "x"},
		"--until: \"soon\" is neither a time":       {"hold", list, "--until", "soon", "--reason", "x"},
		"line 2: there is no invoice inv-9":         {"release", writeFile(t, "bad.txt", "inv-1\ninv-9\n"), "--reason", "x"},
		"line 1: an invoice's id":                   {"release", writeFile(t, "worse.txt", "ada@example.com\n"), "--reason", "x"},
		"names no invoice":                          {"release", writeFile(t, "empty.txt", "# none\n"), "--reason", "x"},
		"no-such-file":                              {"release", "no-such-file", "--reason", "x"},
		"per_minute: must be 1 to 6000":             {"release", list, "--per-minute", "9000", "--reason", "x"},
		"no payment method is at a gateway":         {"retry-outage", "--from", "2026-11-01", "--gateway", "strype", "--reason", "x"},
		"there are no open cases whose last":        {"retry-outage", "--from", "2026-11-01", "--reason", "x"},
		"--from: \"\" is neither":                   {"retry-outage", "--reason", "x"},
		"give either --from NAME@VERSION or --list": {"move-policy", "fast", "--reason", "x"},
		"names no version":                          {"move-policy", "fast", "--from", "standard", "--reason", "x"},
		"there is no policy \"gentle\"":             {"move-policy", "gentle", "--from", "standard@1", "--reason", "x"},
		"there is no batch 20261122-abcdef":         {"show", "20261122-abcdef"},
		"there is no batch 20261122-abcdee":         {"report", "20261122-abcdee"},
		"there is no batch 20261122-abcded":         {"cancel", "20261122-abcded", "--reason", "x"},
	} {
		wantIn(t, want, m.fails(args...), want)
	}
	out := m.run("hold", list, "--until", until, "--per-minute", "30", "--reason", "their bank is down", "--actor", "anna", "--request-id", "r-1")
	wantIn(t, "hold", out, "for 3 invoices, in about 6s once a worker runs")
	id := batchNamed.FindStringSubmatch(out)[1]
	wantIn(t, "again", m.run("hold", list, "--until", until, "--per-minute", "30", "--reason", "their bank is down", "--actor", "anna", "--request-id", "r-1"),
		"recorded before as batch "+id)
	wantIn(t, "conflict", m.fails("release", list, "--reason", "x", "--request-id", "r-1"), "request_id: r-1 was used for another batch, "+id)
	wantIn(t, "list", m.run("list"), id, "hold", "running", "3 items: 3 waiting", "anna", "their bank is down")
	wantIn(t, "show", m.run("show", id), "at most 30 a minute", "a list: 3 invoices, sha256", "show "+id+" --wait")
	if err := m.CarryOutItem(t.Context(), billing.BatchID(id), 1); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "pause", m.run("pause", id, "--reason", "wait"), "is paused")
	wantIn(t, "pause", m.run("pause", id, "--reason", "wait"), "paused already")
	wantIn(t, "resume", m.run("resume", id, "--reason", "on"), "goes on")
	wantIn(t, "cancel", m.run("cancel", id, "--reason", "enough", "--actor", "bo"), "is cancelled: what was done stays done")
	wantIn(t, "resume", m.fails("resume", id, "--reason", "on"), "is cancelled")
	wantIn(t, "show", m.run("show", id, "--wait"), "cancelled", "1 done, 2 left out", "bo: enough", "Next: recoup batch report "+id)

	rows, err := csv.NewReader(strings.NewReader(m.run("report", id))).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][1] != "inv-1" || rows[1][4] != "done" || !strings.Contains(rows[1][5], "held until") || rows[3][4] != "left_out" {
		t.Errorf("report: %v, %v", rows, err)
	}
	file := filepath.Join(t.TempDir(), "report.json")
	m.run("report", id, "--format", "json", "--out", file)
	var report struct {
		Batch store.BatchSummary
		Items []store.BatchLine
	}
	body, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(body, &report)
	}
	if err != nil || report.Batch.Actor != "anna" || report.Batch.Counts[billing.ItemLeftOut] != 2 || len(report.Items) != 3 ||
		report.Items[0].RequestID != "batch:"+id+":1" || report.Items[2].Outcome != billing.ItemLeftOut {
		t.Errorf("report: %+v, %v", report, err)
	}
	wantIn(t, "format", m.fails("report", id, "--format", "xml"), "format: \"xml\" is neither")
}

func TestBatchMovesAPolicyFromTheCommandLine(t *testing.T) {
	m := newManyCases(t, "inv-1", "inv-2")
	file := second(t, "suspend: 30", "suspend: 40")
	if _, err := command(t, m.database, policyCommand, "add", file, "--reason", "ten days more"); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "dry run", m.run("move-policy", "standard", "--from", "standard@1", "--dry-run"), "move to the newest version of standard, for 2 invoices",
		"standard@1 → standard@2", "suspension 20")
	out := m.run("move-policy", "standard", "--from", "standard@1", "--reason", "agreed")
	id := billing.BatchID(batchNamed.FindStringSubmatch(out)[1])
	wantIn(t, "move", out, "move to standard@2 for 2 invoices")
	for n := range 2 {
		if err := m.CarryOutItem(t.Context(), id, n+1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.BatchStatus(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "show", m.run("show", string(id)), "done", "2 items: 2 done", "open cases on standard@1", "Next: recoup batch report")
	wantIn(t, "report", m.run("report", string(id)), "standard@1 → standard@2; suspension 20")
}
