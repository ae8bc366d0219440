package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/audit"
	"recoup/billing"
	"recoup/store"
)

// TestI15EveryTransactionIsChained: whoever writes the journal, one row or a file of them, and many at once; and none can forget it.
func TestI15EveryTransactionIsChained(t *testing.T) {
	w := newWorld(t)
	var wait sync.WaitGroup
	var ids []billing.CaseID
	for n := range 8 {
		account := fmt.Sprintf("a-%d", n%2) // four invoices share one chain
		if n < 2 {
			w.account(account, fmt.Sprintf("pm-%d", n))
			w.credit("c-"+account, account, 700)
		}
		invoice := fmt.Sprintf("inv-%d", n)
		w.invoice(invoice, account, 4900)
		ids = append(ids, w.open(invoice))
	}
	for _, id := range ids {
		wait.Go(func() {
			if _, err := w.Review(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := scan[int64](w, `select count(*) from journal_transactions`); n != scan[int64](w, `select count(*) from journal_links`) || n < 12 {
		t.Errorf("%d transactions, %d links", n, scan[int64](w, `select count(*) from journal_links`))
	}
	report, err := audit.Run(t.Context(), w.owner, audit.Options{Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range report.Broken() {
		t.Errorf("%s: %+v", i.ID, i.Breaches)
	}
}

// TestI15AnOlderDatabaseIsChainedByTheMigration: rows from before 00013 get their links in the order of their ids.
func TestI15AnOlderDatabaseIsChainedByTheMigration(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	before := scan[string](w, `select string_agg(encode(hash, 'hex'), ' ' order by position) from journal_links`)
	w.exec(migrationPart(t, "00013_journal_chain.sql", false))
	w.exec(migrationPart(t, "00013_journal_chain.sql", true))
	if after := scan[string](w, `select string_agg(encode(hash, 'hex'), ' ' order by position) from journal_links`); after != before {
		t.Errorf("chained anew:\n%s, was\n%s", after, before)
	}
}

// migrationPart reads one half of a migration.
func migrationPart(t testing.TB, file string, up bool) string {
	t.Helper()
	raw, err := store.MigrationFiles.ReadFile("migrations/" + file)
	if err != nil {
		t.Fatal(err)
	}
	first, second, found := strings.Cut(string(raw), "-- +goose Down")
	if !found {
		t.Fatalf("%s has no way down", file)
	}
	if up {
		return first
	}
	return second
}

// BenchmarkChain plays the happy path, an invoice paid by the primary, with and without the chain's trigger in turn, and reports the
// medians and what the chain costs: "ratio" is with / without.
func BenchmarkChain(b *testing.B) {
	w := newWorld(b)
	took := map[bool][]float64{}
	n := 0
	for b.Loop() {
		for _, chained := range []bool{true, false} {
			w.exec("alter table journal_transactions " + map[bool]string{true: "enable", false: "disable"}[chained] + " trigger journal_transactions_chained")
			for range 20 {
				n++
				account, invoice := fmt.Sprintf("a-%d", n), fmt.Sprintf("inv-%d", n)
				w.account(account, "pm-"+account)
				w.invoice(invoice, account, 4900)
				began := time.Now()
				id := w.open(invoice)
				w.charge(w.review(id), id, succeeded)
				took[chained] = append(took[chained], float64(time.Since(began).Microseconds()))
			}
		}
	}
	median := func(all []float64) float64 {
		slices.Sort(all)
		return all[len(all)/2]
	}
	with, without := median(took[true]), median(took[false])
	b.ReportMetric(with, "µs/chained")
	b.ReportMetric(without, "µs/unchained")
	b.ReportMetric(with/without, "ratio")
}
