package console_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/console"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate, store.MigrationFiles) }

func migrate(ctx context.Context, url string) error {
	_, err := store.Migrate(ctx, url)
	return err
}

// shop is a console over a store on a database of its own. The store's clock is moved by the test; it ends at the real time, by which
// pages say what is due.
type shop struct {
	*store.Store
	t    testing.TB
	now  time.Time
	web  *httptest.Server
	live *console.Live
	logs *lockedText
}

// lockedText gathers the log of handlers that run at once.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newShop(t testing.TB, change ...func(*console.Options)) *shop {
	t.Helper()
	s, err := store.Open(context.Background(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h := &shop{Store: s, t: t, now: time.Now(), logs: &lockedText{}}
	s.SetNow(func() time.Time { return h.now })
	log := slog.New(slog.NewTextHandler(h.logs, nil))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.logs.String())
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	h.live = console.NewLive(s, log, 50*time.Millisecond)
	ended := make(chan struct{})
	go func() { defer close(ended); h.live.Run(ctx) }()
	o := console.Options{Store: s, Resolver: s, Policies: s, Batches: s, Own: s, Live: h.live, TemporalUI: "http://temporal.example/", Namespace: "recoup", Log: log}
	for _, c := range change {
		c(&o)
	}
	h.web = httptest.NewServer(console.New(o))
	t.Cleanup(func() { cancel(); <-ended; h.web.Close() })
	return h
}

func (h *shop) exec(query string, args ...any) {
	h.t.Helper()
	if _, err := h.Pool().Exec(context.Background(), query, args...); err != nil {
		h.t.Fatalf("%s: %v", query, err)
	}
}

func (h *shop) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// account adds an account with a contact and cards, in order: "visa 4242".
func (h *shop) account(id, name, zone string, cards ...string) {
	h.t.Helper()
	h.exec(`insert into accounts (id, name, time_zone, policy) values ($1, $2, $3, 'standard')`, id, name, zone)
	h.exec(`insert into contacts (account_id, position, name, email) values ($1, 1, 'Billing', $1 || '@example.com')`, id)
	for n, card := range cards {
		brand, last4, _ := strings.Cut(card, " ")
		h.exec(`insert into payment_methods (id, account_id, gateway, token, customer_token, kind, brand, last4, expiry_month, expiry_year, position)
			values ($1, $2, 'stripe', 'pm_secret_token', 'cus_secret_token', 'card', $3, $4, 12, 2034, $5)`,
			fmt.Sprintf("%s-pm%d", id, n+1), id, brand, last4, n+1)
	}
}

func (h *shop) batch(name string, b billing.Batch) {
	h.t.Helper()
	_, err := h.Import(context.Background(), store.ImportInput{File: name, Format: "test", Digest: sha256.Sum256([]byte(name)), Batch: b})
	h.must(err)
}

func (h *shop) invoice(id, number, account string, total money.Amount) {
	h.t.Helper()
	h.batch(id, billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
		ID: billing.InvoiceID(id), Number: number, AccountID: billing.AccountID(account), State: billing.InvoiceOpen,
		DueDate: h.now.AddDate(0, 0, -2).Format(time.DateOnly), Total: total, Allocated: money.Zero(total.Currency()),
		Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, Amount: total,
			PeriodStart: time.Date(h.now.Year(), h.now.Month()-1, 1, 0, 0, 0, 0, time.UTC)}},
	}}}})
	h.exec(`update invoices set collect_at = $2 where id = $1`, id, h.now)
}

func (h *shop) credit(id, account string, amount money.Amount) {
	h.t.Helper()
	h.batch("credit "+id, billing.Batch{Credits: []billing.BatchCredit{{Line: 1, Credit: billing.Credit{
		ID: billing.CreditID(id), AccountID: billing.AccountID(account), Enabled: true, Granted: amount, Remaining: amount,
		StartsOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Reason: "Welcome"}}}})
}

func (h *shop) deposit(id, account string, amount money.Amount) {
	h.t.Helper()
	h.batch("deposit "+id, billing.Batch{Deposits: []billing.BatchDeposit{{Line: 1, SettledOn: h.now.AddDate(0, 0, -9).Format(time.DateOnly),
		Deposit: billing.Deposit{ID: billing.DepositID(id), AccountID: billing.AccountID(account), State: billing.DepositSettled,
			Reference: "WIRE-" + id, Amount: amount, Remaining: amount}}}})
}

// open opens a case and takes its first step.
func (h *shop) open(invoice string) (billing.CaseID, dunning.Step) {
	h.t.Helper()
	c, err := h.OpenCase(context.Background(), billing.InvoiceID(invoice))
	h.must(err)
	step, err := h.Review(context.Background(), c.ID)
	h.must(err)
	return c.ID, step
}

const keyWindow = 23 * time.Hour

// charge makes the attempt that the step asks for, with the gateway answering so.
func (h *shop) charge(id billing.CaseID, step dunning.Step, answer billing.Answer) dunning.Step {
	h.t.Helper()
	ctx := context.Background()
	if step.Do != dunning.DoCharge {
		h.t.Fatalf("%s: next is %s (%s), not a charge", id, step.Do, step.Why)
	}
	c, _, err := h.BeginAttempt(ctx, id, step.Method, keyWindow)
	h.must(err)
	h.must(h.MarkSent(ctx, c.Attempt, keyWindow))
	if answer.State == billing.AttemptSucceeded {
		answer.Captured = c.Amount
	}
	h.now = h.now.Add(700 * time.Millisecond)
	next, err := h.RecordAnswer(ctx, id, c.Attempt, answer)
	h.must(err)
	return next
}

var (
	succeeded = billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_success"}
	noFunds   = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", NetworkCode: "51", Reference: "pi_declined",
		Message: "The card has insufficient funds to complete the purchase."}
	lostCard = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "lost_card", Reference: "pi_lost"}
	unknown  = billing.Answer{State: billing.AttemptUnknown, Message: "no answer within 20 s"}
)

func amount(text string) money.Amount {
	code, number, _ := strings.Cut(text, " ")
	a, err := money.ParseDecimal(number, money.MustCurrency(code))
	if err != nil {
		panic(err)
	}
	return a
}

// client keeps cookies, as a browser does, and shows redirects instead of following them.
func (h *shop) client() *http.Client {
	jar, err := cookiejar.New(nil)
	h.must(err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// page is an answer with its body read.
type page struct {
	status int
	header http.Header
	body   string
}

func (h *shop) get(path string) page {
	h.t.Helper()
	answer, err := h.client().Get(h.web.URL + path)
	h.must(err)
	return h.read(answer)
}

func (h *shop) read(answer *http.Response) page {
	h.t.Helper()
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	h.must(err)
	return page{answer.StatusCode, answer.Header, string(body)}
}

// has fails unless the page holds every text.
func (h *shop) has(p page, texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			h.t.Errorf("status %d: %q is missing in:\n%s", p.status, text, mainOf(p.body))
		}
	}
}

func (h *shop) hasNot(p page, texts ...string) {
	h.t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			h.t.Errorf("status %d: %q must not be in:\n%s", p.status, text, mainOf(p.body))
		}
	}
}

func mainOf(body string) string {
	if at := strings.Index(body, "<main"); at >= 0 {
		return body[at:]
	}
	return body
}

// form reads the hidden fields of a case's form, as a browser would send them back.
func formFields(body string, kind billing.ResolutionKind) url.Values {
	v := url.Values{"kind": {string(kind)}, "reason": {"The customer called"}, "actor": {"Ada"}}
	for _, name := range []string{"token", "request_id"} {
		_, after, _ := strings.Cut(body, `name="`+name+`" value="`)
		value, _, _ := strings.Cut(after, `"`)
		v.Set(name, value)
	}
	return v
}
