package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFocusImport: bills in FOCUS format become invoices, and every one that asks for money is collected. Importing and scanning again
// change nothing.
func TestFocusImport(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	excerpt := projectFile(t, "intake", "testdata", "focus_excerpt.csv")
	told := s.must(t, "import", "--format", "focus", excerpt)
	numbers := regexp.MustCompile(`make (\d+) bills: (\d+) to collect, (\d+) round to zero`).FindStringSubmatch(told)
	if numbers == nil {
		t.Fatalf("the import says %s", told)
	}
	s.must(t, "starter", "--once")
	invoices := func() []focusInvoice {
		found, err := tryRows[focusInvoice](t, s, `
			select i.id, i.state, i.total_minor, coalesce(c.id, ''), count(t.id), coalesce(sum(t.amount_minor) filter (where t.state = 'succeeded'), 0)::bigint
			  from invoices i left join cases c on c.invoice_id = i.id left join attempts t on t.invoice_id = i.id
			 where i.id ~ ':2024-(09|10):USD$' group by i.id, i.state, i.total_minor, c.id order by 1`)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	eventually(t, 90*time.Second, "every bill is paid", func() error {
		var open []error
		for _, i := range invoices() {
			if i.State != "paid" {
				open = append(open, fmt.Errorf("%s is %s", i.ID, i.State))
			}
		}
		return errors.Join(open...)
	})
	collected, zero := 0, 0
	before := invoices()
	for _, i := range before {
		switch {
		case i.Total == 0 && i.Case == "" && i.Attempts == 0:
			zero++
		case i.Total > 0 && i.Case != "" && i.Attempts == 1 && i.Charged == i.Total:
			collected++
		default:
			t.Errorf("%+v: want it charged once for all of it, or nothing to collect and no case", i)
		}
	}
	if fmt.Sprint(collected) != numbers[2] || fmt.Sprint(zero) != numbers[3] || collected == 0 {
		t.Errorf("%d bills collected, %d of zero; the import said %s", collected, zero, told)
	}
	if again := s.must(t, "import", "--format", "focus", excerpt); !strings.Contains(again, "was imported before; nothing changed") {
		t.Errorf("the second import says %s", again)
	}
	// Other tests' invoices fall due too; between them a scan finds nothing.
	eventually(t, time.Minute, "a scan that finds nothing", func() error {
		if out := s.must(t, "starter", "--once"); !strings.Contains(out, "0 invoices due, 0 cases started, 0 failed.") {
			return errors.New(out)
		}
		return nil
	})
	for n, i := range invoices() {
		if i != before[n] {
			t.Errorf("%+v became %+v", before[n], i)
		}
	}
	s.booksEqualLedger(t)
}

type focusInvoice struct {
	ID, State string
	Total     int64
	Case      string
	Attempts  int
	Charged   int64
}

// TestBadImportLines: a file with anything wrong in it is refused with line and field, and nothing of it is taken in.
func TestBadImportLines(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	const good = `{"kind":"account","id":"flawed","name":"Flawed Files Ltd","time_zone":"UTC","policy":"demo","contacts":[{"name":"A","email":"a@flawed.example.com"}]}`
	const invoice = `{"kind":"invoice","id":"inv-flawed-1","number":"F/1","account":"flawed","due_date":"2025-11-14","currency":"USD","lines":[{"service":"Compute","period_start":"2025-10-01","amount":"10.00"}]}`
	for _, c := range []struct{ name, format, text, want string }{
		{"a wrong amount", "lines", good + "\n" + strings.Replace(invoice, "10.00", "ten", 1), `bad.jsonl:2: invoice.lines[0].amount: `},
		{"a missing date", "lines", good + "\n" + strings.Replace(invoice, `"due_date":"2025-11-14",`, "", 1), `bad.jsonl:2: invoice.due_date: `},
		{"an unknown field", "lines", good + "\n" + strings.Replace(invoice, `"number"`, `"nummer"`, 1), `bad.jsonl:2: invoice.nummer`},
		{"not JSON", "lines", good + "\n{", `bad.jsonl:2: `},
		{"an account nobody knows", "lines", good + "\n" + strings.Replace(invoice, `"account":"flawed"`, `"account":"flawless"`, 1), `bad.jsonl:2: invoice.account: `},
		{"a card number", "lines", good + "\n" + `{"kind":"payment_method","id":"pm-flawed-1","account":"flawed","token":"4242424242424242","method_kind":"card","position":1}`, `bad.jsonl:2: payment_method.token: `},
		{"a wrong column", "focus", "BilledCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ServiceName\nx,USD,flawed,2025-10-01T00:00:00Z,2025-11-01T00:00:00Z,Usage,Compute\n", `bad.jsonl:2: BilledCost: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.jsonl")
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			a := s.run(t, "import", "--format", c.format, path)
			if a.code != 1 || !strings.Contains(a.errs, c.want) || !strings.Contains(a.errs, "nothing of it was imported") {
				t.Errorf("it ended with %d:\n%s%s\nwant 1 and %q", a.code, a.out, a.errs, c.want)
			}
			if strings.Contains(a.errs, "4242424242424242") {
				t.Error("the card number is repeated")
			}
		})
	}
	for _, table := range []string{"accounts where id", "contacts where account_id", "payment_methods where account_id", "invoices where account_id"} {
		if n := one[int](t, s, `select count(*) from `+table+` like 'flaw%'`); n != 0 {
			t.Errorf("%d rows were half-imported: %s", n, table)
		}
	}
	if a := s.run(t, "import", filepath.Join(t.TempDir(), "nowhere.jsonl")); a.code != 1 || !strings.Contains(a.errs, "nowhere.jsonl") {
		t.Errorf("a missing file ended with %d: %s", a.code, a.errs)
	}
}
