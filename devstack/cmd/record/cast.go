package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"recoup/billing"
	"recoup/dunning"
	"recoup/intake"
	"recoup/money"
	"recoup/store"
)

// stage is what the scenes beyond the sample story need: a stack at rest.
type stage struct {
	db       *store.Store
	temporal client.Client
	gateway  string // the simulator's address
}

// scene is one story that the sample story doesn't tell. Its account has these methods, and play does what people, banks and gateways do.
type scene struct {
	name, policy string
	methods      []string
	play         func(ctx context.Context, s stage, id billing.CaseID) error
	why          string // for the list of histories
}

const due = 5000 // cents

var usd = money.MustCurrency("USD")

// scenes are played beside each other; the kill switch comes last, for it stops them all.
var scenes = []scene{
	{"settles", "standard", []string{"pm_usBankAccount_success"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("pending"), s.bank("settle"), s.ended())
	}, "a debit is pending, the bank settles, a webhook tells"},
	{"returns", "standard", []string{"pm_usBankAccount_success"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		if err := s.steps(ctx, id, s.attempt("pending"), s.bank("settle"), s.ended(), s.bank("return")); err != nil {
			return err
		}
		again := id + "/2"
		return s.steps(ctx, again, s.running, s.decide(billing.PaidOutOfBand, ""), s.ended())
	}, "a settled debit is returned; the linked case /2 has no usable method and is paid otherwise (U5)"},
	{"disputed", "standard", []string{"pm_card_visa", "pm_card_mastercard"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		if err := s.steps(ctx, id, s.ended(), s.bank("dispute")); err != nil {
			return err
		}
		return s.steps(ctx, id+"/2", s.ended())
	}, "a card payment is disputed; the linked case /2 charges the backup (U5)"},
	{"bounced", "standard", []string{"pm_usBankAccount_accountClosed", "pm_card_visa"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("pending"), s.bank("fail"), s.ended())
	}, "a debit fails at the bank, the backup pays"},
	{"confirms", "standard", []string{"pm_sim_requires_action"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("action_required"), s.bank("authenticate"), s.ended())
	}, "the customer's bank asks, the customer confirms (U3)"},
	{"cancelled", "demo", []string{"pm_sim_requires_action", "pm_card_visa"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.ended())
	}, "the customer never confirms: cancelled at the deadline, then the backup (R5)"},
	{"verdict", "standard", []string{"pm_sim_timeout_before_effect"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("unknown"), s.decide(billing.ResolveUnknown, "update"), s.ended())
	}, "nobody knows what became of a send, a person found the payment (U1)"},
	{"held", "standard", []string{"pm_sim_decline_then_ok_1"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.decide(billing.Hold, "signal"), s.decide(billing.Release, "update"), s.decide(billing.RetryNow, "update"), s.ended())
	}, "held by a signal, released and tried again by updates"},
	{"retried", "standard", []string{"pm_sim_decline_then_ok_1"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.decide(billing.RetryNow, ""), s.ended())
	}, "tried again from the command line: a poke"},
	{"paid", "standard", []string{"pm_card_visa_chargeDeclinedInsufficientFunds"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.decide(billing.PaidOutOfBand, "signal"), s.ended())
	}, "paid outside Recoup, told by a signal"},
	{"refused", "standard", []string{"pm_card_visa_chargeDeclinedInsufficientFunds"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.refused, s.decide(billing.PaidOutOfBand, "update"), s.ended())
	}, "a signal that is refused changes nothing; paid by an update"},
	{"barred", "demo", []string{"pm_card_visa_chargeDeclinedLostCard"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.decide(billing.Hold, "update"))
	}, "a lost card is never tried again; held, still running"},
	{"flood", "standard", []string{"pm_card_visa_chargeDeclinedInsufficientFunds"}, func(ctx context.Context, s stage, id billing.CaseID) error {
		return s.steps(ctx, id, s.attempt("declined"), s.flood, s.decide(billing.PaidOutOfBand, "update"), s.ended())
	}, "so many pokes that the case went on as a new run: the second run"},
}

var stopped = scene{"stopped", "standard", []string{"pm_card_visa"}, func(ctx context.Context, s stage, id billing.CaseID) error {
	return s.steps(ctx, id, s.until(`select count(*) > 0 from cases where id = $1 and next_step->>'do' = 'wait'`), s.switchOn, s.ended())
}, "the kill switch was on when the case opened"}

// playAll plays every scene to its end.
func (s stage) playAll(ctx context.Context) error {
	group, each := errgroup.WithContext(ctx)
	for _, sc := range scenes {
		group.Go(func() error { return s.playOne(each, sc) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if _, err := s.db.StopCharging(ctx, dunning.AnyGateway, store.Order{Actor: "Edda", Reason: "a scene", RequestID: rand.Text()}); err != nil {
		return err
	}
	return s.playOne(ctx, stopped)
}

func (s stage) playOne(ctx context.Context, sc scene) error {
	if err := s.enter(ctx, sc); err != nil {
		return fmt.Errorf("scene %s: %w", sc.name, err)
	}
	if err := sc.play(ctx, s, billing.CaseID("inv-scene-"+sc.name)); err != nil {
		return fmt.Errorf("scene %s: %w", sc.name, err)
	}
	return nil
}

// enter imports the scene's account, methods and invoice; the next scan opens the case.
func (s stage) enter(ctx context.Context, sc scene) error {
	account := "scene-" + sc.name
	lines := []string{fmt.Sprintf(`{"kind":"account","id":%q,"name":"Scene","time_zone":"UTC","policy":%q,"contacts":[{"name":"Someone","email":"someone@%[1]s.example.com"}]}`, account, sc.policy)}
	for n, token := range sc.methods {
		looks := `"method_kind":"card","brand":"visa","last4":"9995","expiry":"2031-08"`
		if strings.HasPrefix(token, "pm_usBankAccount") {
			looks = `"method_kind":"us_bank_account","brand":"STRIPE TEST BANK","last4":"6789"`
		}
		lines = append(lines, fmt.Sprintf(`{"kind":"payment_method","id":"pm-%s-%d","account":%[1]q,"token":%[3]q,%[4]s,"position":%[2]d}`, account, n+1, token, looks))
	}
	lines = append(lines, fmt.Sprintf(`{"kind":"invoice","id":"inv-%s","number":"2025-10/%s/1","account":%[1]q,"due_date":"2025-11-14","currency":"USD","lines":[{"service":"Compute","period_start":"2025-10-01","amount":"50.00"}]}`,
		account, strings.ToUpper(account)))
	text := strings.Join(lines, "\n")
	batch, err := intake.ReadLines(strings.NewReader(text))
	if err != nil {
		return err
	}
	_, err = s.db.Import(ctx, store.ImportInput{File: account, Format: "jsonl", Digest: sha256.Sum256([]byte(text)), Batch: batch})
	return err
}
