package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

var usd = money.MustCurrency("USD")

// world is a store on a database of its own, as the application's role, with a clock that the test moves.
type world struct {
	*store.Store
	t     testing.TB
	now   time.Time
	owner *pgxpool.Pool
}

// noon is Monday 2 November 2026, 12:00 in UTC: invoices of these tests fell due the day before.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	t.Helper()
	database := pgtest.New(t)
	s, err := store.Open(context.Background(), asApp(t, database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	owner, err := pgxpool.New(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(owner.Close)
	w := &world{Store: s, t: t, now: noon, owner: owner}
	s.SetNow(func() time.Time { return w.now })
	return w
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.owner.Exec(context.Background(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func scan[T any](w *world, query string, args ...any) T {
	w.t.Helper()
	var v T
	if err := w.owner.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// account adds an account in UTC with one contact and these payment methods, in order: "pm-1 visa", "pm-2 mastercard".
func (w *world) account(id string, methods ...string) {
	w.t.Helper()
	w.exec(`insert into accounts (id, name, time_zone, policy) values ($1, $1, 'UTC', 'standard')`, id)
	w.exec(`insert into contacts (account_id, position, email) values ($1, 1, $1 || '@example.com')`, id)
	for i, m := range methods {
		w.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
			values ($1, $2, 'stripe', 'pm_card_visa', 'card', 'visa', '4242', $3, $4)`, m, id, i+1, noon)
	}
}

// invoice adds an invoice of one usage line that is due now.
func (w *world) invoice(id, account string, minor int64) {
	w.t.Helper()
	_, err := w.Import(context.Background(), store.ImportInput{File: id, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", id))),
		Batch: billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
			ID: billing.InvoiceID(id), Number: "N-" + id, AccountID: billing.AccountID(account), State: billing.InvoiceOpen,
			DueDate: "2026-11-01", Total: money.New(minor, usd), Allocated: money.Zero(usd),
			Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage,
				PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(minor, usd)}},
		}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`update invoices set collect_at = $2 where id = $1`, id, noon)
}

// credit grants an account a credit for all services.
func (w *world) credit(id, account string, minor int64) {
	w.t.Helper()
	w.batch("credit"+id, billing.Batch{Credits: []billing.BatchCredit{{Line: 1, Credit: billing.Credit{
		ID: billing.CreditID(id), AccountID: billing.AccountID(account), Enabled: true, Granted: money.New(minor, usd),
		Remaining: money.New(minor, usd), StartsOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}})
}

// deposit adds settled advance funds.
func (w *world) deposit(id, account string, minor int64) {
	w.t.Helper()
	w.batch("deposit"+id, billing.Batch{Deposits: []billing.BatchDeposit{{Line: 1, SettledOn: "2026-10-01", Deposit: billing.Deposit{
		ID: billing.DepositID(id), AccountID: billing.AccountID(account), State: billing.DepositSettled, Reference: "R-" + id,
		Amount: money.New(minor, usd), Remaining: money.New(minor, usd)}}}})
}

func (w *world) batch(name string, b billing.Batch) {
	w.t.Helper()
	in := store.ImportInput{File: name, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", name))), Batch: b}
	if _, err := w.Import(context.Background(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open(invoice string) billing.CaseID {
	w.t.Helper()
	c, err := w.OpenCase(context.Background(), billing.InvoiceID(invoice))
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

func (w *world) review(id billing.CaseID) dunning.Step {
	w.t.Helper()
	step, err := w.Review(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return step
}

const window = 23 * time.Hour

// charge makes one attempt on the step's method as an activity does, with the gateway answering so.
func (w *world) charge(step dunning.Step, id billing.CaseID, answer billing.Answer) dunning.Step {
	w.t.Helper()
	ctx := context.Background()
	if step.Do != dunning.DoCharge {
		w.t.Fatalf("next is %s (%s), not a charge", step.Do, step.Why)
	}
	c, next, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil {
		w.t.Fatal(err)
	}
	if c == nil {
		return next
	}
	if err := w.MarkSent(ctx, c.Attempt, window); err != nil {
		w.t.Fatal(err)
	}
	if answer.State == billing.AttemptSucceeded && answer.Captured.IsZero() {
		answer.Captured = c.Amount
	}
	next, err = w.RecordAnswer(ctx, id, c.Attempt, answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return next
}

var (
	succeeded = billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_1"}
	declined  = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", Reference: "pi_2"}
	unknown   = billing.Answer{State: billing.AttemptUnknown, Message: "timeout"}
	throttled = billing.Answer{State: billing.AttemptNotSent, Transient: true, Message: "429"}
)

func (w *world) want(step dunning.Step, do dunning.Do, stage dunning.Stage) {
	w.t.Helper()
	if step.Do != do || step.Stage != stage {
		w.t.Fatalf("next is %s in %s until %s (%s), want %s in %s", step.Do, step.Stage, step.At, step.Why, do, stage)
	}
}

// delivered marks every queued notice as sent, as the dispatcher would.
func (w *world) delivered() {
	w.t.Helper()
	w.exec(`update notices set state = 'sent', sent_at = $1 where state = 'queued'`, w.now)
}
