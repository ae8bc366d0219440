package races

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"recoup/audit"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

var usd = money.MustCurrency("USD")

// began is Monday 2 November 2026; present, when every operation runs, is two weeks and six hours later: the day of the policy's suspension.
var (
	began   = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	present = began.Add(14*24*time.Hour + 6*time.Hour)
)

const (
	day    = 24 * time.Hour
	window = 23 * time.Hour
	// aboveOnePerson is more than one person may decide about (R2).
	aboveOnePerson = 150_000
)

// world names one copy of the prototype: all its ids begin with its number.
type world struct {
	n        int
	gateway  *gateway
	attempts map[string]billing.AttemptID // the open or ended attempt of an invoice, by the invoice's short name

	mu    sync.Mutex
	sent  map[billing.AttemptID]bool // MarkSent allowed it and no answer was recorded
	poke  *store.Poke                // the poke that was seen and then forgotten
	poked string                     // the reason of the last resolution that succeeded
}

func (w *world) id(name string) string                    { return fmt.Sprintf("w%06d-%s", w.n, name) }
func (w *world) invoice(name string) billing.InvoiceID    { return billing.InvoiceID(w.id(name)) }
func (w *world) caseOf(name string) billing.CaseID        { return billing.CaseIDFor(w.invoice(name), 1) }
func (w *world) account(name string) billing.AccountID    { return billing.AccountID(w.id(name)) }
func (w *world) attempt(invoice string) billing.AttemptID { return w.attempts[invoice] }

// gateway is the ground truth of what was charged: one charge per key, as the gateway's idempotency promises.
type gateway struct {
	mu      sync.Mutex
	charges map[billing.AttemptID]audit.Charge
}

func (g *gateway) take(attempt billing.AttemptID, invoice billing.InvoiceID, amount money.Amount) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.charges[attempt] = audit.Charge{ID: "ch_" + string(attempt), Attempt: string(attempt), Invoice: string(invoice), Key: string(attempt),
		Minor: amount.Minor(), Currency: amount.Currency().Code(), Status: audit.ChargeSucceeded, CreatedAt: present}
}

// takeBack is a chargeback.
func (g *gateway) takeBack(attempt billing.AttemptID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.charges[attempt]
	c.Status = audit.ChargeReturned
	g.charges[attempt] = c
}

func (*gateway) Gateway() string { return "stripe" }

func (g *gateway) EachCharge(_ context.Context, f func(audit.Charge) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.charges {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// author writes the prototype by the store's own methods, with a clock that it moves.
type author struct {
	*world
	s   *store.Store
	t   testing.TB
	now time.Time
}

func (a *author) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *author) exec(query string, args ...any) {
	a.t.Helper()
	if _, err := a.s.Pool().Exec(context.Background(), query, args...); err != nil {
		a.t.Fatalf("%s: %v", query, err)
	}
}

func (a *author) batch(name string, b billing.Batch) {
	a.t.Helper()
	_, err := a.s.Import(context.Background(), inputOf(a.id(name), b))
	a.must(err)
}

func inputOf(name string, b billing.Batch) store.ImportInput {
	return store.ImportInput{File: name, Format: "test", Digest: [32]byte([]byte(fmt.Sprintf("%-32.32s", name))), Batch: b}
}

// bill adds an invoice that falls due now and, if open, its case. A marketplace one takes neither credits nor funds.
func (a *author) bill(name, account string, minor int64, due time.Time, kind billing.ChargeKind) {
	a.t.Helper()
	a.batch(name, billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
		ID: a.invoice(name), Number: "N", AccountID: a.account(account), State: billing.InvoiceOpen, DueDate: due.Format(time.DateOnly),
		Total: money.New(minor, usd), Allocated: money.Zero(usd), Marketplace: kind == billing.ChargeMarketplace,
		Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: kind,
			PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(minor, usd)}}}}}})
	a.exec(`update invoices set collect_at = $2 where id = $1`, a.invoice(name), a.now)
}

func (a *author) open(name, account string, minor int64, due time.Time, kind billing.ChargeKind) {
	a.t.Helper()
	a.bill(name, account, minor, due, kind)
	_, err := a.s.OpenCase(context.Background(), a.invoice(name))
	a.must(err)
}

func (a *author) review(name string) dunning.Step {
	a.t.Helper()
	step, err := a.s.Review(context.Background(), a.caseOf(name))
	a.must(err)
	return step
}

// begin commits the intent of the next charge of an invoice.
func (a *author) begin(name string) *store.Charge {
	a.t.Helper()
	step := a.review(name)
	c, next, err := a.s.BeginAttempt(context.Background(), a.caseOf(name), step.Method, window)
	a.must(err)
	if c == nil {
		a.t.Fatalf("%s: nothing to charge but %s (%s)", name, next.Do, next.Why)
	}
	a.attempts[name] = c.Attempt
	return c
}

// deliver hands over every queued notice that is due, as the dispatcher would.
func (a *author) deliver() {
	a.exec(`update notices set state = 'sent', sent_at = $1, message_id = case when channel = 'email' then id::text else '' end
		where state = 'queued' and send_after <= $1`, a.now)
}

// pass lets time pass until a moment, doing for these cases what is due on the way.
func (a *author) pass(until time.Time, cases ...string) {
	a.t.Helper()
	ctx := context.Background()
	for range 100 {
		next := until
		for _, name := range cases {
			step := a.review(name)
			var err error
			switch step.Do {
			case dunning.DoFinalNotice:
				step, err = a.s.FinalNotice(ctx, a.caseOf(name))
			case dunning.DoScheduleSuspension:
				step, err = a.s.ScheduleSuspension(ctx, a.caseOf(name))
			case dunning.DoSuspend:
				step, err = a.s.Suspend(ctx, a.caseOf(name))
			}
			a.must(err)
			if step.Do != dunning.DoWait {
				a.t.Fatalf("%s: %s (%s)", name, step.Do, step.Why)
			}
			if !step.At.IsZero() && step.At.Before(next) {
				next = step.At
			}
		}
		a.now = next.Add(-time.Minute)
		a.deliver()
		if a.now = next; next.Equal(until) {
			return
		}
	}
	a.t.Fatal("time does not pass")
}

// write tells the prototype's story. What the operations meet at present:
//
//	account kid (methods 1, 2), with the credit that owner shares and a deposit of its own:
//	  new, newer   case opened, nothing done: both want credit and deposit
//	  due          no case yet
//	  round        a round is open, a charge on method 1 is next
//	  intent       an attempt is committed and not sent, and its amount is out of date
//	  sent         an attempt was sent, no answer yet
//	  lost         an attempt was sent and its outcome is unknown
//	  big          as sent, and to be voided once a second person says so
//	  late         both methods were declined
//	  held         held for a week
//	  paid         by method 1
//	  final, sched, susp   the final notice, the notice of suspension, the suspension are due
//	account owner: own, a round is open, a charge is next
//	account gone: suspended for the invoice gone, the closing is due
func (a *author) write() {
	ctx := context.Background()
	for _, name := range []string{"owner", "kid", "gone"} {
		a.exec(`insert into accounts (id, name, time_zone, policy, credit_sharing, parent_id, created_at) values ($1, $1, 'UTC', 'fast', $2, $3, $4)`,
			a.id(name), name != "gone", map[string]*string{"kid": ptr(a.id("owner"))}[name], a.now)
		a.exec(`insert into contacts (account_id, position, email) values ($1, 1, 'a@example.com'), ($1, 2, 'b@example.com')`, a.id(name))
	}
	// Without any method the long stories use up no budget.
	a.now = began.Add(-30 * day)
	a.open("gone", "gone", 4900, a.now, billing.ChargeMarketplace)
	a.pass(began, "gone")
	a.open("susp", "kid", 4900, a.now, billing.ChargeMarketplace)
	a.pass(began.Add(day), "gone", "susp")
	a.open("sched", "kid", 4900, a.now, billing.ChargeMarketplace)
	a.pass(began.Add(2*day), "gone", "susp", "sched")
	a.open("final", "kid", 4900, a.now, billing.ChargeMarketplace)
	a.pass(present.Add(-12*time.Hour), "gone", "susp", "sched", "final")
	a.now = present
	a.deliver()
	for i, name := range []string{"kid", "kid", "owner"} {
		a.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
			values ($1, $2, 'stripe', $5, 'card', 'visa', '4242', $3, $4)`, a.id(fmt.Sprint("pm-", i+1)), a.id(name), i+1, present,
			a.id(fmt.Sprint("token-", i%2))) // owner has kid's first card too: a budget is the card's (D4)
	}
	yesterday := present.Add(-day)
	a.open("new", "kid", 4900, yesterday.Add(-2*day), billing.ChargeUsage)
	a.open("newer", "kid", 4900, yesterday.Add(-day), billing.ChargeUsage)
	a.bill("due", "kid", 4900, yesterday, billing.ChargeUsage)
	a.open("own", "owner", 1000, yesterday, billing.ChargeUsage)
	a.review("own")
	a.open("round", "kid", 4900, yesterday, billing.ChargeUsage)
	a.review("round")
	a.open("intent", "kid", 4900, yesterday, billing.ChargeUsage)
	a.begin("intent")
	a.resolve("intent", billing.Resolution{Kind: billing.PaidOutOfBand, Amount: ptr(money.New(100, usd)), Reference: "CHQ", ReceivedOn: "2026-11-16"})
	a.open("sent", "kid", 4900, yesterday, billing.ChargeUsage)
	a.must(a.s.MarkSent(ctx, a.begin("sent").Attempt, window))
	a.open("lost", "kid", 4900, yesterday, billing.ChargeMarketplace)
	lost := a.begin("lost")
	a.must(a.s.MarkSent(ctx, lost.Attempt, window))
	_, err := a.s.RecordAnswer(ctx, lost.Case, lost.Attempt, billing.Answer{State: billing.AttemptUnknown, Message: "timeout"})
	a.must(err)
	a.open("big", "kid", aboveOnePerson, yesterday, billing.ChargeMarketplace)
	a.must(a.s.MarkSent(ctx, a.begin("big").Attempt, window))
	a.resolve("big", billing.Resolution{Kind: billing.VoidInvoice})
	a.open("paid", "kid", 4900, yesterday, billing.ChargeUsage)
	c := a.begin("paid")
	a.must(a.s.MarkSent(ctx, c.Attempt, window))
	_, err = a.s.RecordAnswer(ctx, c.Case, c.Attempt, billing.Answer{State: billing.AttemptSucceeded, Captured: c.Amount, Reference: "pi_" + string(c.Attempt)})
	a.must(err)
	a.open("late", "kid", 4900, yesterday, billing.ChargeUsage)
	for range 2 {
		c := a.begin("late")
		a.must(a.s.MarkSent(ctx, c.Attempt, window))
		_, err := a.s.RecordAnswer(ctx, c.Case, c.Attempt, declined)
		a.must(err)
	}
	a.open("held", "kid", 4900, yesterday, billing.ChargeUsage)
	a.review("held")
	a.resolve("held", billing.Resolution{Kind: billing.Hold, Until: present.Add(7 * day)})
	a.batch("credit", billing.Batch{Credits: []billing.BatchCredit{creditOf(a.world, "credit", 3000)}})
	a.batch("deposit", billing.Batch{Deposits: []billing.BatchDeposit{depositOf(a.world, "deposit", 2000)}})
	// What was said on the way is not needed to go on, but for what a suspension asks for.
	a.exec(`delete from notices where state = 'sent' and kind not in ('final_notice', 'suspension_scheduled', 'suspended')`)
	// As if both had always been there: the imports woke every case.
	a.exec(`update cases set wake = ''`)
	a.exec(`update pokes set reason = 'before'`)
}

func (a *author) resolve(name string, r billing.Resolution) {
	a.t.Helper()
	r.Case, r.RequestID, r.Actor, r.Reason = a.caseOf(name), a.id("setup-"+name), "ada", "as agreed"
	_, err := a.s.Resolve(context.Background(), r)
	a.must(err)
}

func creditOf(w *world, name string, minor int64) billing.BatchCredit {
	return billing.BatchCredit{Line: 1, Credit: billing.Credit{ID: billing.CreditID(w.id(name)), AccountID: w.account("owner"), Enabled: true,
		Granted: money.New(minor, usd), Remaining: money.New(minor, usd), StartsOn: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}
}

func depositOf(w *world, name string, minor int64) billing.BatchDeposit {
	return billing.BatchDeposit{Line: 1, SettledOn: "2026-11-01", Deposit: billing.Deposit{ID: billing.DepositID(w.id(name)),
		AccountID: w.account("kid"), State: billing.DepositSettled, Reference: "R-" + w.id(name), Amount: money.New(minor, usd), Remaining: money.New(minor, usd)}}
}

func ptr[T any](v T) *T { return &v }

var declined = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", Reference: "pi_d"}
