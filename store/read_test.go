package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// pages walks a list of cases to its end.
func (w *world) pages(f store.CaseFilter) []store.CaseView {
	w.t.Helper()
	var all []store.CaseView
	for range 100 {
		page, err := w.ListCases(context.Background(), f)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page.Cases...)
		if f.After = page.Next; f.After == "" {
			return all
		}
	}
	w.t.Fatal("the list does not end")
	return nil
}

func TestListCasesShowsEachOnceInOrder(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	for n := range 24 {
		id := fmt.Sprintf("inv-%02d", n)
		w.invoice(id, "acme", 1000)
		w.open(id)
	}
	// Many with the same instant, some with microseconds, some that wait for nothing but a message, some finished.
	w.exec(`update cases set next_at = '2026-12-01 09:00+00' where id between 'inv-00' and 'inv-07'`)
	w.exec(`update cases set next_at = '2026-12-01 09:00:00.000001+00' where id between 'inv-08' and 'inv-11'`)
	w.exec(`update cases set stage = 'finished', outcome = 'paid', finished_at = '2026-11-05 10:00:00.5+00' where id between 'inv-18' and 'inv-23'`)
	for _, limit := range []int{1, 5, 18, 200} {
		open := w.pages(store.CaseFilter{Limit: limit})
		if len(open) != 18 {
			t.Fatalf("limit %d: %d open cases, want 18", limit, len(open))
		}
		for n := 1; n < len(open); n++ {
			a, b := open[n-1], open[n]
			if later(a.NextAt, b.NextAt) || a.NextAt.Equal(b.NextAt) && a.ID >= b.ID {
				t.Errorf("limit %d: %s (%s) before %s (%s)", limit, a.ID, a.NextAt, b.ID, b.NextAt)
			}
		}
		finished := w.pages(store.CaseFilter{Limit: limit, Stage: dunning.StageFinished})
		if len(finished) != 6 || finished[0].ID != "inv-23" {
			t.Errorf("limit %d: %d finished cases, first %v", limit, len(finished), finished)
		}
		if found := w.pages(store.CaseFilter{Limit: limit, Search: "N-inv"}); len(found) != 24 {
			t.Errorf("limit %d: a search finds %d, want open and finished ones", limit, len(found))
		}
	}
}

// later compares with "no date" last.
func later(a, b time.Time) bool { return !b.IsZero() && (a.IsZero() || a.After(b)) }

func TestSearchTakesTextLiterally(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 1000)
	w.open("inv-1")
	for search, want := range map[string]int{
		"INV-1": 1, " inv-1 ": 1, "acm": 1, "%": 0, "_": 0, `\`: 0, "'": 0, "inv%": 0, "\x00inv-1": 1, "\xffinv-1": 1,
	} {
		if found := w.pages(store.CaseFilter{Search: search}); len(found) != want {
			t.Errorf("%q finds %d, want %d", search, len(found), want)
		}
	}
}

func TestListsRefuseWhatTheyDidNotMake(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for name, list := range map[string]func() error{
		"cursor":          func() error { _, err := w.ListCases(ctx, store.CaseFilter{After: "AAAA"}); return err },
		"cursor, no time": func() error { _, err := w.ListCases(ctx, store.CaseFilter{After: "eHxpbnYtMQ"}); return err },
		"stage":           func() error { _, err := w.ListCases(ctx, store.CaseFilter{Stage: "angry"}); return err },
		"overlay":         func() error { _, err := w.ListCases(ctx, store.CaseFilter{Overlay: "angry"}); return err },
		"currency":        func() error { _, err := w.ListCases(ctx, store.CaseFilter{Currency: "XX"}); return err },
		"standing":        func() error { _, err := w.ListAccounts(ctx, store.AccountFilter{Standing: "angry"}); return err },
		"account cursor":  func() error { _, err := w.ListAccounts(ctx, store.AccountFilter{After: "a b"}); return err },
		"notice cursor":   func() error { _, err := w.ListNotices(ctx, store.NoticeFilter{After: "AAAA"}); return err },
		"no case":         func() error { _, err := w.FindCase(ctx, "none"); return err },
		"no account":      func() error { _, err := w.FindAccount(ctx, "none"); return err },
		"no notice":       func() error { _, err := w.FindNotice(ctx, "none"); return err },
	} {
		var refusal *billing.Refusal
		if err := list(); !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestI19AnAccountReadsNothingOfAnother(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"acme", "other"} {
		w.account(id, id+"-pm")
		w.credit(id+"-cr", id, 100)
		w.deposit(id+"-dep", id, 100)
		w.invoice(id+"-inv", id, 1000)
		w.open(id + "-inv")
		w.review(billing.CaseID(id + "-inv"))
	}
	d, err := w.FindAccount(context.Background(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Invoices) != 1 || len(d.Methods) != 1 || len(d.Credits) != 1 || len(d.Deposits) != 1 || len(d.Deposits[0].Uses) != 1 || len(d.Contacts) != 1 {
		t.Errorf("%+v", d)
	}
	if d.Methods[0].ID != "acme-pm" || d.Methods[0].Token != "" || d.Methods[0].CustomerToken != "" {
		t.Errorf("method %+v: want the own one, without tokens (I18)", d.Methods[0])
	}
	c, err := w.FindCase(context.Background(), "acme-inv")
	if err != nil {
		t.Fatal(err)
	}
	if c.Due.Minor() != 800 || c.Allocated.Minor() != 200 || len(c.Bookings) != 3 || len(c.Methods) != 1 || c.Methods[0].Token != "" {
		t.Errorf("due %s after %d bookings, methods %+v", c.Due, len(c.Bookings), c.Methods)
	}
}

func TestReadOverviewAddsUp(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.credit("cr", "acme", 300)
	for _, id := range []string{"inv-1", "inv-2", "inv-3"} {
		w.invoice(id, "acme", 1000)
	}
	w.open("inv-1")
	w.charge(w.review("inv-1"), "inv-1", succeeded)
	w.open("inv-2")
	o, err := w.ReadOverview(context.Background(), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if o.Counts.Open != 1 || o.Counts.ByStage[dunning.StageFinished] != 1 || o.WithoutCases != 1 || len(o.WithoutCase) != 1 || o.WithoutCase[0].ID != "inv-3" {
		t.Errorf("%+v", o)
	}
	got := map[string]int64{}
	for _, c := range o.Collected {
		got[c.Kind] = c.Amount.Minor()
	}
	if got["credit_applied"] != 300 || got["receipt"] != 700 || len(got) != 2 {
		t.Errorf("collected %v, want 300 by credits and 700 by receipts", got)
	}
	if len(o.Outstanding) != 1 || o.Outstanding[0].Minor() != 1000 {
		t.Errorf("outstanding %v", o.Outstanding)
	}
	if before, err := w.ReadOverview(context.Background(), time.Now().Add(time.Hour)); err != nil || len(before.Collected) != 0 {
		t.Errorf("collected since the future: %v, %v", before.Collected, err)
	}
}

func TestChangeMarkMovesWithEveryFact(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 1000)
	mark := func() string {
		t.Helper()
		m, err := w.ChangeMark(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := mark()
	if mark() != first {
		t.Error("the mark moves by itself")
	}
	w.open("inv-1")
	if mark() == first {
		t.Error("the mark stays where a case was opened")
	}
}
