package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"recoup/billing"
	"recoup/money"
)

// One good line of each kind, with every field.
const (
	goodAccount = `{"kind":"account","id":"acme","name":"Acme","parent":"owner","time_zone":"Europe/Berlin","locale":"de-DE","country":"DE","plan":"gold","policy":"fast","credit_sharing":true,"contacts":[{"name":"Ada","email":"ada@example.com"},{"email":"ap@example.com"}]}`
	goodMethod  = `{"kind":"payment_method","id":"pm-1","account":"acme","gateway":"stripe","token":"pm_card_visa","customer_token":"cus_1","method_kind":"card","brand":"visa","last4":"4242","expiry":"2027-11","currency":"EUR","position":1}`
	goodCredit  = `{"kind":"credit","id":"credit-1","account":"acme","amount":"12.50","currency":"EUR","starts_on":"2026-01-01","expires_on":"2026-12-31","services":["Compute"],"included_kinds":["tax"],"reason":"goodwill"}`
	goodDeposit = `{"kind":"deposit","id":"dep-1","account":"acme","amount":"1000","currency":"JPY","reference":"WIRE-1","settled_on":"2026-10-02"}`
	goodInvoice = `{"kind":"invoice","id":"inv-1","number":"2026/1","account":"acme","due_date":"2026-11-30","currency":"EUR","total":"9.50","marketplace":true,"lines":[{"service":"Compute","charge_kind":"usage","description":"October","period_start":"2026-10-01","amount":"10.00"},{"service":"Compute","charge_kind":"adjustment","period_start":"2026-10-01","amount":"-0.50"}]}`
)

func read(t *testing.T, lines ...string) billing.Batch {
	t.Helper()
	b, err := ReadLines(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}

// amounts compare by value: their fields are private.
var amounts = cmp.Comparer(func(a, b money.Amount) bool { return a == b })

func TestReadLinesReadsEveryField(t *testing.T) {
	eur, jpy := money.MustCurrency("EUR"), money.MustCurrency("JPY")
	day := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := billing.Batch{
		Accounts: []billing.BatchAccount{{Line: 1,
			Account:  billing.Account{ID: "acme", Name: "Acme", ParentID: "owner", TimeZone: "Europe/Berlin", Locale: "de-DE", Country: "DE", Plan: "gold", Policy: "fast", CreditSharing: true, Standing: billing.StandingActive},
			Contacts: []billing.Contact{{AccountID: "acme", Position: 1, Name: "Ada", Email: "ada@example.com"}, {AccountID: "acme", Position: 2, Email: "ap@example.com"}}}},
		Methods: []billing.BatchMethod{{Line: 2, Method: billing.PaymentMethod{ID: "pm-1", AccountID: "acme", Gateway: "stripe", Token: "pm_card_visa", CustomerToken: "cus_1",
			Kind: billing.MethodCard, Brand: "visa", Last4: "4242", ExpiryMonth: 11, ExpiryYear: 2027, Currency: "EUR", Position: 1, State: billing.MethodActive}}},
		Credits: []billing.BatchCredit{{Line: 4, ExpiresOn: "2026-12-31", Credit: billing.Credit{ID: "credit-1", AccountID: "acme", Enabled: true, Granted: money.New(1250, eur),
			Remaining: money.New(1250, eur), StartsOn: day("2026-01-01"), Services: []string{"Compute"}, IncludedKinds: []billing.ChargeKind{billing.ChargeTax}, Reason: "goodwill"}}},
		Deposits: []billing.BatchDeposit{{Line: 5, SettledOn: "2026-10-02", Deposit: billing.Deposit{ID: "dep-1", AccountID: "acme", State: billing.DepositSettled, Reference: "WIRE-1",
			Amount: money.New(1000, jpy), Remaining: money.New(1000, jpy)}}},
		Invoices: []billing.BatchInvoice{{Line: 6, Invoice: billing.Invoice{ID: "inv-1", Number: "2026/1", AccountID: "acme", State: billing.InvoiceOpen, DueDate: "2026-11-30",
			Total: money.New(950, eur), Allocated: money.Zero(eur), Marketplace: true, Lines: []billing.Line{
				{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, Description: "October", PeriodStart: day("2026-10-01"), Amount: money.New(1000, eur)},
				{Position: 2, Service: "Compute", ChargeKind: billing.ChargeAdjustment, PeriodStart: day("2026-10-01"), Amount: money.New(-50, eur)},
			}}}},
	}
	// A byte order mark, an empty line and carriage returns are what editors leave behind.
	got := read(t, "\xef\xbb\xbf"+goodAccount, goodMethod+"\r", "", goodCredit, goodDeposit, goodInvoice, "")
	if diff := cmp.Diff(want, got, amounts); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
}

func TestReadLinesFillsDefaults(t *testing.T) {
	b := read(t, `{"kind":"account","id":"a","name":"A"}`,
		`{"kind":"payment_method","id":"p","account":"a","token":"pm_x","method_kind":"sepa_debit"}`,
		`{"kind":"deposit","id":"d","account":"a","amount":"1","currency":"USD","reference":"R"}`,
		`{"kind":"invoice","id":"i","account":"a","due_date":"2026-11-30","currency":"USD","lines":[{"service":"S","period_start":"2026-10-01","amount":"0"}]}`)
	a, m, d, i := b.Accounts[0].Account, b.Methods[0].Method, b.Deposits[0].Deposit, b.Invoices[0].Invoice
	if a.TimeZone != "UTC" || a.Locale != "en-US" || a.Policy != "" || a.Plan != "" || a.CreditSharing {
		t.Errorf("account: %+v", a)
	}
	if m.Gateway != "stripe" || m.Currency != "EUR" || m.Position != 0 {
		t.Errorf("method: %+v", m)
	}
	if d.State != billing.DepositPending {
		t.Errorf("a deposit without a date is %s", d.State)
	}
	if i.Number != "i" || i.Lines[0].ChargeKind != billing.ChargeUsage || !i.Total.IsZero() {
		t.Errorf("invoice: %+v", i)
	}
}

// edit replaces one part of a good line.
func edit(line, old, new string) string {
	if !strings.Contains(line, old) {
		panic("no " + old + " in " + line)
	}
	return strings.Replace(line, old, new, 1)
}

func TestReadLinesNamesLineAndField(t *testing.T) {
	for _, c := range []struct {
		line, want string
		schema     bool // the JSON Schema refuses it too
	}{
		{`not json`, "1: is no JSON", true},
		{`{"kind":"account","id":"a","name":"A"} {}`, "1: is no JSON", true},
		{`[]`, "1: must be an object, not a list", true},
		{`{"id":"a"}`, "1: kind: must be given", true},
		{`{"kind":"refund"}`, `1: kind: "refund" is none of`, true},
		{`{"kind":null}`, "1: kind: must not be null", true},
		{edit(goodAccount, `"name"`, `"nmae"`), "1: account.nmae: is no field", true},
		{edit(goodAccount, `"name"`, `"Name"`), "1: account.Name: is no field", true},
		{edit(goodAccount, `"name":"Acme"`, `"name":"Acme","name":"Acme"`), "1: name: is given twice", false},
		{edit(goodAccount, `"name":"Acme",`, ``), "1: account.name: must be given", true},
		{edit(goodAccount, `"Acme"`, `7`), "1: account.name: must be a string, not this number", true},
		{edit(goodAccount, `"Acme"`, `null`), "1: account.name: must not be null", true},
		{edit(goodAccount, `"acme"`, `"a b"`), "1: account.id: ", true},
		{edit(goodAccount, `"acme"`, `"4242424242424242"`), "1: account.id: looks like a card number", false},
		{edit(goodAccount, `"Acme"`, `"4242 4242-4242 4242"`), "1: account.name: looks like a card number", false},
		{edit(goodAccount, `"owner"`, `"acme"`), "1: account.parent: must be another", false},
		{edit(goodAccount, `Europe/Berlin`, `Europe/Berlim`), "1: account.time_zone: ", false},
		{edit(goodAccount, `Europe/Berlin`, `Local`), "1: account.time_zone: ", false},
		{edit(goodAccount, `de-DE`, `de_DE`), "1: account.locale: ", false},
		{edit(goodAccount, `"DE"`, `"ZZ"`), "1: account.country: ", false},
		{edit(goodAccount, `"DE"`, `"Germany"`), "1: account.country: ", true},
		{edit(goodAccount, `"fast"`, `"Slow"`), "1: account.policy: \"Slow\" is no policy's name", true},
		{edit(goodAccount, `"gold"`, `"gold plan"`), "1: account.plan: \"gold plan\" must be 1 to 64", true},
		{edit(goodAccount, `"gold"`, `"4242424242424242"`), "1: account.plan: looks like a card number", false},
		{edit(goodAccount, `true`, `"yes"`), "1: account.credit_sharing: must be true or false", true},
		{edit(goodAccount, `ada@example.com`, `Ada <ada@example.com>`), "1: account.contacts[0].email: must be one plain", false},
		{edit(goodAccount, `ap@example.com`, `ADA@example.com`), "1: account.contacts[1].email: is there twice", false},
		{edit(goodAccount, `"email":"ap`, `"mail":"ap`), "1: account.contacts[1].mail: is no field", true},
		{edit(goodMethod, `"stripe"`, `"adyen"`), "1: payment_method.gateway: ", true},
		{edit(goodMethod, `pm_card_visa`, `4242424242424242`), "1: payment_method.token: looks like a card number", false},
		{edit(goodMethod, `"pm_card_visa"`, `"pm card"`), "1: payment_method.token: ", true},
		{edit(goodMethod, `"card"`, `"cash"`), "1: payment_method.method_kind: ", true},
		{edit(goodMethod, `2027-11`, `11/27`), "1: payment_method.expiry: ", true},
		{edit(goodMethod, `4242"`, `42424"`), "1: payment_method.last4: ", true},
		{edit(goodMethod, `"position":1`, `"position":1.5`), "1: payment_method.position: ", true},
		{edit(goodMethod, `"position":1`, `"position":-1`), "1: payment_method.position: ", true},
		{edit(goodCredit, `"12.50"`, `12.50`), "1: credit.amount: must be a string", true},
		{edit(goodCredit, `12.50`, `12.505`), "1: credit.amount: ", false},
		{edit(goodCredit, `12.50`, `-12.50`), "1: credit.amount: must be above zero", true},
		{edit(goodCredit, `12.50`, `0.00`), "1: credit.amount: must be above zero", false},
		{edit(goodCredit, `12.50`, `1e3`), "1: credit.amount: ", true},
		{edit(goodCredit, `EUR`, `EUX`), "1: credit.currency: ", false},
		{edit(goodCredit, `2026-01-01`, `2026-13-01`), "1: credit.starts_on: ", false},
		{edit(goodCredit, `2026-12-31`, `2025-12-31`), "1: credit.expires_on: is before starts_on", false},
		{edit(goodCredit, `["tax"]`, `["usage"]`), "1: credit.included_kinds[0]: ", true},
		{edit(goodCredit, `["Compute"]`, `[""]`), "1: credit.services[0]: must be given", true},
		{edit(goodDeposit, `"1000"`, `"1000.5"`), "1: deposit.amount: ", false},
		{edit(goodDeposit, `WIRE-1`, ``), "1: deposit.reference: must be given", true},
		{edit(goodInvoice, `"due_date":"2026-11-30",`, ``), "1: invoice.due_date: must be given", true},
		{edit(goodInvoice, `2026-11-30`, `0206-11-30`), "1: invoice.due_date: ", true},
		{edit(goodInvoice, `"9.50"`, `"9.49"`), "1: invoice.total: is EUR 9.49, but the lines add up to EUR 9.50", false},
		{edit(goodInvoice, `-0.50`, `-10.50`), "1: invoice.lines: add up to EUR -0.50", false},
		{edit(goodInvoice, `10.00`, `10,00`), "1: invoice.lines[0].amount: ", true},
		{edit(goodInvoice, `"adjustment"`, `"gift"`), "1: invoice.lines[1].charge_kind: ", true},
		{edit(goodInvoice, `"period_start":"2026-10-01","amount":"-`, `"amount":"-`), "1: invoice.lines[1].period_start: must be given", true},
		{edit(goodInvoice, `10.00`, `92233720368547758.07`), "", false},
		{edit(goodInvoice, `10.00`, `92233720368547758.08`), "1: invoice.lines[0].amount: ", false},
	} {
		_, err := ReadLines(strings.NewReader(c.line))
		var problems *billing.BatchProblems
		if c.want == "" {
			c.want = "1: invoice.total: " // the file's own total no longer fits
		}
		if !errors.As(err, &problems) || !strings.HasPrefix(problems.First[0].String(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.line, err, c.want)
		}
		if valid := schemaAccepts(t, c.line); c.schema == valid {
			t.Errorf("%s\nschema accepts it: %v", c.line, valid)
		}
	}
}

func TestReadLinesLooksAtTheWholeFile(t *testing.T) {
	_, err := ReadLines(strings.NewReader(strings.Join([]string{
		`{"kind":"account","id":"a","name":"A","parent":"b"}`,
		`{"kind":"account","id":"b","name":"B","parent":"c"}`,
		`{"kind":"account","id":"a","name":"A"}`,
		edit(goodMethod, `acme`, `a`),
		edit(edit(goodMethod, `acme`, `a`), `pm-1`, `pm-2`),
		`nonsense`,
	}, "\n")))
	want := []string{
		"f:1: account.parent: b has a parent itself: an organisation has one owning account and no levels below",
		"f:3: account.id: a is on line 1 already",
		"f:5: payment_method.position: 1 of account a is taken by line 4",
		"f:6: is no JSON: invalid character 'o' in literal null (expecting 'u')",
	}
	var problems *billing.BatchProblems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(want, problems.Lines("f")); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// I18 keeps card numbers out; a period of two dates is none, whatever its digits add up to.
func TestI18CardNumbersAreRefusedAndPeriodsAreNot(t *testing.T) {
	for day := 1; day <= 31; day++ {
		read(t, edit(goodInvoice, `"October"`, fmt.Sprintf(`"2026-10-%02d - 2026-11-01"`, day)))
	}
	for _, card := range []string{"4242 4242 4242 4242", "4242-4242-4242-4242", "card 378282246310005", "4242424242424242 2026-10-14"} {
		_, err := ReadLines(strings.NewReader(edit(goodInvoice, `October`, card)))
		if err == nil || !strings.Contains(err.Error(), "looks like a card number") {
			t.Errorf("%q: %v", card, err)
		}
	}
}

func TestReadLinesStopsListingAtTwenty(t *testing.T) {
	_, err := ReadLines(strings.NewReader(strings.Repeat("{}\n", 33)))
	var problems *billing.BatchProblems
	if !errors.As(err, &problems) || len(problems.First) != billing.BatchProblemsMax || problems.More != 13 {
		t.Fatalf("got %v", err)
	}
	if lines := problems.Lines("f"); lines[20] != "… and 13 more" {
		t.Errorf("last line %q", lines[20])
	}
}

func TestReadLinesRefusesEmptyAndEndless(t *testing.T) {
	if _, err := ReadLines(strings.NewReader("\n\n")); err == nil || !strings.Contains(err.Error(), "nothing to import") {
		t.Errorf("empty: %v", err)
	}
	endless := `{"kind":"account","name":"` + strings.Repeat("x", LineBytesMax) + `"}`
	if _, err := ReadLines(strings.NewReader(endless)); err == nil || !strings.Contains(err.Error(), "line of more than") {
		t.Errorf("endless: %v", err)
	}
}

// The sample files are good, and their schema says so too.
func TestExamplesAreGood(t *testing.T) {
	for file, accounts := range map[string]int{"../examples/story.jsonl": 50, "../examples/story-later.jsonl": 0} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ReadLines(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(b.Accounts) != accounts {
			t.Errorf("%s: %d accounts, want %d", file, len(b.Accounts), accounts)
		}
		for n, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			if !schemaAccepts(t, string(line)) {
				t.Errorf("%s:%d: the schema refuses it", file, n+1)
			}
		}
	}
	for _, line := range []string{goodAccount, goodMethod, goodCredit, goodDeposit, goodInvoice} {
		if !schemaAccepts(t, line) {
			t.Errorf("the schema refuses %s", line)
		}
	}
}

var schema *jsonschema.Schema

// schemaAccepts checks one line against docs/import.schema.json.
func schemaAccepts(t *testing.T, line string) bool {
	t.Helper()
	if schema == nil {
		var err error
		if schema, err = jsonschema.NewCompiler().Compile("../docs/import.schema.json"); err != nil {
			t.Fatal(err)
		}
	}
	var v any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return false
	}
	return schema.Validate(v) == nil
}
