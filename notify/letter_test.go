package notify

import (
	"flag"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"recoup/billing"
	"recoup/dunning"
)

var update = flag.Bool("update", false, "write the golden files anew")

var testLinks = Links{BaseURL: "https://billing.example.com"}

func compose(t *testing.T, f billing.NoticeFacts) (l Letter, text, html string) {
	t.Helper()
	l, err := Write(f, testLinks)
	if err != nil {
		t.Fatalf("write %s: %v", f.Kind, err)
	}
	text, html, err = l.Bodies(f.Account, f.Contact, "Example Cloud Billing")
	if err != nil {
		t.Fatalf("lay out %s: %v", f.Kind, err)
	}
	return l, text, html
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestN3Golden pins every kind's words in a two-decimal, a zero-decimal and a three-decimal currency (M1).
func TestN3Golden(t *testing.T) {
	for _, kind := range Kinds() {
		for _, r := range readers {
			l, text, html := compose(t, factsOf(kind, r))
			golden(t, kind+"."+r.currency+".txt", "Subject: "+l.Subject+"\n\n"+text)
			if r.currency == "USD" {
				golden(t, kind+".html", html)
			}
		}
	}
}

// TestN3BothPartsSayTheSame: everything the text states stands in the HTML part too.
func TestN3BothPartsSayTheSame(t *testing.T) {
	for _, kind := range Kinds() {
		for _, r := range readers {
			l, text, page := compose(t, factsOf(kind, r))
			readable := oneLine(html.UnescapeString(page))
			flat := oneLine(text)
			said := append(append([]string{l.ActionLabel, l.ActionURL}, l.Body...), l.Next...)
			for _, row := range l.Rows {
				said = append(said, row.Label, row.Value)
			}
			for _, s := range said {
				if !strings.Contains(readable, s) {
					t.Errorf("%s %s: HTML part lacks %q", kind, r.currency, s)
				}
				if !strings.Contains(flat, s) {
					t.Errorf("%s %s: text part lacks %q", kind, r.currency, s)
				}
			}
		}
	}
}

// TestN3StatesWhatIsNeeded: the kinds that ask for money say how much, for which invoice, with which method, why, what is next, and how
// to pay.
func TestN3StatesWhatIsNeeded(t *testing.T) {
	_, text, _ := compose(t, factsOf("payment_failed", newYork))
	for _, want := range []string{
		"$2,345.67", "2026-0042", "Visa ···4242", "Mastercard ···4444", "There were not enough funds", "The bank declined the payment",
		"November 24, 2026, 9:30 AM (America/New York)", "December 14, 2026", "https://billing.example.com/accounts/acct-ny#invoices",
	} {
		if !strings.Contains(oneLine(text), want) {
			t.Errorf("payment_failed lacks %q:\n%s", want, text)
		}
	}
}

// TestN3NothingButTheLedger walks through what the ledger may say when a failure notice goes out late.
func TestN3NothingButTheLedger(t *testing.T) {
	cases := map[string]struct {
		change     func(f *billing.NoticeFacts)
		want, lack []string
	}{
		"an unconfirmed attempt is neither charged nor failed (F9)": {
			func(f *billing.NoticeFacts) { f.Open = billing.AttemptUnknown },
			[]string{"not confirmed by the bank yet"}, []string{"We will try again"},
		},
		"a debit on its way": {
			func(f *billing.NoticeFacts) { f.Open = billing.AttemptPending },
			[]string{"being processed by the bank"}, []string{"We will try again"},
		},
		"held": {
			func(f *billing.NoticeFacts) {
				f.Case.HeldUntil, f.Case.HeldScopes = testNow.Add(48*time.Hour), []string{"attempts"}
			},
			[]string{"on hold until November 23, 2026"}, []string{"We will try again", "suspended"},
		},
		"the hold is over": {
			func(f *billing.NoticeFacts) { f.Case.HeldUntil, f.Case.HeldScopes = testNow, []string{"attempts"} },
			[]string{"We will try again on"}, []string{"on hold"},
		},
		"no round is left": {
			func(f *billing.NoticeFacts) { f.Case.NextAttemptAt = time.Time{} },
			[]string{"You can pay now"}, []string{"We will try again", "Next attempt"},
		},
		"the date of suspension passed while mail was down": {
			func(f *billing.NoticeFacts) { f.Case.SuspendAt = testNow.Add(-time.Hour) },
			[]string{"can be suspended at any time from now on"}, []string{"is still unpaid on"},
		},
		"already suspended for another invoice": {
			func(f *billing.NoticeFacts) { f.Account.Standing = billing.StandingSuspended },
			[]string{"is suspended already"}, []string{"will be suspended"},
		},
		"no method at all (PM9)": {
			func(f *billing.NoticeFacts) { f.Attempts = nil },
			[]string{"There is no payment method on your account that we can charge"}, []string{"We tried to collect"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := factsOf("payment_failed", newYork)
			c.change(&f)
			_, text, _ := compose(t, f)
			text = oneLine(text)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("lacks %q:\n%s", want, text)
				}
			}
			for _, lack := range c.lack {
				if strings.Contains(text, lack) {
					t.Errorf("must not say %q:\n%s", lack, text)
				}
			}
		})
	}
}

func TestN3ReceiptOfAPart(t *testing.T) {
	f := factsOf("receipt", tokyo)
	f.Invoice = tokyo.invoice("2026-0042", 1000)
	_, text, _ := compose(t, f)
	for _, want := range []string{"￥1,000 of ￥1,234,567 is paid", "￥1,233,567 is still due"} {
		if !strings.Contains(oneLine(text), want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "paid in full") {
		t.Errorf("says paid in full:\n%s", text)
	}
}

var tag = regexp.MustCompile(`(?i)<\s*(script|img|a\s+href="?javascript)`)

// FuzzF8NoInjection: no name, number or label from outside makes a line, a header or markup of its own.
func FuzzF8NoInjection(f *testing.F) {
	for _, s := range []string{
		"A\r\nBcc: victim@example.com", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a\u2028b\u0000c\u202ed", "{{.Due}}",
		"https://evil.example/pay", strings.Repeat("长", 500), "\n\nSubject: x", "Row: value\nAmount due: USD 0.00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range Kinds() {
			clean := factsOf(kind, newYork)
			dirty := clean
			dirty.Account.Name, dirty.Contact.Name, dirty.Invoice.Number = s, s, s
			dirty.Method.Brand, dirty.Method.Last4 = s, s
			want, _, _ := compose(t, clean)
			got, text, page := compose(t, dirty)
			if strings.ContainsAny(got.Subject, "\r\n\x00\u2028\u202e") {
				t.Fatalf("subject %q has a line end or a control character", got.Subject)
			}
			if len(got.Rows) != len(want.Rows) || len(got.Body) != len(want.Body) || len(got.Next) != len(want.Next) {
				t.Fatalf("%s: %q changed the shape of the letter: %+v", kind, s, got)
			}
			if tag.MatchString(page) {
				t.Fatalf("%s: %q made markup", kind, s)
			}
			if strings.ContainsAny(text, "\r\x00\u2028\u202e") {
				t.Fatalf("%s: %q put a control character into the text", kind, s)
			}
		}
	})
}

// TestN1EveryCustomerKindIsWorded, and no wording is left over.
func TestN1EveryCustomerKindIsWorded(t *testing.T) {
	var want []string
	for _, k := range dunning.NoticeKinds() {
		if k.Audience() == dunning.AudienceCustomer {
			want = append(want, string(k))
		}
	}
	sort.Strings(want)
	if diff := cmp.Diff(want, Kinds()); diff != "" {
		t.Errorf("kinds of rule N1 and wordings differ (-rule +worded):\n%s", diff)
	}
}

func TestF6BrokenWordingStillTells(t *testing.T) {
	f := factsOf("payment_failed", newYork)
	f.Kind = "a_kind_nobody_worded"
	l, err := Write(f, testLinks)
	if err == nil {
		t.Error("no error for a kind without wording")
	}
	if !strings.Contains(l.Text(), "$2,345.67") || l.Subject == "" || l.ActionURL == "" {
		t.Errorf("the plain letter says too little: %+v", l)
	}
	f.Invoice.Allocated = tokyo.amount(1) // the ledger's amounts can't be worked out
	if l, err = Write(f, testLinks); err == nil || l.Subject == "" || l.ActionURL == "" {
		t.Errorf("broken facts: letter %+v, error %v", l, err)
	}
}

// TestI18KeptTextHoldsNoPerson: what is kept of a notice holds neither the reader's name nor address; erasing contacts erases them.
func TestI18KeptTextHoldsNoPerson(t *testing.T) {
	for _, kind := range Kinds() {
		for _, r := range readers {
			l, _, _ := compose(t, factsOf(kind, r))
			for _, person := range []string{r.contact.Name, r.contact.Email, r.account.Name} {
				if kept := l.Subject + l.Text(); strings.Contains(kept, person) {
					t.Errorf("%s keeps %q:\n%s", kind, person, kept)
				}
			}
		}
	}
}

func TestGreeting(t *testing.T) {
	for name, want := range map[string]string{
		"Ada Moore": "Hello Ada Moore,", "": "Hello,", "https://evil.example": "Hello,", "www.evil.example win": "Hello,",
		"  A\nB ": "Hello A B,",
	} {
		if got := greeting(name); got != want {
			t.Errorf("greeting(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestLinks(t *testing.T) {
	if got := testLinks.pay("a/b"); got != "https://billing.example.com/accounts/a%2Fb#invoices" {
		t.Errorf("pay link %s", got)
	}
	for _, bad := range []string{"", "billing.example.com", "ftp://x", "javascript:alert(1)"} {
		if (Links{BaseURL: bad}).Check() == nil {
			t.Errorf("base URL %q accepted", bad)
		}
	}
	if err := testLinks.Check(); err != nil {
		t.Error(err)
	}
}
