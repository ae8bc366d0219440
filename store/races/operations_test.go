package races

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// operation is one thing the product does to the store. It works on an invoice of the world: its own, or any that the other operation of
// a pair works on.
type operation struct {
	name    string
	invoice string // "" any with a live case
	do      func(ctx context.Context, s *store.Store, w *world, invoice string) error
	// claims: it takes what is queued, of whichever account.
	claims bool
	// shared: what it changes is everybody's, so it is undone after the trial.
	shared bool
	// pokes: it is a resolution, so the workflow must be told.
	pokes bool
	// decides: the kinds of resolutions that it makes; ofAccount, about the account as a whole.
	decides   []billing.ResolutionKind
	ofAccount bool
}

// anyInvoice is what two operations meet on that could work on any.
const anyInvoice = "round"

var operations = slices.Concat(everydayOperations, decisionOperations)

var everydayOperations = []operation{
	{name: "OpenCase", invoice: "due", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		_, err := s.OpenCase(ctx, w.invoice(invoice))
		return err
	}},
	{name: "WorkflowStarted", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return s.WorkflowStarted(ctx, w.caseOf(invoice))
	}},
	{name: "Review", do: review},
	{name: "Review of the oldest", invoice: "new", do: review},
	{name: "Review of the next", invoice: "newer", do: review},
	{name: "Review at the owner", invoice: "own", do: review},
	{name: "charge", invoice: "round", do: chargeOn("pm-1")},
	{name: "charge at the owner", invoice: "own", do: chargeOn("pm-3")},
	{name: "BeginAttempt", invoice: "intent", do: begin},
	{name: "MarkSent", invoice: "intent", do: markSent},
	{name: "RecordAnswer succeeded", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptSucceeded})},
	{name: "RecordAnswer declined", invoice: "sent", do: answer(declined)},
	{name: "RecordAnswer blocked", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptDeclined, DeclineCode: "stolen_card"})},
	{name: "RecordAnswer unknown", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptUnknown, Message: "timeout"})},
	{name: "RecordAnswer pending", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptPending})},
	{name: "RecordAnswer not sent", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptNotSent, Transient: true, Message: "429"})},
	{name: "RecordAnswer refused", invoice: "sent", do: answer(billing.Answer{State: billing.AttemptNotSent, OurConfig: true, Message: "401"})},
	{name: "RecordAnswer late", invoice: "late", do: answer(billing.Answer{State: billing.AttemptSucceeded})},
	{name: "RecordAnswer found by a look-up", invoice: "lost", do: answer(billing.Answer{State: billing.AttemptSucceeded})},
	{name: "RecordAnswer at a proposed end", invoice: "big", do: answer(billing.Answer{State: billing.AttemptSucceeded})},
	{name: "TakeGatewayEvent", invoice: "sent", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return s.TakeGatewayEvent(ctx, billing.GatewayEvent{Gateway: "stripe", ID: w.id("evt"), Type: "payment_intent.succeeded",
			About: billing.EventCapture, Attempt: w.attempt(invoice), At: present})
	}},
	{name: "RecordReversal", invoice: "paid", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		w.gateway.takeBack(w.attempt(invoice))
		_, err := s.RecordReversal(ctx, w.attempt(invoice), billing.Reversal{Reference: "re_" + w.id("1"), Amount: money.New(4900, usd), Code: "fraudulent"})
		return err
	}},
	{name: "StopCharging", shared: true, do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		_, err := s.StopCharging(ctx, "stripe", w.order("stop"))
		return err
	}},
	{name: "StopCharging, StartCharging", shared: true, do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		if _, err := s.StopCharging(ctx, "stripe", w.order("stop again")); err != nil {
			return err
		}
		_, _, err := s.StartCharging(ctx, "stripe", w.order("start"))
		return err
	}},
	{name: "FinalNotice", invoice: "final", do: escalate((*store.Store).FinalNotice)},
	{name: "ScheduleSuspension", invoice: "sched", do: escalate((*store.Store).ScheduleSuspension)},
	{name: "Suspend", invoice: "susp", do: escalate((*store.Store).Suspend)},
	{name: "CloseAccount", invoice: "gone", do: escalate((*store.Store).CloseAccount)},
	{name: "paid in part", decides: kinds(billing.PaidOutOfBand), pokes: true, do: pay(1500)},
	{name: "paid in full", decides: kinds(billing.PaidOutOfBand), pokes: true, do: pay(4900)},
	{name: "paid too much", decides: kinds(billing.PaidOutOfBand), pokes: true, do: pay(5600)},
	{name: "paid while suspended", invoice: "gone", pokes: true, do: pay(4900)},
	{name: "request id used elsewhere", invoice: "own", pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, "paid-4900", paid(700))
	}},
	{name: "hold", decides: kinds(billing.Hold), pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, "hold", billing.Resolution{Kind: billing.Hold, Until: present.Add(3 * day)})
	}},
	{name: "release", decides: kinds(billing.Release), invoice: "held", pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, "release", billing.Resolution{Kind: billing.Release})
	}},
	{name: "retry now", decides: kinds(billing.RetryNow), pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, "retry", billing.Resolution{Kind: billing.RetryNow})
	}},
	{name: "AddPolicy", invoice: "due", do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		for _, f := range dunning.ShippedFiles() {
			if f.Name != "fast" {
				continue
			}
			document := strings.Replace(f.Document, "name: fast", fmt.Sprintf("name: w%06d", w.n), 1)
			if _, _, err := s.AddPolicy(ctx, []byte(document), w.order("add policy")); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "AssignPolicy", invoice: "due", do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		_, _, err := s.AssignPolicy(ctx, dunning.Assignment{Account: w.account("kid"), Policy: "standard"}, w.order("assign policy"))
		return err
	}},
	{name: "MoveCasePolicy", pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		got, err := s.MoveCasePolicy(ctx, w.caseOf(invoice), "standard", 1, w.order("move policy"))
		if err == nil && !got.Repeated && !got.Unchanged {
			w.mu.Lock()
			w.poked = "policy moved"
			w.mu.Unlock()
		}
		return err
	}},
	{name: "promise", decides: kinds(billing.PromiseToPay), pokes: true, do: decide("promise", billing.Resolution{Kind: billing.PromiseToPay, Amount: ptr(money.New(1000, usd)), Until: present.Add(3 * day)})},
	{name: "dispute", decides: kinds(billing.Dispute), pokes: true, do: decide("dispute", billing.Resolution{Kind: billing.Dispute, Amount: ptr(money.New(1000, usd)), Claim: "never ordered"})},
	{name: "dispute, upheld", decides: kinds(billing.Dispute, billing.EndDispute), pokes: true, do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		err := resolve(ctx, s, w, invoice, "dispute-2", billing.Resolution{Kind: billing.Dispute, Amount: ptr(money.New(900, usd)), Claim: "never ordered"})
		if err != nil {
			return err
		}
		return resolve(ctx, s, w, invoice, "upheld", billing.Resolution{Kind: billing.EndDispute, Outcome: billing.DisputeUpheld})
	}},
	{name: "extend", decides: kinds(billing.Extend), pokes: true, do: decide("extend", billing.Resolution{Kind: billing.Extend, Until: present.Add(10 * day)})},
	{name: "goodwill", decides: kinds(billing.GrantCredit), pokes: true, do: decide("goodwill", billing.Resolution{Kind: billing.GrantCredit, Amount: ptr(money.New(1000, usd))})},
	{name: "write off", decides: kinds(billing.WriteOffInvoice), pokes: true, do: decide("write-off", billing.Resolution{Kind: billing.WriteOffInvoice})},
	{name: "void", decides: kinds(billing.VoidInvoice), pokes: true, do: decide("void", billing.Resolution{Kind: billing.VoidInvoice})},
	{name: "suspend now", decides: kinds(billing.SuspendNow), pokes: true, do: decide("suspend", billing.Resolution{Kind: billing.SuspendNow})},
	{name: "reinstate", decides: kinds(billing.Reinstate), invoice: "gone", pokes: true, do: decide("reinstate", billing.Resolution{Kind: billing.Reinstate})},
	{name: "never suspend", decides: kinds(billing.NeverSuspend), invoice: "susp", pokes: true, do: decide("never", billing.Resolution{Kind: billing.NeverSuspend, Until: present.Add(9 * day)})},
	{name: "paid, taken back", decides: kinds(billing.PaidOutOfBand, billing.Reverse), do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		if err := resolve(ctx, s, w, invoice, "paid-800", paid(800)); err != nil {
			return err
		}
		return resolve(ctx, s, w, invoice, "back", billing.Resolution{Kind: billing.Reverse, Reverses: w.id("paid-800")})
	}},
	{name: "Import a credit", invoice: "own", do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		_, err := s.Import(ctx, inputOf(w.id("more credit"), billing.Batch{Credits: []billing.BatchCredit{creditOf(w, "more", 900)}}))
		return err
	}},
	{name: "Import a deposit", invoice: "new", do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		_, err := s.Import(ctx, inputOf(w.id("more funds"), billing.Batch{Deposits: []billing.BatchDeposit{depositOf(w, "more", 800)}}))
		return err
	}},
	{name: "Import a method", invoice: "round", do: func(ctx context.Context, s *store.Store, w *world, _ string) error {
		m := billing.PaymentMethod{ID: billing.MethodID(w.id("pm-9")), AccountID: w.account("kid"), Gateway: "stripe", Token: w.id("pm-9"),
			Kind: billing.MethodCard, Brand: "visa", Last4: "1881"}
		_, err := s.Import(ctx, inputOf(w.id("more methods"), billing.Batch{Methods: []billing.BatchMethod{{Line: 1, Method: m}}}))
		return err
	}},
	{name: "customer pays", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		_, err := s.PayNow(ctx, w.own(invoice, "click"))
		return err
	}},
	{name: "customer asks for time, pays", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		if _, err := s.AskForTime(ctx, w.own(invoice, "time")); err != nil {
			return err
		}
		_, err := s.PayNow(ctx, w.own(invoice, "early"))
		return err
	}},
	{name: "add a method", invoice: "round", do: changeMethods(billing.MethodChange{Kind: billing.MethodAdd}, "new-card")},
	{name: "replace a method", invoice: "sent", do: changeMethods(billing.MethodChange{Kind: billing.MethodReplace, Method: "pm-1"}, "newer-card")},
	{name: "remove a method", invoice: "intent", do: changeMethods(billing.MethodChange{Kind: billing.MethodRemove, Method: "pm-1"}, "")},
	{name: "disable a method", invoice: "round", do: changeMethods(billing.MethodChange{Kind: billing.MethodDisable, Method: "pm-1"}, "")},
	{name: "reorder methods", invoice: "round", do: changeMethods(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2", "pm-1"}}, "")},
	{name: "backups off, on", invoice: "round", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		if err := changeMethods(billing.MethodChange{Kind: billing.MethodBackupsOff}, "")(ctx, s, w, invoice); err != nil {
			return err
		}
		return changeMethods(billing.MethodChange{Kind: billing.MethodBackupsOn}, "")(ctx, s, w, invoice)
	}},
	{name: "send notices", invoice: "late", claims: true, do: notices(func(ctx context.Context, s *store.Store, c billing.NoticeClaim) error {
		return s.NoticeSent(ctx, c, billing.NoticeText{Subject: "s", Body: "b"})
	})},
	{name: "fail notices", invoice: "late", claims: true, do: notices(func(ctx context.Context, s *store.Store, c billing.NoticeClaim) error {
		return s.NoticeFailed(ctx, c, billing.NoticeText{Subject: "s", Body: "b", Problem: "550"})
	})},
	{name: "call the hook", invoice: "gone", claims: true, do: func(ctx context.Context, s *store.Store, _ *world, _ string) error {
		calls, err := s.ClaimStandingCalls(ctx, 5, time.Minute)
		if err != nil {
			return err
		}
		for _, c := range calls {
			if err := s.StandingCallAccepted(ctx, c, ""); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "PokeDelivered", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		p, err := seePoke(ctx, s, w, invoice)
		if p == nil || err != nil {
			return err
		}
		w.mu.Lock()
		w.poke = p
		w.mu.Unlock()
		return s.PokeDelivered(ctx, *p)
	}},
	{name: "PokeFailed", do: func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		p, err := seePoke(ctx, s, w, invoice)
		if p == nil || err != nil {
			return err
		}
		return s.PokeFailed(ctx, *p)
	}},
}

func review(ctx context.Context, s *store.Store, w *world, invoice string) error {
	_, err := s.Review(ctx, w.caseOf(invoice))
	return err
}

func escalate(do func(*store.Store, context.Context, billing.CaseID) (dunning.Step, error)) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		_, err := do(s, ctx, w.caseOf(invoice))
		return err
	}
}

func begin(ctx context.Context, s *store.Store, w *world, invoice string) error {
	_, _, err := s.BeginAttempt(ctx, w.caseOf(invoice), billing.MethodID(w.id("pm-1")), window)
	return err
}

func markSent(ctx context.Context, s *store.Store, w *world, invoice string) error {
	return w.mayBeSent(ctx, s, w.attempt(invoice))
}

// mayBeSent stamps an attempt; from then on its request may be at the gateway, until an answer is recorded.
func (w *world) mayBeSent(ctx context.Context, s *store.Store, id billing.AttemptID) error {
	err := s.MarkSent(ctx, id, window)
	if err == nil {
		w.mu.Lock()
		w.sent[id] = true
		w.mu.Unlock()
	}
	return err
}

// chargeOn is what the charge activity does, to its end.
func chargeOn(method string) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		c, _, err := s.BeginAttempt(ctx, w.caseOf(invoice), billing.MethodID(w.id(method)), window)
		if err != nil || c == nil {
			return err
		}
		if err := w.mayBeSent(ctx, s, c.Attempt); err != nil {
			return err
		}
		w.gateway.take(c.Attempt, c.Invoice, c.Amount)
		return w.record(ctx, s, c.Case, c.Attempt, billing.Answer{State: billing.AttemptSucceeded, Captured: c.Amount})
	}
}

func (w *world) record(ctx context.Context, s *store.Store, id billing.CaseID, attempt billing.AttemptID, a billing.Answer) error {
	w.mu.Lock()
	delete(w.sent, attempt)
	w.mu.Unlock()
	a.Reference = "pi_" + string(attempt)
	_, err := s.RecordAnswer(ctx, id, attempt, a)
	return err
}

func answer(a billing.Answer) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		a := a
		if a.State == billing.AttemptSucceeded {
			a.Captured = money.New(owed(invoice), usd)
			w.gateway.take(w.attempt(invoice), w.invoice(invoice), a.Captured)
		}
		return w.record(ctx, s, w.caseOf(invoice), w.attempt(invoice), a)
	}
}

// owed is what an invoice of the prototype asks for.
func owed(invoice string) int64 {
	if invoice == "big" {
		return aboveOnePerson
	}
	return 4900
}

func paid(minor int64) billing.Resolution {
	return billing.Resolution{Kind: billing.PaidOutOfBand, Amount: ptr(money.New(minor, usd)), Reference: "CHQ", ReceivedOn: "2026-11-16"}
}

func pay(minor int64) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, fmt.Sprint("paid-", minor), paid(minor))
	}
}

// own is what a customer asks for on an invoice of theirs.
func (w *world) own(invoice, request string) store.OwnAct {
	account := w.account("kid")
	if invoice == "own" || invoice == "gone" {
		account = w.account(map[string]string{"own": "owner", "gone": "gone"}[invoice])
	}
	return store.OwnAct{Account: account, Invoice: w.invoice(invoice), RequestID: w.id(request), Actor: "olga (customer)", Until: present.Add(3 * day)}
}

// changeMethods carries out a change of kid's methods; those it names are of this world.
func changeMethods(c billing.MethodChange, token string) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, _ string) error {
		c := c
		c.Account, c.RequestID, c.Actor, c.Reason = w.account("kid"), w.id("methods-"+string(c.Kind)), "ada", "as agreed"
		if c.Method != "" {
			c.Method = billing.MethodID(w.id(string(c.Method)))
		}
		var order []billing.MethodID
		for _, id := range c.Order {
			order = append(order, billing.MethodID(w.id(string(id))))
		}
		c.Order = order
		if token != "" {
			c.New = &billing.NewMethod{Gateway: "stripe", Token: w.id(token), Kind: billing.MethodCard, Brand: "visa", Last4: "1881"}
		}
		_, err := s.ChangeMethods(ctx, c)
		return err
	}
}

func decide(request string, r billing.Resolution) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, w *world, invoice string) error {
		return resolve(ctx, s, w, invoice, request, r)
	}
}

func resolve(ctx context.Context, s *store.Store, w *world, invoice, request string, r billing.Resolution) error {
	r.Case, r.RequestID, r.Actor, r.Reason = w.caseOf(invoice), w.id(request), "ada", "as agreed"
	got, err := s.Resolve(ctx, r)
	if err == nil && !got.Repeated && got.State != billing.ResolutionProposed {
		w.mu.Lock()
		w.poked = string(r.Kind)
		w.mu.Unlock()
	}
	return err
}

func notices(settle func(context.Context, *store.Store, billing.NoticeClaim) error) func(context.Context, *store.Store, *world, string) error {
	return func(ctx context.Context, s *store.Store, _ *world, _ string) error {
		claims, err := s.ClaimNotices(ctx, billing.ChannelEmail, 2, time.Minute)
		if err != nil {
			return err
		}
		for _, c := range claims {
			f, err := s.BeginNotice(ctx, c, "example.com")
			if err != nil {
				return err
			}
			if f.NotNow != "" {
				continue
			}
			if err := settle(ctx, s, c); err != nil {
				return err
			}
		}
		return nil
	}
}

func (w *world) order(request string) store.Order {
	return store.Order{Actor: "ada", Reason: "as agreed", RequestID: strings.ReplaceAll(w.id(request), " ", "-")}
}

// seePoke reads one case's poke as DuePokes reads all.
func seePoke(ctx context.Context, s *store.Store, w *world, invoice string) (*store.Poke, error) {
	pokes, err := s.DuePokes(ctx, 10_000)
	for _, p := range pokes {
		if p.Case == w.caseOf(invoice) {
			return &p, err
		}
	}
	return nil, err
}

// expected reports an error that a caller must live with: a refusal, which says why, or a claim that another took over.
func expected(err error) bool {
	var refusal *billing.Refusal
	return errors.As(err, &refusal) || strings.Contains(err.Error(), "is no longer valid")
}
