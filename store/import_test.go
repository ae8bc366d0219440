package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recoup/billing"
	"recoup/money"
	"recoup/store/privatepg/pgtest"
)

var (
	usd = money.MustCurrency("USD")
	jpy = money.MustCurrency("JPY")
)

func openTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// testBatch is a small file: an organisation, methods, a credit, deposits, an open and a zero invoice.
func testBatch() billing.Batch {
	day := time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC)
	account := func(line int, id, parent billing.AccountID, zone, policy string) billing.BatchAccount {
		return billing.BatchAccount{Line: line, Contacts: []billing.Contact{{AccountID: id, Position: 1, Name: "Ada", Email: string(id) + "@example.com"}},
			Account: billing.Account{ID: id, Name: "The " + string(id), ParentID: parent, TimeZone: zone, Locale: "en-US", Policy: policy}}
	}
	method := func(line int, id billing.MethodID, account billing.AccountID, position int) billing.BatchMethod {
		return billing.BatchMethod{Line: line, Method: billing.PaymentMethod{ID: id, AccountID: account, Gateway: "stripe", Token: "pm_card_visa",
			Kind: billing.MethodCard, Brand: "visa", Last4: "4242", ExpiryMonth: 8, ExpiryYear: 2031, Position: position}}
	}
	return billing.Batch{
		// The child comes first: order doesn't matter.
		Accounts: []billing.BatchAccount{account(1, "child", "owner", "Asia/Tokyo", "standard"), account(2, "owner", "", "America/New_York", "demo")},
		Methods:  []billing.BatchMethod{method(3, "pm-1", "owner", 2), method(4, "pm-2", "owner", 0), method(5, "pm-3", "owner", 1)},
		Credits: []billing.BatchCredit{{Line: 6, ExpiresOn: "2099-12-31", Credit: billing.Credit{ID: "credit-1", AccountID: "child",
			Granted: money.New(5000, jpy), Remaining: money.New(5000, jpy), StartsOn: day, Services: []string{"Compute"},
			IncludedKinds: []billing.ChargeKind{billing.ChargeTax}, Reason: "voucher"}}},
		Deposits: []billing.BatchDeposit{
			{Line: 7, SettledOn: "2025-11-03", Deposit: billing.Deposit{ID: "dep-1", AccountID: "owner", State: billing.DepositSettled,
				Reference: "WIRE-1", Amount: money.New(10000, usd), Remaining: money.New(10000, usd)}},
			{Line: 8, Deposit: billing.Deposit{ID: "dep-2", AccountID: "owner", State: billing.DepositPending,
				Reference: "WIRE-2", Amount: money.New(700, usd), Remaining: money.New(700, usd)}},
		},
		Invoices: []billing.BatchInvoice{testInvoice(9, "inv-1", "owner", 1500, -300), testInvoice(10, "inv-2", "child", 0)},
	}
}

func testInvoice(line int, id billing.InvoiceID, account billing.AccountID, amounts ...int64) billing.BatchInvoice {
	v := billing.Invoice{ID: id, Number: "No " + string(id), AccountID: account, State: billing.InvoiceOpen, DueDate: "2025-11-14",
		Total: money.Zero(usd), Allocated: money.Zero(usd)}
	for n, a := range amounts {
		v.Lines = append(v.Lines, billing.Line{Position: n + 1, Service: fmt.Sprintf("Service %d", n), ChargeKind: billing.ChargeUsage,
			PeriodStart: time.Date(2025, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(a, usd)})
		v.Total, _ = v.Total.Add(money.New(a, usd))
	}
	return billing.BatchInvoice{Line: line, Invoice: v}
}

func inputOf(b billing.Batch, file string) ImportInput {
	return ImportInput{File: file, Format: "lines", Digest: sha256.Sum256([]byte(file)), Batch: b}
}

// rowsOf counts what an import can touch.
func rowsOf(t *testing.T, s *Store) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range []string{"accounts", "contacts", "payment_methods", "credits", "deposits", "invoices", "invoice_lines",
		"journal_transactions", "journal_entries", "imports", "audit_log", "pokes"} {
		counts[table] = one[int](t, s, "select count(*) from "+table)
	}
	return counts
}

func one[T any](t *testing.T, s *Store, query string, args ...any) T {
	t.Helper()
	var v T
	if err := s.pool.QueryRow(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func mustImport(t *testing.T, s *Store, in ImportInput) ImportResult {
	t.Helper()
	r, err := s.Import(t.Context(), in)
	if err != nil {
		t.Fatalf("import %s: %v", in.File, err)
	}
	return r
}

// wantRefused imports what must be refused, checks that nothing changed, and returns the problems as text.
func wantRefused(t *testing.T, s *Store, in ImportInput) string {
	t.Helper()
	before := rowsOf(t, s)
	_, err := s.Import(t.Context(), in)
	var problems *billing.BatchProblems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want problems", err)
	}
	if diff := cmp.Diff(before, rowsOf(t, s)); diff != "" {
		t.Errorf("a refused file left something behind (-before +after):\n%s", diff)
	}
	return problems.Error()
}

func TestImportWritesEverything(t *testing.T) {
	s := openTest(t)
	got := mustImport(t, s, inputOf(testBatch(), "a"))
	want := ImportResult{Accounts: ImportCount{New: 2}, Methods: ImportCount{New: 3}, Credits: ImportCount{New: 1}, Deposits: ImportCount{New: 2},
		Invoices: ImportCount{New: 2}, PaidAtOnce: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	counts := map[string]int{"accounts": 2, "contacts": 2, "payment_methods": 3, "credits": 1, "deposits": 2, "invoices": 2, "invoice_lines": 3,
		"journal_transactions": 3, "journal_entries": 6, "imports": 1, "audit_log": 1, "pokes": 0}
	if diff := cmp.Diff(counts, rowsOf(t, s)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for query, want := range map[string]string{
		// A method without a position goes after the others.
		"select string_agg(id, ' ' order by position) from payment_methods":                                                                             "pm-3 pm-1 pm-2",
		"select state || ' ' || total_minor || ' ' || allocated_minor from invoices where id = 'inv-1'":                                                 "open 1200 0",
		"select state || ' ' || total_minor || ' ' || (settled_at is not null) from invoices where id = 'inv-2'":                                        "paid 0 true",
		"select string_agg(ledger_account || '=' || amount_minor || currency, ' ' order by ledger_account) from journal_entries where amount_minor > 0": "bank=10000USD promotion_expense=5000JPY receivable:inv-1=1200USD",
		// T2: due at the end of the local day; the demo policy collects at once.
		"select due_at::text || ' ' || collect_at from invoices where id = 'inv-1'":                                                              "2025-11-15 05:00:00+00 2025-11-15 05:00:00+00",
		"select due_at::text || ' ' || (collect_at - due_at >= '9 hours' and collect_at - due_at < '10 hours') from invoices where id = 'inv-2'": "2025-11-14 15:00:00+00 true",
		"select expires_at::text from credits": "2099-12-31 15:00:00+00",
		"select string_agg(state || coalesce(settled_at::date::text, ''), ' ' order by id) from deposits": "settled2025-11-03 pending",
		"select parent_id from accounts where id = 'child'":                                               "owner",
	} {
		if got := one[string](t, s, query); got != want {
			t.Errorf("%s\n got %s\nwant %s", query, got, want)
		}
	}
}

func TestImportAgainChangesNothing(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	before := rowsOf(t, s)
	if r := mustImport(t, s, inputOf(testBatch(), "a")); !r.Again {
		t.Errorf("the same file: got %+v, want Again", r)
	}
	if diff := cmp.Diff(before, rowsOf(t, s)); diff != "" {
		t.Errorf("the same file changed something (-before +after):\n%s", diff)
	}
	// What Recoup and its users change afterwards is not content.
	if _, err := s.pool.Exec(t.Context(), `update payment_methods set state = 'blocked', position = position + 10`); err != nil {
		t.Fatal(err)
	}
	b := testBatch()
	b.Invoices = append(b.Invoices, testInvoice(11, "inv-3", "owner", 250))
	r := mustImport(t, s, inputOf(b, "b"))
	want := ImportResult{Accounts: ImportCount{Unchanged: 2}, Methods: ImportCount{Unchanged: 3}, Credits: ImportCount{Unchanged: 1},
		Deposits: ImportCount{Unchanged: 2}, Invoices: ImportCount{New: 1, Unchanged: 2}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("a longer file (-want +got):\n%s", diff)
	}
}

func TestImportRefusesOtherContentUnderTheSameID(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	for _, c := range []struct {
		name, want string
		change     func(*billing.Batch)
	}{
		{"account's zone", "2: account.time_zone: owner is there already", func(b *billing.Batch) { b.Accounts[1].Account.TimeZone = "Asia/Tokyo" }},
		{"account's parent", "1: account.parent: child", func(b *billing.Batch) { b.Accounts[0].Account.ParentID = "" }},
		{"contacts", "2: account.contacts: owner", func(b *billing.Batch) { b.Accounts[1].Contacts[0].Email = "eve@example.com" }},
		{"method's token", "3: payment_method.token: pm-1", func(b *billing.Batch) { b.Methods[0].Method.Token = "pm_other" }},
		{"method's expiry", "3: payment_method.expiry: pm-1", func(b *billing.Batch) { b.Methods[0].Method.ExpiryYear++ }},
		{"credit's amount", "6: credit.amount: credit-1", func(b *billing.Batch) { b.Credits[0].Credit.Granted = money.New(5001, jpy) }},
		{"credit's expiry", "6: credit.expires_on: credit-1", func(b *billing.Batch) { b.Credits[0].ExpiresOn = "" }},
		{"credit's services", "6: credit.services: credit-1", func(b *billing.Batch) { b.Credits[0].Credit.Services = nil }},
		{"deposit's reference", "7: deposit.reference: dep-1", func(b *billing.Batch) { b.Deposits[0].Deposit.Reference = "WIRE-9" }},
		{"invoice's total", "9: invoice.total: inv-1", func(b *billing.Batch) { b.Invoices[0] = testInvoice(9, "inv-1", "owner", 1500) }},
		{"invoice's lines", "9: invoice.lines: inv-1", func(b *billing.Batch) { b.Invoices[0] = testInvoice(9, "inv-1", "owner", 1300, -100) }},
		{"invoice's due date", "9: invoice.due_date: inv-1", func(b *billing.Batch) { b.Invoices[0].Invoice.DueDate = "2025-11-15" }},
	} {
		b := testBatch()
		c.change(&b)
		b.Invoices = append(b.Invoices, testInvoice(11, "inv-3", "owner", 250)) // must not get in either
		if got := wantRefused(t, s, inputOf(b, c.name)); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.name, got, c.want)
		}
	}
}

func TestImportRefusesWhatDoesNotFit(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	b := testBatch()
	b.Accounts = append(b.Accounts, billing.BatchAccount{Line: 20, Account: billing.Account{ID: "grandchild", ParentID: "child", Name: "G", TimeZone: "UTC", Policy: "demo"}})
	b.Invoices = append(b.Invoices, testInvoice(21, "inv-9", "nobody", 100))
	m := b.Methods[0]
	m.Line, m.Method.ID = 22, "pm-9"
	b.Methods = append(b.Methods, m)
	d := b.Deposits[0]
	d.Line, d.Deposit.ID, d.SettledOn = 23, "dep-9", "2098-01-01"
	b.Deposits = append(b.Deposits, d)
	got := wantRefused(t, s, inputOf(b, "b"))
	for _, want := range []string{
		"20: account.parent: child has a parent itself", "21: invoice.account: there is no account nobody",
		"22: payment_method.position: 2 of account owner is taken", "23: deposit.settled_on: 2098-01-01 is still to come",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func TestImportKeepsExistingAccountsOfBills(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	bill := billing.Batch{
		Accounts: []billing.BatchAccount{
			{Line: 2, KeepExisting: true, Account: billing.Account{ID: "owner", Name: "Renamed", TimeZone: "UTC", Policy: "fast"}},
			{Line: 2, KeepExisting: true, Account: billing.Account{ID: "fresh", ParentID: "owner", Name: "Fresh", TimeZone: "UTC", Policy: "fast"}},
		},
		Invoices: []billing.BatchInvoice{testInvoice(2, "bill-1", "owner", 500), testInvoice(3, "bill-2", "fresh", 600)},
	}
	for _, id := range []billing.AccountID{"owner", "fresh"} {
		bill.Methods = append(bill.Methods, billing.BatchMethod{Line: 2, WithNewAccount: true, Method: billing.PaymentMethod{
			ID: billing.MethodID("pm:" + id), AccountID: id, Gateway: "stripe", Token: "pm_card_visa", Kind: billing.MethodCard, Position: 1}})
	}
	r := mustImport(t, s, inputOf(bill, "bill"))
	want := ImportResult{Accounts: ImportCount{New: 1, Unchanged: 1}, Methods: ImportCount{New: 1}, Invoices: ImportCount{New: 2}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if got := one[string](t, s, "select name || ' ' || policy from accounts where id = 'owner'"); got != "The owner demo" {
		t.Errorf("the existing account became %q", got)
	}
}

// AF4, D7: what could pay wakes the live case; what can't doesn't.
func TestAF4ImportedMoneyWakesLiveCases(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	const open = `insert into cases (id, invoice_id, episode, account_id, policy, policy_version, clock_started_at)
		values ('case/inv-1', 'inv-1', 1, 'owner', 'demo', 1, now())`
	if _, err := s.pool.Exec(t.Context(), open); err != nil {
		t.Fatal(err)
	}
	dep := testBatch().Deposits[1]
	dep.Deposit.ID = "dep-announced"
	mustImport(t, s, inputOf(billing.Batch{Deposits: []billing.BatchDeposit{dep}}, "announced"))
	if n := one[int](t, s, "select count(*) from pokes"); n != 0 {
		t.Errorf("an announced deposit woke %d cases", n)
	}
	dep.Deposit.ID, dep.Deposit.State, dep.SettledOn = "dep-arrived", billing.DepositSettled, "2025-11-20"
	mustImport(t, s, inputOf(billing.Batch{Deposits: []billing.BatchDeposit{dep}}, "arrived"))
	if got := one[string](t, s, "select p.case_id || ' ' || c.wake from pokes p join cases c on c.id = p.case_id"); got != "case/inv-1 person" {
		t.Errorf("woken: %q", got)
	}
}

// AF3: an announced deposit settles when a later file says so, once, and then pays.
func TestAF3AnnouncedDepositArrives(t *testing.T) {
	s := openTest(t)
	mustImport(t, s, inputOf(testBatch(), "a"))
	dep := testBatch().Deposits[1]
	dep.Deposit.State, dep.SettledOn = billing.DepositSettled, "2025-11-20"
	file := billing.Batch{Deposits: []billing.BatchDeposit{dep}}
	if r := mustImport(t, s, inputOf(file, "arrived")); r.Arrived != 1 || r.Deposits != (ImportCount{}) {
		t.Errorf("result %+v", r)
	}
	if got := one[string](t, s, "select state || settled_at::date from deposits where id = 'dep-2'"); got != "settled2025-11-20" {
		t.Errorf("the deposit is %s", got)
	}
	if n := one[int](t, s, "select sum(-amount_minor) from journal_entries where deposit_id = 'dep-2'"); n != 700 {
		t.Errorf("advance funds booked: %d, want 700", n)
	}
	// Older files and repeated ones change nothing.
	for n, b := range []billing.Batch{file, testBatch()} {
		if r := mustImport(t, s, inputOf(b, fmt.Sprint("again ", n))); r.Arrived != 0 || r.Deposits.Unchanged != len(b.Deposits) {
			t.Errorf("again: %+v", r)
		}
	}
}

// Two imports of overlapping files at once: each object gets in once, none fails.
func TestImportsAtOnce(t *testing.T) {
	s := openTest(t)
	var wg sync.WaitGroup
	start := make(chan struct{})
	results, errs := make([]ImportResult, 6), make([]error, 6)
	for n := range results {
		wg.Go(func() {
			<-start
			results[n], errs[n] = s.Import(t.Context(), inputOf(testBatch(), fmt.Sprint("file ", n%3)))
		})
	}
	close(start)
	wg.Wait()
	news := 0
	for n := range results {
		if errs[n] != nil {
			t.Errorf("import %d: %v", n, errs[n])
		}
		news += results[n].Invoices.New
	}
	if news != 2 {
		t.Errorf("%d invoices are new, want 2", news)
	}
	if n := one[int](t, s, "select count(*) from imports"); n != 3 {
		t.Errorf("%d imports recorded, want 3", n)
	}
}

// TestImportThousands keeps the bulk path honest: several COPYs, all triggers.
func TestImportThousands(t *testing.T) {
	s := openTest(t)
	b := testBatch()
	for n := range invoicesAtOnce + 10 {
		b.Invoices = append(b.Invoices, testInvoice(20+n, billing.InvoiceID(fmt.Sprintf("bulk-%d", n)), "child", int64(100+n), 25))
	}
	in := inputOf(b, "bulk")
	done, total := 0, 0
	in.Progress = func(d, of int) {
		if d < done || d > of {
			t.Errorf("progress went from %d to %d of %d", done, d, of)
		}
		done, total = d, of
	}
	r := mustImport(t, s, in)
	if want := invoicesAtOnce + 12; r.Invoices.New != want || one[int](t, s, "select count(*) from invoices") != want {
		t.Errorf("got %d new invoices, want %d", r.Invoices.New, want)
	}
	if done != total || done != b.Len() {
		t.Errorf("progress ended at %d of %d, want %d", done, total, b.Len())
	}
	if off := one[int64](t, s, `select sum(total_minor) - (select sum(amount_minor) from journal_entries where ledger_kind = 'receivable') from invoices`); off != 0 {
		t.Errorf("receivables are off by %d", off)
	}
}

// An import that is cut off while it writes leaves nothing behind.
func TestImportCutOffLeavesNothing(t *testing.T) {
	s := openTest(t)
	before := rowsOf(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	in := inputOf(testBatch(), "cut off")
	in.Progress = func(done, total int) {
		if done == total {
			cancel() // everything is written, nothing committed
		}
	}
	if _, err := s.Import(ctx, in); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want cancelled", err)
	}
	if diff := cmp.Diff(before, rowsOf(t, s)); diff != "" {
		t.Errorf("something is left (-before +after):\n%s", diff)
	}
	mustImport(t, s, in) // and it can be imported afterwards
}
