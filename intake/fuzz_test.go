package intake

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recoup/billing"
)

// FuzzReadLines: whatever is accepted can be written again and reads back as the same batch; ids are usable, sums fit, nothing looks like a
// card number, and the schema accepts every line of it.
func FuzzReadLines(f *testing.F) {
	for _, line := range []string{goodAccount, goodMethod, goodCredit, goodDeposit, goodInvoice, goodAccount + "\n" + goodInvoice, "{}", "null"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ReadLines(bytes.NewReader(text))
		if err != nil {
			return
		}
		again := writeLines(t, b)
		back, err := ReadLines(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("what was accepted is refused when written again: %v\n%s", err, again)
		}
		if diff := cmp.Diff(withoutLines(b), withoutLines(back), amounts); diff != "" {
			t.Fatalf("reads back differently:\n%s", diff)
		}
		for _, v := range b.Invoices {
			if billing.CheckID(string(v.Invoice.ID)) != nil || v.Invoice.Total.IsNegative() || len(v.Invoice.Lines) == 0 {
				t.Fatalf("invoice %+v", v.Invoice)
			}
		}
		for _, line := range strings.Split(strings.TrimSpace(string(again)), "\n") {
			if !schemaAccepts(t, line) {
				t.Fatalf("the schema refuses %s", line)
			}
			var strs any
			if json.Unmarshal([]byte(line), &strs) == nil {
				eachString(strs, func(s string) {
					if cardLike(s) {
						t.Fatalf("a card number got in: %s", line)
					}
				})
			}
		}
	})
}

func eachString(v any, see func(string)) {
	switch v := v.(type) {
	case string:
		see(v)
	case []any:
		for _, e := range v {
			eachString(e, see)
		}
	case map[string]any:
		for _, e := range v {
			eachString(e, see)
		}
	}
}

// writeLines is the inverse of ReadLines.
func writeLines(t *testing.T, b billing.Batch) []byte {
	t.Helper()
	var out bytes.Buffer
	line := func(v map[string]any) {
		for k, x := range v {
			if x == "" || x == 0 || x == false {
				delete(v, k) // null and needless fields are refused or ignored
			}
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range b.Accounts {
		contacts := []any{}
		for _, c := range a.Contacts {
			contacts = append(contacts, map[string]any{"name": c.Name, "email": c.Email})
		}
		line(map[string]any{"kind": "account", "id": a.Account.ID, "name": a.Account.Name, "parent": string(a.Account.ParentID), "time_zone": a.Account.TimeZone,
			"locale": a.Account.Locale, "country": a.Account.Country, "plan": a.Account.Plan, "policy": a.Account.Policy, "credit_sharing": a.Account.CreditSharing, "contacts": contacts})
	}
	for _, m := range b.Methods {
		expiry := ""
		if m.Method.ExpiryYear > 0 {
			expiry = time.Date(m.Method.ExpiryYear, time.Month(m.Method.ExpiryMonth), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
		}
		line(map[string]any{"kind": "payment_method", "id": m.Method.ID, "account": m.Method.AccountID, "gateway": m.Method.Gateway, "token": m.Method.Token,
			"customer_token": m.Method.CustomerToken, "method_kind": m.Method.Kind, "brand": m.Method.Brand, "last4": m.Method.Last4, "expiry": expiry,
			"currency": m.Method.Currency, "position": m.Method.Position})
	}
	for _, c := range b.Credits {
		v := map[string]any{"kind": "credit", "id": c.Credit.ID, "account": c.Credit.AccountID, "amount": c.Credit.Granted.Decimal(),
			"currency": c.Credit.Granted.Currency().Code(), "starts_on": c.Credit.StartsOn.Format(time.DateOnly), "expires_on": c.ExpiresOn, "reason": c.Credit.Reason}
		if c.Credit.Services != nil {
			v["services"] = c.Credit.Services
		}
		if c.Credit.IncludedKinds != nil {
			v["included_kinds"] = c.Credit.IncludedKinds
		}
		line(v)
	}
	for _, d := range b.Deposits {
		line(map[string]any{"kind": "deposit", "id": d.Deposit.ID, "account": d.Deposit.AccountID, "amount": d.Deposit.Amount.Decimal(),
			"currency": d.Deposit.Amount.Currency().Code(), "reference": d.Deposit.Reference, "settled_on": d.SettledOn})
	}
	for _, v := range b.Invoices {
		lines := []any{}
		for _, l := range v.Invoice.Lines {
			lines = append(lines, map[string]any{"service": l.Service, "charge_kind": l.ChargeKind, "description": l.Description,
				"period_start": l.PeriodStart.Format(time.DateOnly), "amount": l.Amount.Decimal()})
		}
		line(map[string]any{"kind": "invoice", "id": v.Invoice.ID, "number": v.Invoice.Number, "account": v.Invoice.AccountID, "due_date": v.Invoice.DueDate,
			"currency": v.Invoice.Total.Currency().Code(), "total": v.Invoice.Total.Decimal(), "marketplace": v.Invoice.Marketplace, "lines": lines})
	}
	return out.Bytes()
}

// FuzzReadFocus: whatever is accepted loses nothing: every row is in a bill, bills are within rounding of the file's exact sum, lines add up,
// ids are usable, and reading again gives the same.
func FuzzReadFocus(f *testing.F) {
	excerpt, err := os.ReadFile("testdata/focus_excerpt.csv")
	if err != nil {
		f.Fatal(err)
	}
	rows := bytes.SplitAfter(excerpt, []byte("\n"))
	f.Add(bytes.Join(rows[:4], nil))
	f.Add([]byte(bills(bill1("C", "1", "Usage", "acct"), bill1("D", "-3.125", "Credit", "b"), bill1("D", "1e-3", "Tax", "4242424242424242"))))
	f.Add([]byte("\xef\xbb\xbf" + bills(bill1(`"a""b"`, "0.5", "Purchase", "NULL"))))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, s, err := ReadFocus(bytes.NewReader(text), usual)
		if err != nil {
			return
		}
		checkSums(t, text, b, s)
		seen := map[string]bool{}
		for _, a := range b.Accounts {
			if seen["a"+string(a.Account.ID)] || billing.CheckID(string(a.Account.ID)) != nil {
				t.Fatalf("account %q", a.Account.ID)
			}
			seen["a"+string(a.Account.ID)] = true
		}
		for _, v := range b.Invoices {
			if seen["i"+string(v.Invoice.ID)] || billing.CheckID(string(v.Invoice.ID)) != nil || !seen["a"+string(v.Invoice.AccountID)] {
				t.Fatalf("invoice %q of %q", v.Invoice.ID, v.Invoice.AccountID)
			}
			seen["i"+string(v.Invoice.ID)] = true
		}
		again, _, err := ReadFocus(bytes.NewReader(text), usual)
		if err != nil || !cmp.Equal(b, again, amounts) {
			t.Fatalf("reading again differs: %v", err)
		}
	})
}
