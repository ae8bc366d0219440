package workflows_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"recoup/audit/model"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/workflows"
)

// happens lets one thing happen to the case, at its time.
func (p *simulated) happens(n int, h model.Happening) {
	ctx := context.Background()
	name := fmt.Sprintf("%s-%d", p.id, n)
	switch h.Do {
	case model.PaidElsewhere, model.RetryNow, model.HoldFor, model.Release, model.FoundCaptured, model.FoundNothing:
		p.resolves(n, name, h)
	case model.AddMethod:
		p.brings(name, billing.Batch{Methods: []billing.BatchMethod{p.method(h.New, 0)}})
	case model.DisableMethod:
		p.exec(`update payment_methods set state = 'disabled' where id = $1`, p.id+"-"+h.Method)
	case model.FixMethod:
		// As its customer does it; there is no door for that yet.
		p.exec(`with mended as (update payment_methods set state = 'active', state_reason = '' where id = $1 returning account_id),
			woken as (update cases c set wake = case when wake = '' then 'machine' else wake end from mended where c.account_id = mended.account_id
				and c.finished_at is null returning c.id)
			insert into pokes (case_id, reason) select id, 'method mended' from woken on conflict do nothing`, p.id+"-"+h.Method)
	case model.FundsArrive:
		p.brings(name, billing.Batch{Deposits: []billing.BatchDeposit{p.deposit(model.Deposit{ID: h.Method, Amount: h.Amount})}})
	case model.GrantCredit:
		p.brings(name, billing.Batch{Credits: []billing.BatchCredit{p.credit(h.Credit)}})
	case model.Webhook:
		if id := p.openAttempt(); id != "" {
			p.check(p.store.TakeGatewayEvent(ctx, billing.GatewayEvent{Gateway: "stripe", ID: "evt_" + name, Type: "payment_intent.updated",
				About: billing.EventOutcome, Attempt: billing.AttemptID(id), At: h.At}))
		}
	case model.StopCharging:
		_, err := p.store.StopCharging(ctx, dunning.AnyGateway, store.Order{Actor: "anna", Reason: "simulated", RequestID: name})
		p.check(err)
	case model.StartCharging:
		_, _, err := p.store.StartCharging(ctx, dunning.AnyGateway, store.Order{Actor: "anna", Reason: "simulated", RequestID: name})
		p.check(err)
	case model.Chargeback:
		p.takeBack(name)
	case model.Poke:
		for range 50 {
			p.poke()
		}
	case model.Terminate, model.WorkersDown:
		if p.env != nil {
			p.back = h.At
			if h.Do == model.WorkersDown {
				p.back = h.Until
			}
			p.env.CancelWorkflow()
		}
	}
	p.deliver()
}

func (p *simulated) openAttempt() string {
	return ask[string](p, `select coalesce((select id::text from attempts where invoice_id = $1 and ended_at is null), '')`, p.id)
}

func (p *simulated) poke() {
	if p.env != nil {
		p.env.SignalWorkflow(workflows.SignalPoke, "simulated")
	}
}

// deliver is the poker.
func (p *simulated) deliver() {
	if len(list[string](p, `delete from pokes where case_id in (select id from cases where account_id = $1) returning case_id`, p.id)) > 0 {
		p.poke()
	}
}

// resolves lets a person decide, through one door or another.
func (p *simulated) resolves(n int, request string, h model.Happening) {
	r := billing.Resolution{RequestID: request, Actor: "ada", Reason: "simulated",
		Case: ask[billing.CaseID](p, `select id from cases where account_id = $1 order by episode desc limit 1`, p.id)}
	switch h.Do {
	case model.PaidElsewhere:
		minor := int64(h.Amount)
		if minor == 0 {
			minor = ask[int64](p, `select total_minor - allocated_minor from invoices where id = $1`, p.id)
		}
		if minor == 0 {
			return
		}
		amount := money.New(minor, p.Currency)
		r.Kind, r.Amount, r.Reference, r.ReceivedOn = billing.PaidOutOfBand, &amount, "CHQ "+request, h.At.Format(time.DateOnly)
	case model.RetryNow:
		r.Kind = billing.RetryNow
		if h.Method != "" {
			r.Method = billing.MethodID(p.id + "-" + h.Method)
		}
	case model.HoldFor:
		r.Kind, r.Until = billing.Hold, h.Until
		if h.OnlyEscalation {
			r.Scope = []string{"suspension"}
		}
	case model.Release:
		r.Kind = billing.Release
	case model.FoundCaptured, model.FoundNothing:
		id := p.openAttempt()
		p.judged = billing.AttemptID(id)
		if h.Do == model.FoundCaptured {
			r.Kind, r.Verdict, r.Reference = billing.ResolveUnknown, billing.Captured, "pi_"+id
		} else {
			r.Kind, r.Verdict, r.Evidence = billing.ResolveUnknown, billing.NotCaptured, "asked the gateway"
		}
		if id == "" {
			r.Reference = "pi_none"
		}
	default:
	}
	p.asked[n] = request
	running := p.env != nil && p.live() != ""
	verdict := r.Kind == billing.ResolveUnknown
	switch door := n % 3; {
	case verdict:
		// What a person finds at the gateway is so.
		_, err := p.store.Resolve(context.Background(), r)
		if err != nil && !isRefused(err) {
			p.check(err)
		} else if err == nil {
			p.gate.found(p.judged, map[model.Doing]model.Saying{model.FoundCaptured: model.SaysYes, model.FoundNothing: model.SaysNoTraces}[h.Do])
		}
	case running && door == 0:
		p.env.UpdateWorkflow(workflows.MessageResolve, request, answered{p}, r)
	case running && door == 1:
		p.env.SignalWorkflow(workflows.MessageResolve, r)
	default:
		if _, err := p.store.Resolve(context.Background(), r); err != nil && !isRefused(err) {
			p.check(err)
		}
	}
}

func isRefused(err error) bool { return strings.Contains(fmt.Sprintf("%T", err), "Refusal") }

// answered takes an Update's answer; refusals are seen by what was recorded.
type answered struct{ p *simulated }

func (a answered) Accept()             {}
func (a answered) Reject(err error)    { a.p.trouble("an update was rejected: %v", err) }
func (a answered) Complete(any, error) {}

// takeBack is a chargeback of what a method paid, when there is something to take back.
func (p *simulated) takeBack(name string) {
	id := ask[string](p, `select coalesce((select a.id::text from attempts a join invoices i on i.id = a.invoice_id where a.invoice_id = $1
		and a.state = 'succeeded' and i.state = 'paid' and not exists (select 1 from reversals r where r.attempt_id = a.id) order by a.ended_at desc limit 1), '')`, p.id)
	unapplied := ask[int64](p, `select count(*) from journal_entries where account_id = $1 and ledger_kind = 'unapplied_funds'`, p.id)
	if id == "" || unapplied > 0 || p.live() != "" {
		return
	}
	a := p.gate.told[billing.AttemptID(id)]
	a.back = true
	_, err := p.store.RecordReversal(context.Background(), billing.AttemptID(id), billing.Reversal{Reference: "dp_" + name, Amount: a.req.Amount, Code: "fraudulent"})
	p.check(err)
}

func (p *simulated) method(m model.Method, position int) billing.BatchMethod {
	id := p.id + "-" + m.ID
	p.gate.methods[id] = &script{answers: m.Answers}
	b := billing.PaymentMethod{ID: billing.MethodID(id), AccountID: billing.AccountID(p.id), Gateway: "stripe", Token: id, Kind: billing.MethodCard, Brand: m.Brand, Last4: "4242",
		Position: position, State: billing.MethodActive}
	if m.Bank {
		b.Kind, b.Brand = billing.MethodUSBankAccount, "bank"
	}
	if !m.Expires.IsZero() {
		last := m.Expires.AddDate(0, 0, -1)
		b.ExpiryYear, b.ExpiryMonth = last.Year(), int(last.Month())
	}
	return billing.BatchMethod{Line: 1, Method: b}
}

func (p *simulated) credit(c model.Credit) billing.BatchCredit {
	amount := money.New(int64(c.Amount), p.Currency)
	b := billing.BatchCredit{Line: 1, Credit: billing.Credit{ID: billing.CreditID(p.id + "-" + c.ID), AccountID: billing.AccountID(p.id), Enabled: true, Granted: amount,
		Remaining: amount, StartsOn: p.due.AddDate(-1, 0, 0), Services: c.Services, Reason: "simulated"}}
	if !c.Expires.IsZero() {
		b.ExpiresOn = c.Expires.In(p.Zone).Add(-time.Second).Format(time.DateOnly)
	}
	return b
}

func (p *simulated) deposit(d model.Deposit) billing.BatchDeposit {
	amount := money.New(int64(d.Amount), p.Currency)
	return billing.BatchDeposit{Line: 1, SettledOn: p.now().UTC().Format(time.DateOnly), Deposit: billing.Deposit{ID: billing.DepositID(p.id + "-" + d.ID), AccountID: billing.AccountID(p.id),
		State: billing.DepositSettled, Reference: "R-" + d.ID, Amount: amount, Remaining: amount}}
}
