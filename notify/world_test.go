package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/notify"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		_, err := store.Migrate(ctx, url)
		return err
	}, store.MigrationFiles)
}

var usd = money.MustCurrency("USD")

// world is the real store on a database of its own, a mail server, and a dispatcher between them, with a clock that the test moves.
type world struct {
	t      *testing.T
	store  *store.Store
	office *postOffice
	d      *notify.Dispatcher
	logged *lockedBuffer

	mu  sync.Mutex
	now time.Time
}

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(context.Background(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{t: t, store: s, office: openPostOffice(t, ""), now: noon, logged: &lockedBuffer{}}
	s.SetNow(func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now })
	w.d = &notify.Dispatcher{
		Notices: s, Mailer: newMailer(t, w.office.addr), Links: notify.Links{BaseURL: "https://billing.example.com"},
		Log: slog.New(slog.NewTextHandler(w.logged, nil)),
	}
	return w
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.store.Pool().Exec(context.Background(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func scan[T any](w *world, query string, args ...any) T {
	w.t.Helper()
	var v T
	if err := w.store.Pool().QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// once runs the dispatcher until nothing is due any more.
func (w *world) once() {
	w.t.Helper()
	for {
		n, err := w.d.Once(context.Background())
		w.must(err)
		if n == 0 {
			return
		}
	}
}

// records lists an account's records by e-mail: "payment_failed 1 sent".
func (w *world) records() string {
	w.t.Helper()
	return scan[string](w, `select coalesce(string_agg(kind || ' ' || recipient || ' ' || state, ', ' order by kind, recipient), '')
		from notices where channel = 'email'`)
}

// failed plays a round whose only attempt is declined: a failure notice is queued on both channels.
func (w *world) failed(invoice, account string) billing.CaseID {
	w.t.Helper()
	return w.charged(invoice, account, billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", Reference: "pi_1"})
}

// paid plays a round whose only attempt succeeds: a receipt is queued on both channels.
func (w *world) paid(invoice, account string) billing.CaseID {
	w.t.Helper()
	return w.charged(invoice, account, billing.Answer{State: billing.AttemptSucceeded, Captured: money.New(4900, usd), Reference: "pi_2"})
}

const keyWindow = 23 * time.Hour

func (w *world) charged(invoice, account string, answer billing.Answer) billing.CaseID {
	w.t.Helper()
	ctx := context.Background()
	w.exec(`insert into accounts (id, name, time_zone, policy) values ($1, 'Hudson Bakery', 'UTC', 'standard')`, account)
	w.exec(`insert into contacts (account_id, position, name, email) values ($1, 1, 'Ada Moore', $1 || '@example.com')`, account)
	w.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
		values ('pm-' || $1, $1, 'stripe', 'pm_card_visa', 'card', 'visa', '4242', 1, $2)`, account, noon)
	_, err := w.store.Import(ctx, store.ImportInput{File: invoice, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", invoice))),
		Batch: billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
			ID: billing.InvoiceID(invoice), Number: "N-" + invoice, AccountID: billing.AccountID(account), State: billing.InvoiceOpen,
			DueDate: "2026-11-01", Total: money.New(4900, usd), Allocated: money.Zero(usd),
			Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage,
				PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(4900, usd)}},
		}}}}})
	w.must(err)
	w.exec(`update invoices set collect_at = $2 where id = $1`, invoice, noon)
	opened, err := w.store.OpenCase(ctx, billing.InvoiceID(invoice))
	w.must(err)
	step, err := w.store.Review(ctx, opened.ID)
	w.must(err)
	if step.Do != dunning.DoCharge {
		w.t.Fatalf("next is %s (%s), not a charge", step.Do, step.Why)
	}
	charge, _, err := w.store.BeginAttempt(ctx, opened.ID, step.Method, keyWindow)
	w.must(err)
	w.must(w.store.MarkSent(ctx, charge.Attempt, keyWindow))
	_, err = w.store.RecordAnswer(ctx, opened.ID, charge.Attempt, answer)
	w.must(err)
	return opened.ID
}

// payWithFunds settles the case's invoice from advance funds.
func (w *world) payWithFunds(account string, id billing.CaseID) {
	w.t.Helper()
	ctx := context.Background()
	name := "funds of " + account
	_, err := w.store.Import(ctx, store.ImportInput{File: name, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", name))),
		Batch: billing.Batch{Deposits: []billing.BatchDeposit{{Line: 1, SettledOn: "2026-10-01", Deposit: billing.Deposit{
			ID: billing.DepositID("d-" + account), AccountID: billing.AccountID(account), State: billing.DepositSettled, Reference: "R-1",
			Amount: money.New(10000, usd), Remaining: money.New(10000, usd)}}}}})
	w.must(err)
	_, err = w.store.Review(ctx, id)
	w.must(err)
}

// lockedBuffer collects the log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
