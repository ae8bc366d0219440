package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a command's output with a file in testdata/policies.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "policies", name+".txt")
	got = regexp.MustCompile(`[ ]+\n`).ReplaceAllString(got, "\n")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./cmd/recoup -run %s -update writes it anew):\n%s", file, t.Name(), diff)
	}
}

// shop is a database with the policies that are shipped.
type policyShop struct {
	t        *testing.T
	database string
}

func (s policyShop) run(args ...string) string {
	s.t.Helper()
	out, err := command(s.t, s.database, policyCommand, args...)
	if err != nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return out
}

// fails returns the error of a command that must fail.
func (s policyShop) fails(args ...string) string {
	s.t.Helper()
	out, err := command(s.t, s.database, policyCommand, args...)
	if err == nil {
		s.t.Fatalf("%v went through: %s", args, out)
	}
	return explain(err)
}

func (s policyShop) open() *store.Store {
	s.t.Helper()
	st, err := store.Open(s.t.Context(), s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(st.Close)
	return st
}

func second(t *testing.T, changes ...string) string {
	t.Helper()
	for _, f := range dunning.ShippedFiles() {
		if f.Name == "standard" {
			return writeFile(t, "standard.yaml", strings.NewReplacer(append(changes, "version: 1", "version: 2")...).Replace(f.Document))
		}
	}
	t.Fatal("no policy standard")
	return ""
}

// TestT2PolicyPreviews: every date, round and notice, in zones where clocks change on the way, and in currencies of all decimals.
func TestT2PolicyPreviews(t *testing.T) {
	s := policyShop{t, pgtest.New(t)}
	for name, args := range map[string][]string{
		"preview-standard-berlin":  {"standard", "--due", "2026-10-12", "--zone", "Europe/Berlin", "--amount", "1234.50 EUR", "--locale", "de-DE"},
		"preview-standard-newyork": {"standard@1", "--due", "2026-02-20", "--zone", "America/New_York", "--amount", "49.00 USD"},
		"preview-fast-lordhowe":    {"fast", "--due", "2026-03-28", "--zone", "Australia/Lord_Howe", "--amount", "49 AUD"},
		"preview-fast-tokyo-small": {"fast", "--due", "2026-12-24", "--zone", "Asia/Tokyo", "--amount", "99 JPY"},
		"preview-demo-kuwait":      {"demo", "--due", "2026-12-24", "--zone", "Asia/Kuwait", "--amount", "1.005 KWD"},
	} {
		golden(t, name, s.run(append([]string{"preview"}, args...)...))
	}
	file := second(t, "rounds: [0, 4,", "rounds: [0, 2, 4,", "final_notice: 27", "final_notice: 26", "close: 60\n", "\n")
	golden(t, "diff-standard", s.run("diff", "standard", file, "--due", "2026-10-12", "--zone", "Europe/Berlin", "--amount", "49.00 EUR"))
	for want, args := range map[string][]string{
		"--amount \"49\": want a number and a currency": {"--amount", "49"},
		"--amount \"4.999 USD\"":                        {"--amount", "4.999 USD"},
		"--due: date \"tomorrow\"":                      {"--due", "tomorrow"},
		"--zone: time zone \"Berlin\"":                  {"--zone", "Berlin"},
		"there is no invoice inv-9":                     {"--invoice", "inv-9"},
		"--due: is the invoice's own":                   {"--invoice", "inv-9", "--due", "2026-10-12"},
	} {
		wantIn(t, want, s.fails(append([]string{"preview", "standard"}, args...)...), want)
	}
}

func TestPolicyCheckNamesEveryMistake(t *testing.T) {
	s := policyShop{t, pgtest.New(t)}
	bad := writeFile(t, "bad.yaml", "name: Standard\nversion: x\nunit: day\nrounds: [0, 4]\nfinal: 9\n")
	got := s.fails("check", bad)
	wantIn(t, "check", got, "6 problems; nothing was changed", bad+":1:7: name: \"Standard\" must be", bad+":2:10: version: want a whole number, got String x",
		bad+":5:8: final: is not a field of a policy; those are name, version", bad+":1:1: minimum_to_suspend: is missing")
	wantIn(t, "check alone", s.fails("check", bad, "--alone"), "6 problems")
	wantIn(t, "check", s.run("check", second(t)), "standard version 2, which is new. Next: recoup policy add")
	wantIn(t, "check", s.run("check", second(t, "version: 1", "version: 1")), "which is there already")
	wantIn(t, "check", s.fails("check", second(t, "version: 1", "version: 7")), "7 leaves a gap: the next version of standard is 2")
	wantIn(t, "check", s.fails("check", "no-such-file.yaml"), "no-such-file.yaml")
}

func TestPoliciesAreAddedAssignedAndExplained(t *testing.T) {
	s := policyShop{t, pgtest.New(t)}
	st := s.open()
	due := time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly)
	invoice := func(id, account string) {
		t.Helper()
		amount := money.New(4900, money.MustCurrency("EUR"))
		_, err := st.Import(t.Context(), store.ImportInput{File: id, Format: "test", Digest: [32]byte([]byte(id + strings.Repeat(" ", 32))[:32]), Batch: billing.Batch{
			Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{ID: billing.InvoiceID(id), Number: id, AccountID: billing.AccountID(account),
				State: billing.InvoiceOpen, DueDate: due, Total: amount, Allocated: money.Zero(amount.Currency()),
				Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, Amount: amount, PeriodStart: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := st.Pool().Exec(t.Context(), `insert into accounts (id, name, time_zone, country, plan) values ('acme', 'a', 'Europe/Berlin', 'DE', 'trial')`)
	if err != nil {
		t.Fatal(err)
	}
	invoice("inv-1", "acme")
	wantIn(t, "show", s.run("show"), "# standard version 1, added ", "by recoup: shipped with Recoup", "# limits, those that it does not name included: hold_days: 14, ",
		"rounds: [0, 4, 7, 11, 15, 20]")
	wantIn(t, "show", s.fails("show", "gentle"), `there is no policy "gentle"; there are demo version 1; fast version 1; standard version 1`)
	wantIn(t, "show", s.fails("show", "standard@two"), "want NAME or NAME@VERSION, such as standard@1")
	wantIn(t, "explain", s.run("explain", "inv-1"), "No case of invoice inv-1 is open yet", "would follow standard@1: no rule says otherwise")

	file := second(t, "suspend: 30", "suspend: 40")
	wantIn(t, "add", s.fails("add", file), "reason")
	wantIn(t, "add", s.run("add", file, "--actor", "ada", "--reason", "ten days more"), "Added standard version 2", "recoup policy diff standard@1 standard@2")
	wantIn(t, "add again", s.run("add", file, "--actor", "ada", "--reason", "ten days more"), "there already with this content; nothing changed")
	wantIn(t, "diff", s.run("diff", "standard@1", "standard@2"), "suspend: on day 40 instead of day 30: 10 days later", "10 days later\n")
	wantIn(t, "diff", s.run("diff", "standard@2", file), "treat every case alike")
	wantIn(t, "list", s.run("list"), "standard@2", "day 40", "ada", "ten days more", "demo@1")

	wantIn(t, "assign", s.fails("assign", "fast", "--country", "DE", "--reason", "x"), "priority")
	wantIn(t, "assign", s.fails("assign", "fast", "--from", "10", "--priority", "1", "--reason", "x"), "--from: needs --currency")
	rule := s.run("assign", "fast", "--country", "DE", "--plan", "trial", "--currency", "EUR", "--from", "10.00", "--below", "100", "--priority", "10", "--actor", "ada", "--reason", "trials")
	wantIn(t, "assign", rule, "Rule 1: country DE, plan trial, EUR 10.00 to below EUR 100.00 (priority 10) → fast")
	wantIn(t, "assignments", s.run("assignments"), "country DE, plan trial", "accounts imported with a policy", "everybody else", "trials")
	wantIn(t, "preview", s.run("preview", "--invoice", "inv-1"), "fast version 1 for invoice inv-1 of €49.00", "Europe/Berlin")
	if _, err := st.OpenCase(t.Context(), "inv-1"); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "explain", s.run("explain", "inv-1"), "Case inv-1 follows fast@1: rule 1: country DE, plan trial")
	wantIn(t, "unassign", s.run("unassign", "1", "--reason", "over"), "Rule 1 is out of force")
	wantIn(t, "unassign", s.run("unassign", "1", "--reason", "over"), "nothing changed")
	wantIn(t, "unassign", s.fails("unassign", "one", "--reason", "over"), "no rule's number")
	wantIn(t, "assign", s.run("assign", "standard@1", "--account", "acme", "--reason", "agreed"), "account acme → standard@1")
	wantIn(t, "explain", s.run("explain", "inv-1"), "follows fast@1", "would follow standard@1: rule 2: account acme")

	wantIn(t, "dry run", s.run("move", "inv-1", "standard@2", "--dry-run"), "fast@1 → standard@2", "suspension", "26 days later", "closing")
	wantIn(t, "not moved", s.run("explain", "inv-1"), "follows fast@1")
	wantIn(t, "move", s.run("move", "inv-1", "standard@2", "--actor", "ada", "--reason", "a good customer"), "Case inv-1 follows standard@2 now")
	wantIn(t, "move again", s.run("move", "inv-1", "standard@2", "--reason", "again"), "already; nothing changed")
	wantIn(t, "explain", s.run("explain", "inv-1"), "Case inv-1 opened with fast@1", "ada moved it to standard@2", "a good customer")
	wantIn(t, "move", s.fails("move", "inv-1", "demo", "--reason", "x"), "counts in days")
}
