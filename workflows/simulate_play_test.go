package workflows_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
	"recoup/workflows"
)

// simulated is one case of the model on the real store, through the SDK's test environment. Many share a database, each with an account
// of its own and years apart.
type simulated struct {
	drawn
	store *store.Store
	gate  *teller
	id    string // account, and prefix of everything of this case
	env   *testsuite.TestWorkflowEnvironment
	at    time.Time // the time while no workflow runs
	next  int       // the next happening
	back  time.Time // when a workflow that was ended starts again
	// asked are the requests of people by happening; what is not recorded in the end was refused.
	asked  map[int]string
	judged billing.AttemptID

	mu       sync.Mutex
	troubles []string
}

func (p *simulated) now() time.Time {
	if p.env != nil {
		return p.env.Now()
	}
	return p.at
}

func (p *simulated) trouble(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, fmt.Sprintf(format, args...))
}

func (p *simulated) check(err error) {
	if err != nil {
		p.trouble("%s: %v", p.now().UTC().Format(time.DateTime), err)
	}
}

func (p *simulated) exec(query string, args ...any) {
	_, err := p.store.Pool().Exec(context.Background(), query, args...)
	p.check(err)
}

func ask[T any](p *simulated, query string, args ...any) T {
	var v T
	p.check(p.store.Pool().QueryRow(context.Background(), query, args...).Scan(&v))
	return v
}

func list[T any](p *simulated, query string, args ...any) []T {
	var all []T
	rows, err := p.store.Pool().Query(context.Background(), query, args...)
	p.check(err)
	for err == nil && rows.Next() {
		var v T
		p.check(rows.Scan(&v))
		all = append(all, v)
	}
	return all
}

// simulate plays a case to its end.
func simulate(s *store.Store, d drawn, id string) *simulated {
	p := &simulated{drawn: d, store: s, id: id, at: d.Start, asked: map[int]string{}}
	p.gate = &teller{now: p.now, methods: map[string]*script{}, told: map[billing.AttemptID]*told{}, deaths: d.Deaths}
	s.SetNow(p.now)
	p.openAccount()
	_, err := s.OpenCase(context.Background(), billing.InvoiceID(p.id))
	p.check(err)
	for len(p.troubles) == 0 {
		switch live := p.live(); {
		case p.next < len(p.Happenings) && (live == "" || p.Happenings[p.next].At.Before(p.at)):
			p.withoutWorkflow()
		case live != "":
			p.run(live)
		default:
			return p
		}
	}
	return p
}

// withoutWorkflow lets the next thing happen while no workflow runs: the case is over, or its workers are down.
func (p *simulated) withoutWorkflow() {
	h, back := p.Happenings[p.next], p.at
	p.next++
	p.at = h.At
	p.happens(p.next-1, h)
	if back.After(p.at) {
		p.at = back
	}
}

// live is the case that is not finished, or "".
func (p *simulated) live() billing.CaseID {
	return ask[billing.CaseID](p, `select coalesce((select id from cases where account_id = $1 and finished_at is null), '')`, p.id)
}

// openAccount imports the account with its invoice, balances and methods.
func (p *simulated) openAccount() {
	p.exec(`insert into accounts (id, name, time_zone, policy, created_at) values ($1, $1, $2, $3, $4)`, p.id, p.Zone.String(), p.Policy.Name, p.at)
	p.exec(`insert into contacts (account_id, position, email) values ($1, 1, $1 || '@example.com')`, p.id)
	b := billing.Batch{}
	for i, m := range p.Methods {
		b.Methods = append(b.Methods, p.method(m, i+1))
	}
	for _, c := range p.Credits {
		b.Credits = append(b.Credits, p.credit(c))
	}
	for _, d := range p.Deposits {
		b.Deposits = append(b.Deposits, p.deposit(d))
	}
	total := money.Zero(p.Currency)
	var lines []billing.Line
	for i, l := range p.Lines {
		kind := billing.ChargeUsage
		if l.Tax {
			kind = billing.ChargeTax
		}
		amount := money.New(int64(l.Amount), p.Currency)
		total = money.New(total.Minor()+amount.Minor(), p.Currency)
		lines = append(lines, billing.Line{Position: i + 1, Service: l.Service, ChargeKind: kind, Amount: amount, PeriodStart: p.due.AddDate(0, -1, 0)})
	}
	b.Invoices = []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{ID: billing.InvoiceID(p.id), Number: "N-" + p.id, AccountID: billing.AccountID(p.id),
		State: billing.InvoiceOpen, DueDate: p.due.Format(time.DateOnly), Total: total, Allocated: money.Zero(p.Currency), Lines: lines}}}
	p.brings("opening", b)
	collect := ask[time.Time](p, `select collect_at from invoices where id = $1`, p.id)
	if !collect.Equal(p.collect) {
		p.trouble("T2: the invoice is collected from %s, the rules want %s", collect, p.collect)
	}
}

func (p *simulated) brings(what string, b billing.Batch) {
	file := p.id + what
	_, err := p.store.Import(context.Background(), store.ImportInput{File: file, Format: "test", Digest: sha256.Sum256([]byte(file)), Batch: b})
	p.check(err)
}

// run plays the workflow of a case until it ends by itself or is ended.
func (p *simulated) run(id billing.CaseID) {
	from := p.at
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(trouble{func(text string) { p.trouble("%s", text) }})))
	p.env = suite.NewTestWorkflowEnvironment()
	p.env.SetStartTime(from)
	p.env.SetTestTimeout(20 * time.Second)
	p.env.SetWorkerOptions(worker.Options{})
	p.env.RegisterWorkflow(workflows.Case)
	p.env.RegisterActivity(&activities.Case{Store: p.store})
	p.env.RegisterActivity(&activities.Charging{Store: dying{p.store, p.gate.at}, Gateway: p.gate})
	for i, h := range p.Happenings {
		if i < p.next {
			continue
		}
		p.env.RegisterDelayedCallback(func() {
			p.next = i + 1
			p.happens(i, h)
		}, h.At.Sub(from))
	}
	due := ask[int64](p, `select total_minor - allocated_minor from invoices where id = $1`, p.id)
	p.back = time.Time{}
	p.env.ExecuteWorkflow(workflows.Case, workflows.CaseInput{Case: id, Invoice: billing.InvoiceID(p.id), Account: billing.AccountID(p.id),
		Due: money.New(due, p.Currency).String()})
	p.at = p.env.Now()
	err := p.env.GetWorkflowError()
	var again *workflow.ContinueAsNewError
	switch {
	case !p.env.IsWorkflowCompleted():
		p.trouble("the workflow of %s did not end", id)
	case err == nil && p.live() == id:
		p.trouble("the workflow of %s ended, its case did not", id)
	case !p.back.IsZero():
		p.at = p.back
	case err != nil && !errors.As(err, &again):
		p.trouble("the workflow of %s failed: %v", id, err)
	}
	p.env = nil
}

// openSimulation is a database for many cases, whose mails are delivered at once: by whom and how is not this test's.
func openSimulation(t testing.TB, url string) *store.Store {
	s, err := store.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, q := range []string{
		`create function deliver() returns trigger language plpgsql as $$ begin
			new.state := 'sent';
			new.sent_at := case when new.kind in ('final_notice', 'suspension_scheduled') then new.send_after -- how long they run counts
				else coalesce((select max(at) from case_events where case_id = new.case_id), new.send_after) end;
			return new;
		end $$`,
		`create trigger deliver before insert on notices for each row execute function deliver()`,
		// Cases are played in any order of their years: what lies ahead of one is no wave of suspensions (S4).
		`update suspension_breaker set floor = 1000000`,
	} {
		if _, err := s.Pool().Exec(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
