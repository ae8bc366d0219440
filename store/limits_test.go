package store_test

import (
	"context"
	"strings"
	"testing"

	"recoup/billing"
	"recoup/dunning"
)

// strict is a shop with a policy of its own limits, which its account follows.
func strict(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w := newWorld(t)
	document := dunning.ShippedFiles()[0].Document
	for _, f := range dunning.ShippedFiles() {
		if f.Name == "standard" {
			document = f.Document
		}
	}
	document = strings.NewReplacer("name: standard", "name: strict", "hold_days: 14", "hold_days: 3", "hold_extendable: true", "hold_extendable: false",
		"promise_days: 30", "promise_days: 5", "promises_per_invoice: 1", "promises_per_invoice: 2", "promise_every_days: 365", "promise_every_days: 10",
		"extend_days: 30", "extend_days: 4").Replace(document)
	if _, _, err := w.AddPolicy(context.Background(), []byte(document), ada); err != nil {
		t.Fatal(err)
	}
	w.account("a", "pm-1")
	w.exec(`update accounts set policy = 'strict'`)
	w.invoice("inv-1", "a", 4900)
	id := w.open("inv-1")
	w.review(id)
	return w, id
}

// TestLimitsAreThePolicys: how long and how often people may hold, promise and extend is what the case's policy says.
func TestLimitsAreThePolicys(t *testing.T) {
	w, id := strict(t)
	hold := func(days int) billing.Resolution {
		return billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.AddDate(0, 0, days)}
	}
	w.refuses(hold(4), "until", "at most 3 days")
	w.decide(hold(2))
	again := hold(3)
	again.RequestID = "again"
	w.refuses(again, "kind", "lets no hold be extended")
	w.decide(billing.Resolution{Kind: billing.Release, Case: id})
	w.refuses(promised(id, w.now.AddDate(0, 0, 6), 4900), "until", "at most 5 days")
	for n, request := range []string{"p-1", "p-2", "p-3"} {
		p := promised(id, w.now.AddDate(0, 0, 1), 100)
		p.RequestID = request
		if n == 2 {
			w.refuses(p, "override", "for this invoice already")
			break
		}
		if n == 1 {
			w.refuses(p, "override", "one in 10 days")
			w.now = w.now.AddDate(0, 0, 11)
			p.Until = w.now.AddDate(0, 0, 1)
		}
		w.decide(p)
		w.now = w.now.AddDate(0, 0, 3)
		w.review(id) // broken
	}
	extend := billing.Resolution{Kind: billing.Extend, Case: id, Until: w.now.AddDate(0, 0, 60)}
	w.refuses(extend, "until", "at most 4 days in all")
	d, err := w.FindCase(context.Background(), id)
	if err != nil || d.Limits.HoldDays != 3 || d.Limits.PromisesPerInvoice != 2 {
		t.Errorf("pages are told of the limits %s: %v", d.Limits, err)
	}
}

// TestAnAccountWithoutAPolicyOfItsOwnIsDecidedAbout: rules choose its policy, and standard bounds what is decided where none does.
func TestAnAccountWithoutAPolicyOfItsOwnIsDecidedAbout(t *testing.T) {
	w, _ := strict(t)
	hold := billing.Resolution{Kind: billing.Hold, Account: "a", Until: w.now.AddDate(0, 0, 4)}
	w.refuses(hold, "until", "at most 3 days")
	w.exec(`update accounts set policy = ''`)
	hold.Until = w.now.AddDate(0, 0, 15)
	w.refuses(hold, "until", "at most 14 days")
	hold.Until = w.now.AddDate(0, 0, 14)
	w.decide(hold)
	if _, _, err := w.AssignPolicy(context.Background(), dunning.Assignment{Account: "a", Policy: "strict"}, ada); err != nil {
		t.Fatal(err)
	}
	w.decide(billing.Resolution{Kind: billing.Release, Account: "a"})
	hold.Until, hold.RequestID = w.now.AddDate(0, 0, 4), "by-rule"
	w.refuses(hold, "until", "at most 3 days")
	if d, err := w.FindAccount(context.Background(), "a"); err != nil || d.Limits.HoldDays != 3 {
		t.Errorf("the account's page is told of %s: %v", d.Limits, err)
	}
}
