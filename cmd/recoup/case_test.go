package main

import (
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// TestCasesSayWhatLiesOverTheirStage: a hold, a dispute and a promise are in the list and on the case.
func TestCasesSayWhatLiesOverTheirStage(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var d store.CaseDetail
	d.ID, d.Disputed, d.PromisedUntil, d.HeldUntil = "inv-1", money.New(2000, money.MustCurrency("USD")), now.AddDate(0, 0, 3), now.AddDate(0, 0, 2)
	if got := alsoWords(d.CaseView, now); got != "held, disputed, promised" {
		t.Errorf("the list says %q", got)
	}
	var out strings.Builder
	if err := printCase(&out, d); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "show", out.String(), "Held until", "USD 20.00, not collected", "nothing is collected until 2026-11-25T12:00:00Z")
	d.FinishedAt, d.Outcome = now, billing.InvoicePaid
	if got := alsoWords(d.CaseView, now); got != "" {
		t.Errorf("of a finished case the list says %q", got)
	}
}
