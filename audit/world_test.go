package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

var usd = money.MustCurrency("USD")

const window = 23 * time.Hour

// world is a store on a database of its own, with a clock that the test moves, and a gateway that answers as told.
type world struct {
	*store.Store
	t    *testing.T
	now  time.Time
	refs int
}

func newWorld(t *testing.T, now time.Time) *world {
	t.Helper()
	s, err := store.Open(context.Background(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	w := &world{Store: s, t: t, now: now}
	s.SetNow(func() time.Time { return w.now })
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.Pool().Exec(context.Background(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) scan(query string, args ...any) string {
	w.t.Helper()
	var v string
	if err := w.Pool().QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (w *world) account(id string, methods ...string) {
	w.t.Helper()
	w.exec(`insert into accounts (id, name, time_zone, policy) values ($1, $1, 'UTC', 'standard')`, id)
	w.exec(`insert into contacts (account_id, position, email) values ($1, 1, $1 || '@example.com')`, id)
	for i, m := range methods {
		w.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
			values ($1, $2, 'stripe', 'pm_card_visa', 'card', 'visa', '4242', $3, $4)`, m, id, i+1, w.now)
	}
}

func (w *world) batch(name string, b billing.Batch) {
	w.t.Helper()
	_, err := w.Import(context.Background(), store.ImportInput{File: name, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", name))), Batch: b})
	w.must(err)
}

// invoice adds an invoice of one line that falls due now, and opens its case.
func (w *world) invoice(id, account string, minor int64) billing.CaseID {
	w.t.Helper()
	w.batch(id, billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
		ID: billing.InvoiceID(id), Number: "N-" + id, AccountID: billing.AccountID(account), State: billing.InvoiceOpen,
		DueDate: w.now.AddDate(0, 0, -1).Format(time.DateOnly), Total: money.New(minor, usd), Allocated: money.Zero(usd),
		Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage,
			PeriodStart: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(minor, usd)}},
	}}}})
	w.exec(`update invoices set collect_at = $2 where id = $1`, id, w.now)
	c, err := w.OpenCase(context.Background(), billing.InvoiceID(id))
	w.must(err)
	return c.ID
}

func (w *world) credit(id, account string, minor int64) {
	w.t.Helper()
	w.batch("credit "+id, billing.Batch{Credits: []billing.BatchCredit{{Line: 1, Credit: billing.Credit{
		ID: billing.CreditID(id), AccountID: billing.AccountID(account), Enabled: true, Granted: money.New(minor, usd),
		Remaining: money.New(minor, usd), StartsOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}})
}

func (w *world) deposit(id, account string, minor int64) {
	w.t.Helper()
	w.batch("deposit "+id, billing.Batch{Deposits: []billing.BatchDeposit{{Line: 1, SettledOn: "2026-06-01", Deposit: billing.Deposit{
		ID: billing.DepositID(id), AccountID: billing.AccountID(account), State: billing.DepositSettled, Reference: "R-" + id,
		Amount: money.New(minor, usd), Remaining: money.New(minor, usd)}}}})
}

func (w *world) review(id billing.CaseID) dunning.Step {
	w.t.Helper()
	step, err := w.Review(context.Background(), id)
	w.must(err)
	return step
}

// charge makes one attempt on the step's method, with the gateway answering so.
func (w *world) charge(step dunning.Step, id billing.CaseID, state billing.AttemptState) (billing.AttemptID, dunning.Step) {
	w.t.Helper()
	ctx := context.Background()
	c, next, err := w.BeginAttempt(ctx, id, step.Method, window)
	w.must(err)
	if c == nil {
		w.t.Fatalf("case %s: nothing to charge, next is %s (%s)", id, next.Do, next.Why)
	}
	w.must(w.MarkSent(ctx, c.Attempt, window))
	next, err = w.RecordAnswer(ctx, id, c.Attempt, w.answer(state, c.Amount))
	w.must(err)
	return c.Attempt, next
}

func (w *world) answer(state billing.AttemptState, amount money.Amount) billing.Answer {
	w.refs++
	a := billing.Answer{State: state, Reference: fmt.Sprintf("pi_%d", w.refs)}
	switch state {
	case billing.AttemptSucceeded:
		a.Captured = amount
	case billing.AttemptDeclined:
		a.DeclineCode = "insufficient_funds"
	}
	return a
}

// deliver hands over every queued notice that is due, as the dispatcher would.
func (w *world) deliver() {
	w.t.Helper()
	w.exec(`update notices set state = 'sent', sent_at = $1, message_id = case when channel = 'email' then id::text else '' end
		where state = 'queued' and send_after <= $1`, w.now)
}

func (w *world) later(d time.Duration) { w.now = w.now.Add(d) }

// toSuspension plays a case whose every attempt is declined until its account is suspended.
func (w *world) toSuspension(id billing.CaseID) {
	w.t.Helper()
	ctx := context.Background()
	step := w.review(id)
	for range 30 {
		switch step.Do {
		case dunning.DoCharge:
			_, step = w.charge(step, id, billing.AttemptDeclined)
		case dunning.DoFinalNotice:
			step = w.did(w.FinalNotice(ctx, id))
		case dunning.DoScheduleSuspension:
			step = w.did(w.ScheduleSuspension(ctx, id))
		case dunning.DoSuspend:
			step = w.did(w.Suspend(ctx, id))
		case dunning.DoWait:
			if step.Stage == dunning.StageSuspended {
				w.deliver()
				return
			}
			w.now = step.At.Add(-time.Minute)
			w.deliver()
			w.now = step.At
			step = w.review(id)
		default:
			w.t.Fatalf("case %s: %s (%s)", id, step.Do, step.Why)
		}
	}
	w.t.Fatalf("case %s: no suspension after 30 steps: %s until %s (%s)", id, step.Do, step.At, step.Why)
}

func (w *world) did(step dunning.Step, err error) dunning.Step {
	w.t.Helper()
	w.must(err)
	return step
}

// books are what the gateway would say: every attempt that has a receipt took its money, an unknown one did too.
type books struct{ w *world }

func (books) Gateway() string { return "stripe" }

func (b books) EachCharge(ctx context.Context, f func(Charge) error) error {
	return eachBooked(ctx, b.w.Pool(), f)
}

func eachBooked(ctx context.Context, pool *pgxpool.Pool, f func(Charge) error) error {
	const sql = `select a.id::text, a.invoice_id, coalesce(e.amount_minor, a.amount_minor), a.currency, a.created_at,
			case when exists (select 1 from reversals v where v.attempt_id = a.id) then 'returned' else 'succeeded' end
		from attempts a left join journal_transactions t on t.key = 'receipt/' || a.id::text
		left join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'gateway_clearing'
		where e.id is not null or a.state = 'unknown' order by a.id`
	rows, _ := pool.Query(ctx, sql)
	var c Charge
	_, err := pgx.ForEachRow(rows, []any{&c.Attempt, &c.Invoice, &c.Minor, &c.Currency, &c.CreatedAt, &c.Status}, func() error {
		c.ID, c.Key = "ch_"+c.Attempt, c.Attempt
		return f(c)
	})
	return err
}

// playStory plays what can happen to invoices, by the store's own methods:
//
//	one    credit, funds, then the primary pays
//	two    the primary is declined, a backup pays
//	three  no answer, the look-up finds that it was paid
//	four   no answer yet: its attempt is open, its money taken
//	five   declined to the end, suspended, paid by cheque with 100 too much, reinstated
//	six    declined to the end, suspended, still is
//	eight  paid, then disputed: the bank took the money back
//	seven  declined, paid by cheque, then the first charge turns out to have gone through
//	twelve declined, a part is disputed, the rest promised
//	nine   paid in part by cheque, then void: the cheque waits to be refunded
//	ten    suspended by staff; goodwill granted
func playStory(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, time.Date(2026, 7, 6, 12, 0, 0, 0, time.UTC))
	ctx := context.Background()
	for _, name := range []string{"one", "two", "three", "five", "six", "seven", "eight"} {
		w.account(name, "pm-"+name+"-1", "pm-"+name+"-2")
	}
	w.credit("c-1", "one", 1000)
	w.deposit("d-1", "one", 2000)
	one := w.invoice("inv-one", "one", 4900)
	w.charge(w.review(one), one, billing.AttemptSucceeded)

	two := w.invoice("inv-two", "two", 4900)
	_, step := w.charge(w.review(two), two, billing.AttemptDeclined)
	w.charge(step, two, billing.AttemptSucceeded)

	three := w.invoice("inv-three", "three", 4900)
	asked, step := w.charge(w.review(three), three, billing.AttemptUnknown)
	w.now = step.At
	_, err := w.RecordAnswer(ctx, three, asked, w.answer(billing.AttemptSucceeded, money.New(4900, usd)))
	w.must(err)

	seven := w.invoice("inv-seven", "seven", 4900)
	declined, _ := w.charge(w.review(seven), seven, billing.AttemptDeclined)
	w.pay(seven, "r-7", 4900)
	w.later(time.Hour)
	_, err = w.RecordAnswer(ctx, seven, declined, w.answer(billing.AttemptSucceeded, money.New(4900, usd)))
	w.must(err)

	eight := w.invoice("inv-eight", "eight", 4900)
	disputed, _ := w.charge(w.review(eight), eight, billing.AttemptSucceeded)
	_, err = w.RecordReversal(ctx, disputed, billing.Reversal{Reference: "dp_8", Code: "fraudulent", Amount: money.New(4900, usd)})
	w.must(err)
	w.pay("inv-eight/2", "r-8", 4900)
	_, err = w.RecordCheckpoint(ctx)
	w.must(err)

	w.deliver()
	five := w.invoice("inv-five", "five", 4900)
	w.toSuspension(five)
	w.later(time.Hour)
	w.pay(five, "r-5", 5000)
	w.later(time.Hour)
	w.deliver()

	w.toSuspension(w.invoice("inv-six", "six", 4900))
	w.later(time.Hour)
	w.account("four", "pm-four-1", "pm-four-2")
	four := w.invoice("inv-four", "four", 4900)
	w.charge(w.review(four), four, billing.AttemptUnknown)
	w.peopleDecide()
	return w
}

// peopleDecide plays twelve, nine and ten.
func (w *world) peopleDecide() {
	w.t.Helper()
	for _, name := range []string{"twelve", "nine", "ten"} {
		w.account(name, "pm-"+name)
	}
	twelve := w.invoice("inv-twelve", "twelve", 4900)
	w.charge(w.review(twelve), twelve, billing.AttemptDeclined)
	amount := money.New(900, usd)
	w.decide(billing.Resolution{RequestID: "p-8", Kind: billing.Dispute, Case: twelve, Amount: &amount, Claim: "never ordered"})
	w.decide(billing.Resolution{RequestID: "p-8-promise", Kind: billing.PromiseToPay, Case: twelve, Amount: &amount, Until: w.now.AddDate(0, 0, 5)})
	nine := w.invoice("inv-nine", "nine", 4900)
	w.pay(nine, "p-9", 900)
	w.decide(billing.Resolution{RequestID: "p-9-void", Kind: billing.VoidInvoice, Case: nine})
	ten := w.invoice("inv-ten", "ten", 4900)
	w.decide(billing.Resolution{RequestID: "p-10", Kind: billing.SuspendNow, Account: "ten"})
	w.decide(billing.Resolution{RequestID: "p-10-goodwill", Kind: billing.GrantCredit, Case: ten, Amount: &amount})
}

func (w *world) decide(r billing.Resolution) {
	w.t.Helper()
	r.Actor, r.Reason = "ada", "as agreed"
	_, err := w.Resolve(context.Background(), r)
	w.must(err)
}

func (w *world) pay(id billing.CaseID, request string, minor int64) {
	w.t.Helper()
	amount := money.New(minor, usd)
	_, err := w.Resolve(context.Background(), billing.Resolution{RequestID: request, Kind: billing.PaidOutOfBand, Case: id, Actor: "ada",
		Reason: "cheque", Amount: &amount, Reference: "CHQ 7", ReceivedOn: w.now.Format(time.DateOnly)})
	w.must(err)
}

// options are those of an audit at the world's present.
func (w *world) options() Options { return Options{Now: w.now, Books: []Books{books{w}}} }
