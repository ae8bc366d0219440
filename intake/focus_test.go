package intake

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"recoup/billing"
	"recoup/money"
)

var usual = FocusOptions{DueDays: 14, Policy: "standard", TimeZone: "UTC"}

// bills is a small file in other columns' order, without the columns that may be missing.
func bills(rows ...string) string {
	return "ServiceName,BilledCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,SubAccountId,SubAccountName,ChargeFrequency\n" +
		strings.Join(rows, "\n")
}

func bill1(service, cost, category, sub string) string {
	return fmt.Sprintf(`%s,%s,USD,org-1,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,%s,%s,The %[4]s,Usage-Based`, service, cost, category, sub)
}

func readFocus(t *testing.T, text string, o FocusOptions) (billing.Batch, FocusSummary) {
	t.Helper()
	b, s, err := ReadFocus(strings.NewReader(text), o)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b, s
}

func invoiceText(b billing.Batch) []string {
	var out []string
	for _, v := range b.Invoices {
		i := v.Invoice
		text := fmt.Sprintf("%s %s due %s", i.ID, i.Total, i.DueDate)
		for _, l := range i.Lines {
			text += fmt.Sprintf(" | %s %s %s", l.Service, l.ChargeKind, l.Amount.Decimal())
		}
		out = append(out, text)
	}
	return out
}

func TestFocusRoundsABillOnce(t *testing.T) {
	b, s := readFocus(t, bills(
		bill1("Compute", "0.004", "Usage", "acct"), bill1("Storage", "0.004", "Usage", "acct"), bill1("Network", "0.004", "Usage", "acct"),
		bill1("Compute", "0.0041", "Usage", "acct"), bill1("Compute", "-0.002", "Credit", "acct"),
	), usual)
	// 0.0141 is 0.01, not 0 + 0 + 0 + 0.01 − 0. The largest remainder is the credit's: −0.002 is −0.01 and 0.8 cents.
	want := []string{"acct:2026-09:USD USD 0.01 due 2026-10-15 | Compute adjustment 0.00 | Compute usage 0.01 | Network usage 0.00 | Storage usage 0.00"}
	if diff := cmp.Diff(want, invoiceText(b)); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
	if want := (FocusSummary{Rows: 5, Bills: 1}); s != want {
		t.Errorf("summary %+v, want %+v", s, want)
	}
}

func TestFocusPeriodsAreDays(t *testing.T) {
	row := bill1("C", "1", "Usage", "acct")
	b, _ := readFocus(t, bills(row, strings.Replace(row, "2026-09-01T00:00:00Z", "2026-09-01T05:30:00Z", 1), strings.Replace(row, "2026-09-01", "2026-09-16", 1)), usual)
	want := []string{"acct:2026-09:USD USD 2.00 due 2026-10-15 | C usage 2.00", "acct:2026-09-16:USD USD 1.00 due 2026-10-15 | C usage 1.00"}
	if diff := cmp.Diff(want, invoiceText(b)); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
}

func TestFocusMapsChargeCategories(t *testing.T) {
	recurring := strings.Replace(bill1("Plan", "10", "Purchase", "acct"), "Usage-Based", "Recurring", 1)
	b, _ := readFocus(t, bills(recurring, strings.Replace(recurring, "Recurring", "One-Time", 1), bill1("VAT", "3", "Tax", "acct"),
		bill1("Plan", "-1", "Adjustment", "acct"), bill1("NULL", "1e0", "Usage", "acct")), usual)
	want := []string{"acct:2026-09:USD USD 23.00 due 2026-10-15 | (no service) usage 1.00 | Plan adjustment -1.00 | Plan recurring 10.00 | Plan upfront 10.00 | VAT tax 3.00"}
	if diff := cmp.Diff(want, invoiceText(b)); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
}

func TestFocusMakesAccountsOfAnOrganisation(t *testing.T) {
	o := usual
	o.EmailDomain, o.MethodToken, o.Policy, o.TimeZone = "example.com", "pm_card_visa", "demo", "Asia/Tokyo"
	b, _ := readFocus(t, bills(bill1("C", "1", "Usage", "acct"), bill1("C", "2", "Usage", "NULL"), bill1("C", "2", "Usage", "org-1")), o)
	var got []string
	for n, a := range b.Accounts {
		got = append(got, fmt.Sprintf("%s<%s %q %s %s %s keep=%v %s=%s", a.Account.ID, a.Account.ParentID, a.Account.Name, a.Account.Policy, a.Account.TimeZone,
			a.Contacts[0].Email, a.KeepExisting, b.Methods[n].Method.ID, b.Methods[n].Method.Token))
	}
	want := []string{
		`org-1< "org-1" demo Asia/Tokyo billing+org-1@example.com keep=true pm:org-1=pm_card_visa`,
		`acct<org-1 "The acct" demo Asia/Tokyo billing+acct@example.com keep=true pm:acct=pm_card_visa`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"acct:2026-09:USD USD 1.00 due 2026-10-15 | C usage 1.00", "org-1:2026-09:USD USD 4.00 due 2026-10-15 | C usage 4.00"}, invoiceText(b)); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
}

func TestFocusKeepsZeroAndNegativeBills(t *testing.T) {
	b, s := readFocus(t, bills(bill1("C", "0.004", "Usage", "zero"), bill1("C", "1", "Usage", "minus"), bill1("C", "-3.5", "Credit", "minus")), usual)
	if want := (FocusSummary{Rows: 3, Bills: 2, Zero: 1, Negative: 1}); s != want {
		t.Errorf("summary %+v, want %+v", s, want)
	}
	if diff := cmp.Diff([]string{"zero:2026-09:USD USD 0.00 due 2026-10-15 | C usage 0.00"}, invoiceText(b)); diff != "" {
		t.Errorf("invoices (-want +got):\n%s", diff)
	}
	if len(b.Credits) != 1 || b.Credits[0].Credit.Granted != money.New(250, money.MustCurrency("USD")) || b.Credits[0].Credit.AccountID != "minus" ||
		len(b.Credits[0].Credit.Services) != 0 || len(b.Credits[0].Credit.IncludedKinds) != 4 || b.Credits[0].ExpiresOn != "" {
		t.Errorf("credits %+v", b.Credits)
	}
}

func TestFocusIDsAreSafeAndDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, raw := range []string{"51738928782", "/subscriptions/64e355d7-997c-491d-b0c1-8414dccfcf42", "subscriptions/64e355d7-997c-491d-b0c1-8414dccfcf42",
		"4242424242424242", "4242424242424242 ", strings.Repeat("a", 70), strings.Repeat("a", 71), "äöü", "///", "a b", "a-b", "ocid1.tenancy.oc1..aaaa"} {
		id := string(accountID(raw))
		if err := billing.CheckID(id); err != nil {
			t.Errorf("%q became %q: %v", raw, id, err)
		}
		if err := billing.CheckID(billID(billKey{sub: raw, currency: money.MustCurrency("USD")})); err != nil {
			t.Errorf("bill of %q: %v", raw, err)
		}
		if other, again := seen[id]; again {
			t.Errorf("%q and %q are both %q", raw, other, id)
		}
		seen[id] = raw
	}
	if got := accountID("51738928782"); got != "51738928782" {
		t.Errorf("a usable id became %q", got)
	}
}

func TestFocusReadsWhatSpreadsheetsWrite(t *testing.T) {
	text := "\xef\xbb\xbf" + bills(`"Compute, ""big""`+"\n"+`ones",1,USD,org-1,2026-09-01 00:00:00,2026-10-01,Usage,acct,NULL,`, bill1("S", "x", "Usage", "acct"))
	_, _, err := ReadFocus(strings.NewReader(text), usual)
	// The quoted line break counts: the next row is on line 4.
	want := []string{`4: BilledCost: "x" is no number of at most 18 digits and 40 decimals`}
	var problems *billing.BatchProblems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range problems.First {
		got = append(got, p.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	b, _ := readFocus(t, "\xef\xbb\xbf"+strings.ReplaceAll(bills(bill1(`"Compute, ""big"""`, "1", "Usage", "acct")), "\n", "\r\n"), usual)
	if got := b.Invoices[0].Invoice.Lines[0].Service; got != `Compute, "big"` {
		t.Errorf("service %q", got)
	}
}

func TestFocusNamesLineAndColumn(t *testing.T) {
	good := bill1("C", "1", "Usage", "acct")
	for _, c := range []struct{ text, want string }{
		{"", "is empty"},
		{"a,b\n1,2", "1: BilledCost: column is missing: is this a FOCUS 1.0 file?"},
		{strings.Replace(bills(good), "SubAccountName", "SubAccountId", 1), "1: SubAccountId: is there twice"},
		{bills(good, "C,1,USD"), "3: is no CSV: wrong number of fields"},
		{bills(good, `C"x,1`), `3: is no CSV: bare " in non-quoted-field`},
		{bills(strings.Replace(good, "USD", "usd", 1)), `2: BillingCurrency: "usd"`},
		{bills(strings.Replace(good, "USD", "XQQ", 1)), `2: BillingCurrency: `},
		{bills(strings.Replace(good, "org-1", "NULL", 1)), "2: BillingAccountId: must be given"},
		{bills(strings.Replace(good, "2026-09-01", "01.09.2026", 1)), `2: BillingPeriodStart: "01.09.2026`},
		{bills(strings.Replace(good, "2026-10-01", "2026-09-01", 1)), "2: BillingPeriodEnd: is not after"},
		{bills(good, strings.Replace(good, "2026-10-01", "2026-11-01", 1)), "3: BillingPeriodEnd: differs from the one on line 2"},
		{bills(strings.Replace(good, "Usage,", "Fine,", 1)), `2: ChargeCategory: "Fine" is none of`},
		{bills(bill1("C", "1e99999", "Usage", "acct")), "2: BilledCost: "},
		{bills(bill1("C", "1,5", "Usage", "acct")), "2: is no CSV"},
		{bills(bill1("C", "NaN", "Usage", "acct")), "2: BilledCost: "},
		{bills(bill1("C", "9e18", "Usage", "acct")), "2: BilledCost: the bill of acct can't be rounded"},
		{bills(bill1("4242 4242 4242 4242", "1", "Usage", "acct")), "2: ServiceName: looks like a card number"},
		{bills(good, strings.Replace(good, "org-1", "org-2", 1)), "3: SubAccountId: acct appears under the billing accounts org-1 and org-2"},
		{bills(), "holds nothing to import"},
	} {
		_, _, err := ReadFocus(strings.NewReader(c.text), usual)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestFocusChecksItsOptions(t *testing.T) {
	_, _, err := ReadFocus(strings.NewReader(bills()), FocusOptions{DueDays: -1, Policy: "so slow", TimeZone: "Nowhere", EmailDomain: "a b", MethodToken: "4242424242424242"})
	for _, want := range []string{"--due-days: ", "--policy: ", "--time-zone: ", "--email-domain: ", "--payment-method: looks like a card number"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// The excerpt's bills were added up by hand (another program, exact decimals).
func TestFocusExcerpt(t *testing.T) {
	text, err := os.ReadFile("testdata/focus_excerpt.csv")
	if err != nil {
		t.Fatal(err)
	}
	b, s := readFocus(t, string(text), usual)
	if want := (FocusSummary{Rows: 37, Bills: 11, Zero: 4, Negative: 1}); s != want {
		t.Errorf("summary %+v, want %+v", s, want)
	}
	got := map[billing.AccountID]string{}
	for _, v := range b.Invoices {
		if !v.Invoice.Total.IsZero() {
			got[v.Invoice.AccountID] = v.Invoice.Total.Decimal()
		}
	}
	want := map[billing.AccountID]string{
		accountID("/subscriptions/ed570627-0265-4620-bb42-bae06bcfa914"): "1.58", "11353890204": "3.11", "90054491575": "0.34",
		accountID("ocid6.tenancy.oc6..aaaaaaaa2fs7w19bi9iupcjqv8zayogd78eziinl2hu7rkdvmuhsavhbmkma"): "0.02",
		accountID("ocid6.tenancy.oc6..aaaaaaaalnpeq6xok1okj8vknc9pzancima2g8bwvk2kk9jgwhgycacrie2q"): "0.27",
		accountID("ocid6.tenancy.oc6..aaaaaaaamz7ywh2epitrng9d8a7rj7o6thfwjvz79n1hg9apiq7mvj8rpoia"): "0.24",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	if len(b.Credits) != 1 || b.Credits[0].Credit.Granted.Decimal() != "0.01" {
		t.Errorf("credits %+v", b.Credits)
	}
}

func TestFocusRowsInAnyOrderMakeTheSameBatch(t *testing.T) {
	text, err := os.ReadFile("testdata/focus_excerpt.csv")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := readFocus(t, string(text), usual)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(rows)-1, func(i, j int) { rows[i+1], rows[j+1] = rows[j+1], rows[i+1] })
		b, _ := readFocus(t, strings.Join(rows, "\n"), usual)
		if diff := cmp.Diff(withoutLines(first), withoutLines(b), amounts); diff != "" {
			t.Fatalf("another order, another batch:\n%s", diff)
		}
	}
}

// withoutLines drops the lines of the file, which do depend on its order.
func withoutLines(b billing.Batch) billing.Batch {
	for n := range b.Accounts {
		b.Accounts[n].Line = 0
	}
	for n := range b.Methods {
		b.Methods[n].Line = 0
	}
	for n := range b.Credits {
		b.Credits[n].Line = 0
	}
	for n := range b.Deposits {
		b.Deposits[n].Line = 0
	}
	for n := range b.Invoices {
		b.Invoices[n].Line = 0
	}
	return b
}

// checkSums adds the file up again, its own way, and compares: every row is in exactly one bill, every bill is within half a minor unit of
// its exact sum, every line within one of its own, and lines add up.
func checkSums(t *testing.T, text []byte, b billing.Batch, s FocusSummary) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, byteOrderMark))).ReadAll()
	if err != nil {
		t.Fatalf("an accepted file can't be read again: %v", err)
	}
	exact := new(big.Rat)
	cost := -1
	for n, name := range rows[0] {
		if name == colCost {
			cost = n
		}
	}
	for _, row := range rows[1:] {
		c, ok := new(big.Rat).SetString(row[cost])
		if !ok {
			t.Fatalf("an accepted cost %q is none", row[cost])
		}
		exact.Add(exact, c)
	}
	got := new(big.Rat)
	add := func(a money.Amount, sign int64) {
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(a.Currency().Exponent())), nil)
		got.Add(got, new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(sign), big.NewInt(a.Minor())), unit))
	}
	for _, v := range b.Invoices {
		sum := money.Zero(v.Invoice.Total.Currency())
		for _, l := range v.Invoice.Lines {
			if sum, err = sum.Add(l.Amount); err != nil {
				t.Fatal(err)
			}
		}
		if sum != v.Invoice.Total || sum.IsNegative() {
			t.Fatalf("invoice %s: lines add up to %s, total %s", v.Invoice.ID, sum, v.Invoice.Total)
		}
		add(v.Invoice.Total, 1)
	}
	for _, c := range b.Credits {
		add(c.Credit.Granted, -1)
	}
	if s.Rows != len(rows)-1 || s.Bills != len(b.Invoices)+len(b.Credits) || s.Negative != len(b.Credits) {
		t.Fatalf("summary %+v of %d rows, %d invoices, %d credits", s, len(rows)-1, len(b.Invoices), len(b.Credits))
	}
	// The coarsest minor unit is 1; half of it per bill.
	off := new(big.Rat).Abs(new(big.Rat).Sub(exact, got))
	if off.Cmp(big.NewRat(int64(s.Bills), 2)) > 0 {
		t.Fatalf("the bills are off by %s", off.FloatString(6))
	}
}
