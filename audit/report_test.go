package audit

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBrokenIsListedUpToALimitAndCounted goes the whole way of `recoup audit`: a breach that is really in the database.
func TestBrokenIsListedUpToALimitAndCounted(t *testing.T) {
	w := playStory(t)
	w.exec(`alter table journal_transactions disable trigger all`)
	w.exec(`insert into journal_transactions (kind, key, account_id) select 'correction', 'nothing/' || n, 'one' from generate_series(1, 120) n`)
	options := w.options()
	options.MaxBreaches = 3
	report, err := Run(context.Background(), w.Pool(), options)
	if err != nil {
		t.Fatal(err)
	}
	broken := report.Broken()
	// The other is I15: two disabled triggers, and nothing of it is chained.
	if len(broken) != 2 || broken[0].ID != "I7" || broken[0].Total != 120 || len(broken[0].Breaches) != 3 || broken[1].ID != "I15" || report.Total() != 242 {
		t.Fatalf("broken: %+v", broken)
	}
	text := &strings.Builder{}
	w.must(report.Write(text))
	for _, want := range []string{
		"I6  holds   ", "I7  BROKEN  every journal transaction sums to zero per currency (149 transactions, ",
		"      journal transaction ", "      … and 117 more\n", "      next: the journal was changed past Recoup",
		"I15 BROKEN", "table journal_transactions: may be updated", "\n18 invariants hold, 2 broken, 242 breaches; judged by ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestTheReportAsJSON(t *testing.T) {
	report := Report{At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), Invariants: []Invariant{{ID: "I7", Says: "sums to zero",
		Checked: []Count{{What: "entries", N: 2}}, Total: 1, Breaches: []Breach{{Kind: "journal transaction", ID: "7", Says: "is off by 1 USD"}}, Next: "look"}}}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"2026-11-21T00:00:00Z","ok":false,"books":[],"invariants":[{"id":"I7","says":"sums to zero","checked":[{"what":"entries","n":2}],"total":1,` +
		`"breaches":[{"kind":"journal transaction","id":"7","says":"is off by 1 USD"}],"next":"look"}],"took_ms":0}`
	if string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestNumbersAreGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -123456: "-123,456", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

// brokenBooks end before their end.
type brokenBooks struct{}

func (brokenBooks) Gateway() string { return "stripe" }

func (brokenBooks) EachCharge(_ context.Context, f func(Charge) error) error {
	if err := f(Charge{ID: "ch_1", Currency: "USD", Status: ChargeSucceeded}); err != nil {
		return err
	}
	return errors.New("the line broke")
}

func TestBooksThatBreakOffAreNoBooks(t *testing.T) {
	w := newWorld(t, time.Date(2026, 7, 6, 12, 0, 0, 0, time.UTC))
	_, err := Run(context.Background(), w.Pool(), Options{Books: []Books{brokenBooks{}}})
	if err == nil || !strings.Contains(err.Error(), "read the books of stripe: ") || !strings.Contains(err.Error(), "the line broke") {
		t.Errorf("got %v", err)
	}
	if _, err := Run(context.Background(), w.Pool(), Options{}); err != nil {
		t.Errorf("the next audit: %v", err)
	}
}
