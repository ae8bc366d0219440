package workflows_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"recoup/audit"
	"recoup/audit/model"
	"recoup/billing"
	"recoup/gateway"
)

// teller is a gateway that answers as a case of the model says, keeps its promises about keys, and keeps books.
type teller struct {
	now     func() time.Time
	mu      sync.Mutex
	methods map[string]*script // by token
	told    map[billing.AttemptID]*told
	order   []billing.AttemptID
	deaths  []model.Death
	dies    model.Death
}

// script is what a method's gateway says, send by send.
type script struct {
	answers []model.Answer
	said    int
}

// told is what the gateway knows of one key.
type told struct {
	of     *script
	req    gateway.ChargeRequest
	first  time.Time
	answer model.Answer
	ended  model.Saying // "" while open
	back   bool         // the money was taken back
}

func (g *teller) Name() string { return "stripe" }

func (g *teller) Contract() gateway.Contract {
	return gateway.Contract{KeyWindow: 23 * time.Hour, LookUpByReference: true, CancelByReference: true, ProvesNegative: true, ChargesPerSecond: 1000, Timeout: time.Second}
}

// at lets the worker die where the case says; it dies once per charge.
func (g *teller) at(label string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if label == "after intent" && len(g.deaths) > 0 {
		g.dies, g.deaths = g.deaths[0], g.deaths[1:]
	}
	if g.dies != "" && string(g.dies) == label {
		g.dies = ""
		panic("worker dies")
	}
}

// Charge answers a key anew when nothing came of its last send, and repeats itself otherwise.
func (g *teller) Charge(_ context.Context, req gateway.ChargeRequest) gateway.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.told[req.Attempt]
	if a == nil {
		a = &told{of: g.methods[req.Token], req: req, first: g.now()}
		g.told[req.Attempt] = a
		g.order = append(g.order, req.Attempt)
	} else if a.answer.Say != model.SaysBusy && a.ended != model.SaysNoTraces {
		return a.says(a.state(g.now()))
	}
	return a.says(a.hear())
}

// hear takes the next answer; what shows later counts from the first send, what is said at once doesn't.
func (a *told) hear() model.Saying {
	a.answer = a.of.answers[min(a.of.said, len(a.of.answers)-1)]
	a.of.said++
	a.ended = ""
	return a.becomes(a.answer.Say)
}

// state is how the key stands now.
func (a *told) state(now time.Time) model.Saying {
	if a.ended != "" {
		return a.ended
	}
	return a.becomes(a.answer.At(now.Sub(a.first)))
}

func (a *told) becomes(s model.Saying) model.Saying {
	switch s {
	case model.SaysBusy, model.SaysNothing, model.SaysPending, model.SaysConfirm:
	default:
		a.ended = s
	}
	return s
}

// says puts a saying into a gateway's words.
func (a *told) says(s model.Saying) gateway.Answer {
	declined := func(card, bank string) gateway.Answer {
		if a.req.Kind != billing.MethodCard {
			card = bank
		}
		return gateway.Answer{State: billing.AttemptDeclined, Reference: a.reference(), DeclineCode: card}
	}
	switch s {
	case model.SaysYes:
		return gateway.Answer{State: billing.AttemptSucceeded, Reference: a.reference(), Captured: a.req.Amount}
	case model.SaysSoft:
		return declined("insufficient_funds", "insufficient_funds")
	case model.SaysIssuer:
		return declined("generic_decline", "generic_could_not_process")
	case model.SaysHard:
		return declined("lost_card", "bank_account_closed")
	case model.SaysFix:
		return declined("incorrect_cvc", "incorrect_cvc")
	case model.SaysAuth:
		return declined("authentication_required", "authentication_required")
	case model.SaysRisk:
		return declined("fraudulent", "fraudulent")
	case model.SaysBusy:
		return gateway.Answer{State: billing.AttemptNotSent, Transient: true, Message: "429"}
	case model.SaysRefused:
		return gateway.Answer{State: billing.AttemptNotSent, OurConfig: true, Message: "401"}
	case model.SaysPending:
		return gateway.Answer{State: billing.AttemptPending, Reference: a.reference()}
	case model.SaysConfirm:
		return gateway.Answer{State: billing.AttemptActionRequired, Reference: a.reference()}
	case model.SaysNoTraces:
		return gateway.Answer{State: billing.AttemptNotSent, Message: "no such payment"}
	case model.SaysNothing:
	}
	return gateway.Answer{State: billing.AttemptUnknown, Message: "no answer in time"}
}

func (a *told) reference() string { return "pi_" + string(a.req.Attempt) }

// LookUp says how a key stands.
func (g *teller) LookUp(_ context.Context, req gateway.LookUpRequest) gateway.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.told[req.Attempt]
	if a == nil {
		return gateway.Answer{State: billing.AttemptNotSent, Message: "no such payment"}
	}
	return a.says(a.state(g.now()))
}

// Cancel ends what has not ended.
func (g *teller) Cancel(_ context.Context, req gateway.LookUpRequest) gateway.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.told[req.Attempt]
	if s := a.state(g.now()); s != model.SaysPending && s != model.SaysConfirm {
		return a.says(s)
	}
	a.ended = model.SaysIssuer
	return gateway.Answer{State: billing.AttemptDeclined, Reference: a.reference(), DeclineCode: "canceled"}
}

// found lets a person's verdict be true.
func (g *teller) found(id billing.AttemptID, s model.Saying) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.told[id]; a != nil && a.ended == "" {
		a.ended = s
	}
}

// tellerBooks are the books of all gateways of one database (I1, I2).
type tellerBooks []*teller

func (b tellerBooks) Gateway() string { return "stripe" }

func (b tellerBooks) EachCharge(_ context.Context, f func(audit.Charge) error) error {
	for _, g := range b {
		for _, id := range slices.Clone(g.order) {
			a := g.told[id]
			if a.ended != model.SaysYes {
				continue
			}
			status := audit.ChargeSucceeded
			if a.back {
				status = audit.ChargeReturned
			}
			err := f(audit.Charge{ID: a.reference(), Attempt: string(id), Invoice: string(a.req.Invoice), Key: string(id), Minor: a.req.Amount.Minor(),
				Currency: a.req.Amount.Currency().Code(), Status: status, CreatedAt: a.first})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
