package races

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/audit"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// TestM4ABalanceIsLookedAtUnderItsLock holds one invoice's look at a balance before each of its statements while an older invoice of the
// account looks and spends: what was seen before must not be spent after (M4, AF4). Many at once meet such a moment by chance only.
func TestM4ABalanceIsLookedAtUnderItsLock(t *testing.T) {
	for _, balance := range []string{"credit", "deposit"} {
		t.Run(balance, func(t *testing.T) {
			t.Parallel()
			s, err := store.OpenWith(t.Context(), pgtest.New(t), func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer{} })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			s.SetNow(func() time.Time { return present })
			met, held := 0, 0
			for done := false; !done; held++ {
				w := &world{n: held + 1}
				older, younger := twoOfOne(t, s, w, balance)
				blocked, err := holdAndRun(t.Context(), &lab{Store: s}, held+1, younger, older, &done)
				if err != nil {
					t.Fatalf("held before statement %d: %v", held+1, err)
				}
				if blocked {
					met++
				}
			}
			if met == 0 || held < 10 {
				t.Errorf("held %d times, %d of these met a lock: nothing was shown", held, met)
			}
			if n := count(t, s.Pool(), overspent); n != 0 {
				t.Errorf("%d balances are overspent", n)
			}
			report, err := audit.Run(t.Context(), s.Pool(), audit.Options{Now: present})
			if err != nil || !report.OK() {
				t.Errorf("the audit: %+v, %v", report.Broken(), err)
			}
		})
	}
}

// twoOfOne makes an account with two due invoices and a balance for one of them and a bit.
func twoOfOne(t *testing.T, s *store.Store, w *world, balance string) (older, younger billing.CaseID) {
	t.Helper()
	b := billing.Batch{Accounts: []billing.BatchAccount{{Line: 1, Account: billing.Account{ID: w.account("owner"), Name: "A", TimeZone: "UTC",
		Locale: "en-US", Policy: "fast"}}}}
	for i, due := range []string{"2026-11-13", "2026-11-14"} {
		b.Invoices = append(b.Invoices, billing.BatchInvoice{Line: 1, Invoice: billing.Invoice{
			ID: w.invoice(fmt.Sprint(i)), Number: "N", AccountID: w.account("owner"), State: billing.InvoiceOpen, DueDate: due,
			Total: money.New(each, usd), Allocated: money.Zero(usd), Lines: []billing.Line{{Position: 1, Service: "Compute",
				ChargeKind: billing.ChargeUsage, PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(each, usd)}}}})
	}
	if balance == "credit" {
		b.Credits = []billing.BatchCredit{creditOf(w, "credit", each+7)}
	} else {
		deposit := depositOf(w, "deposit", each+7)
		deposit.Deposit.AccountID = w.account("owner")
		b.Deposits = []billing.BatchDeposit{deposit}
	}
	if _, err := s.Import(t.Context(), inputOf(w.id("load"), b)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := s.OpenCase(t.Context(), w.invoice(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	return w.caseOf("0"), w.caseOf("1")
}

// holdAndRun reviews one case, held before a statement, and meanwhile another, to its end or into a lock. done is set when the first has
// fewer statements than that.
func holdAndRun(ctx context.Context, l *lab, at int, held, other billing.CaseID, done *bool) (blocked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, b := newGate(at), newGate(0)
	doneA, doneB := make(chan error, 1), make(chan error, 1)
	go func() { _, err := l.Review(a.on(ctx), held); doneA <- err }()
	select {
	case <-a.reached:
	case err := <-doneA:
		*done = true
		return false, err
	}
	go func() { _, err := l.Review(b.on(ctx), other); doneB <- err }()
	blocked, err = l.endOrLock(ctx, b, a, doneB)
	close(a.open)
	if err != nil {
		return blocked, err
	}
	if err := <-doneA; err != nil {
		return blocked, err
	}
	return blocked, <-doneB
}
