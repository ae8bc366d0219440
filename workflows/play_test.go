package workflows_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"recoup/activities"
	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
	"recoup/workflows"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate, store.MigrationFiles) }

func migrate(ctx context.Context, url string) error {
	_, err := store.Migrate(ctx, url)
	return err
}

var usd = money.MustCurrency("USD")

// opening is Monday 2 November 2026, 12:00 UTC; the invoice of a play fell due the day before.
var opening = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// play is one case on the real store with a scripted gateway, through the SDK's test environment, which skips time.
type play struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	store *store.Store
	books *scripted
}

// newPlay opens the case of one invoice of 49.00 USD on an account in UTC with these methods, in order.
func newPlay(t *testing.T, methods ...string) *play {
	t.Helper()
	s, err := store.Open(context.Background(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p := &play{t: t, store: s, books: &scripted{answers: map[string][]billing.Answer{}, sent: map[billing.AttemptID]int{}}}
	p.renew(opening)
	p.exec(`insert into accounts (id, name, time_zone, policy) values ('acme', 'acme', 'UTC', 'standard')`)
	p.exec(`insert into contacts (account_id, position, email) values ('acme', 1, 'billing@example.com')`)
	for i, m := range methods {
		p.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, last4, position, added_at)
			values ($1, 'acme', 'stripe', $1, 'card', 'visa', '4242', $2, $3)`, m, i+1, opening)
	}
	p.batch("invoice", billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
		ID: "inv-1", Number: "N-1", AccountID: "acme", State: billing.InvoiceOpen, DueDate: "2026-11-01",
		Total: money.New(4900, usd), Allocated: money.Zero(usd),
		Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, Amount: money.New(4900, usd),
			PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}}}}}})
	p.exec(`update invoices set collect_at = $1`, opening)
	return p
}

// renew makes a fresh environment for the case's next run, from a moment on.
func (p *play) renew(from time.Time) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(trouble{func(text string) { p.t.Error(text) }})))
	p.env = suite.NewTestWorkflowEnvironment()
	p.env.SetStartTime(from)
	p.env.SetTestTimeout(30 * time.Second)
	p.store.SetNow(p.env.Now)
	p.env.SetWorkerOptions(worker.Options{})
	p.env.RegisterWorkflow(workflows.Case)
	p.env.RegisterActivity(&activities.Case{Store: p.store})
	p.env.RegisterActivity(&activities.Charging{Store: dying{p.store, p.books.at}, Gateway: p.books})
}

func (p *play) exec(query string, args ...any) {
	p.t.Helper()
	if _, err := p.store.Pool().Exec(context.Background(), query, args...); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
}

func (p *play) batch(name string, b billing.Batch) {
	p.t.Helper()
	var digest [32]byte
	copy(digest[:], name)
	if _, err := p.store.Import(context.Background(), store.ImportInput{File: name, Format: "test", Digest: digest, Batch: b}); err != nil {
		p.t.Fatal(err)
	}
}

func read[T any](p *play, query string, args ...any) T {
	p.t.Helper()
	var v T
	if err := p.store.Pool().QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// run plays the case to its end; deliver says that mails are delivered at once.
func (p *play) run() workflows.CaseResult {
	p.t.Helper()
	if err := p.start(); err != nil {
		p.t.Fatal(err)
	}
	var result workflows.CaseResult
	if err := p.env.GetWorkflowResult(&result); err != nil {
		p.t.Fatal(err)
	}
	return result
}

// start runs the case's workflow until it has ended and returns its error.
func (p *play) start() error {
	p.t.Helper()
	c, err := p.store.OpenCase(context.Background(), "inv-1")
	if err != nil {
		p.t.Fatal(err)
	}
	p.exec(`create or replace function deliver() returns trigger language plpgsql as $$ begin new.state := 'sent'; new.sent_at := new.send_after; return new; end $$`)
	p.exec(`create or replace trigger deliver before insert on notices for each row execute function deliver()`)
	p.env.ExecuteWorkflow(workflows.Case, workflows.CaseInput{Case: c.ID, Invoice: c.Invoice, Account: c.Account, Due: c.Due.String()})
	if !p.env.IsWorkflowCompleted() {
		p.t.Fatal("the case did not end")
	}
	return p.env.GetWorkflowError()
}

// after calls f when the case has run for d.
func (p *play) after(d time.Duration, f func()) { p.env.RegisterDelayedCallback(f, d) }

const day = 24 * time.Hour

// trouble fails the play when an activity fails, but for the worker that a play lets die: retries would hide it.
type trouble struct{ say func(text string) }

func (h trouble) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (h trouble) WithAttrs([]slog.Attr) slog.Handler               { return h }
func (h trouble) WithGroup(string) slog.Handler                    { return h }

func (h trouble) Handle(_ context.Context, r slog.Record) error {
	var text strings.Builder
	text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		text.WriteString(" " + a.String())
		return true
	})
	if !strings.Contains(text.String(), "worker dies") {
		h.say(text.String())
	}
	return nil
}

// scripted is a gateway that answers as told, per token, and keeps books of what it really took.
type scripted struct {
	mu      sync.Mutex
	answers map[string][]billing.Answer // the last one repeats
	looks   []billing.Answer
	cancels []billing.Answer // what cancelling answers; without any, as a look-up does
	sent    map[billing.AttemptID]int
	order   []string
	taken   int64

	died     bool   // the first send takes the money and its worker dies before it hears so
	busyOnce bool   // the next send is answered 429
	dies     string // the boundary at which a worker dies, once
	onCharge func()
}

func (g *scripted) at(label string) {
	if g.dies == label {
		g.dies = ""
		panic("worker dies")
	}
}

func (g *scripted) Name() string { return "stripe" }

func (g *scripted) Contract() gateway.Contract {
	return gateway.Contract{KeyWindow: 23 * time.Hour, LookUpByReference: true, CancelByReference: true, ProvesNegative: true, ChargesPerSecond: 1000, Timeout: time.Second}
}

func (g *scripted) says(token string, answers ...billing.Answer) { g.answers[token] = answers }

func (g *scripted) Charge(_ context.Context, req gateway.ChargeRequest) gateway.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent[req.Attempt]++
	g.order = append(g.order, req.Token)
	if g.onCharge != nil {
		g.onCharge()
	}
	if g.died {
		g.died = false
		g.taken += req.Amount.Minor()
		panic("worker dies")
	}
	if g.busyOnce {
		g.busyOnce = false
		return busy
	}
	told := g.answers[req.Token]
	answer := told[0]
	if len(told) > 1 {
		g.answers[req.Token] = told[1:]
	}
	if answer.State == billing.AttemptSucceeded {
		answer.Captured = req.Amount
		g.taken += req.Amount.Minor()
	}
	return answer
}

func (g *scripted) LookUp(context.Context, gateway.LookUpRequest) gateway.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	answer := g.looks[0]
	if len(g.looks) > 1 {
		g.looks = g.looks[1:]
	}
	return answer
}

func (g *scripted) Cancel(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	g.mu.Lock()
	if len(g.cancels) == 0 {
		g.mu.Unlock()
		return g.LookUp(ctx, req)
	}
	defer g.mu.Unlock()
	answer := g.cancels[0]
	if g.cancels = g.cancels[1:]; answer.State == billing.AttemptSucceeded {
		g.taken += answer.Captured.Minor()
	}
	return answer
}

var (
	yes     = billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_1"}
	no      = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", Reference: "pi_2"}
	lost    = billing.Answer{State: billing.AttemptDeclined, DeclineCode: "lost_card", Reference: "pi_3"}
	silence = billing.Answer{State: billing.AttemptUnknown, Message: "no answer in time"}
	// misconfigured is a gateway that refuses our credentials.
	misconfigured = billing.Answer{State: billing.AttemptNotSent, OurConfig: true, Message: "401"}
	busy          = billing.Answer{State: billing.AttemptNotSent, Transient: true, Message: "429"}
)
