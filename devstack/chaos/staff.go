package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"recoup/billing"
	"recoup/devstack/rig"
	"recoup/money"
)

// verdict is what a door said to a decision.
type verdict int

// What a door can say. Unheard: the answer was lost, or the door does not answer. Handed over: the door gives no answer.
const (
	unheard verdict = iota
	accepted
	refused
	handedOver
)

// staff are people who decide at random, each decision under a request id of its own, given again until it is answered (R2).
type staff struct {
	rig     *rig.Rig
	tally   *tally
	seed    uint64
	browser *browser

	mu      sync.Mutex
	number  int
	decided []decision
}

// decision is one that was given, and what the people were told.
type decision struct {
	billing.Resolution
	door string
	said verdict
	why  string // of a refusal
}

func newStaff(r *rig.Rig, t *tally, seed uint64) (*staff, error) {
	b, err := newBrowser(r.ConsoleURL())
	return &staff{rig: r, tally: t, seed: seed, browser: b}, err
}

// Conditions on the case that a decision is about: mostly one that it fits.
var fits = map[Kind]string{
	StaffPaid:    `c.finished_at is null and i.state = 'open'`,
	StaffHold:    `c.finished_at is null`,
	StaffRelease: `c.finished_at is null and c.held_until > now()`,
	StaffRetry: `c.finished_at is null and i.state = 'open' and c.stage <> 'collecting' and (c.held_until is null or c.held_until < now())
		and not exists (select 1 from attempts a where a.invoice_id = i.id and a.ended_at is null)`,
	StaffVerdict: `c.finished_at is null and exists (select 1 from attempts a where a.case_id = c.id and a.state = 'unknown')`,
}

// decide gives one decision through one of the doors, until it is answered.
func (s *staff) decide(ctx context.Context, a Act) bool {
	return within(ctx, lookFor, func() bool {
		id, err := aCase(ctx, s.rig, a.Pick, fits[a.Kind])
		if err != nil {
			return false
		}
		d, err := s.resolution(ctx, a, id)
		if err != nil {
			return false
		}
		s.give(ctx, d, doors[a.Pick%uint64(len(doors))])
		return true
	})
}

// give knocks at the door, and again when no answer was heard.
func (s *staff) give(ctx context.Context, d billing.Resolution, through door) {
	said, why := unheard, ""
	// A decision that was begun is given to its end, or nobody knows whether it counts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*lookFor)
	defer cancel()
	for said == unheard {
		if said, why = through.knock(ctx, s, d); said != unheard || !sleep(ctx, pollEvery) {
			break
		}
		if through.otherwise != nil {
			through = *through.otherwise
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decided = append(s.decided, decision{Resolution: d, door: through.name, said: said, why: why})
	s.tally.did(Kind(d.Kind))
}

// resolution draws what is decided: amounts that pay in part, in full and too much, holds that end within a minute or two.
func (s *staff) resolution(ctx context.Context, a Act, id billing.CaseID) (billing.Resolution, error) {
	s.mu.Lock()
	s.number++
	r := billing.Resolution{RequestID: fmt.Sprintf("chaos-%d-%d", s.seed, s.number), Kind: billing.ResolutionKind(a.Kind), Case: id,
		Actor: fmt.Sprintf("Person %d", a.Pick%7), Reason: "decided in a chaos run"}
	s.mu.Unlock()
	switch a.Kind {
	case StaffPaid:
		amount, err := s.amount(ctx, id, a.Pick)
		if err != nil {
			return r, err
		}
		r.Amount, r.Reference, r.ReceivedOn = &amount, "CHQ "+r.RequestID, time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	case StaffHold:
		// A form knows minutes only.
		r.Until = time.Now().UTC().Add(time.Minute + time.Duration(a.Pick%30)*time.Second).Truncate(time.Minute)
		if !r.Until.After(time.Now().Add(5 * time.Second)) {
			r.Until = r.Until.Add(time.Minute)
		}
		r.Scope = [][]string{{"attempts", "suspension"}, {"attempts", "notices", "suspension"}, {"suspension"}, {"notices"}}[a.Pick%4]
	case StaffVerdict:
		return s.verdict(ctx, r, a.Pick)
	default:
	}
	return r, nil
}

func (s *staff) amount(ctx context.Context, id billing.CaseID, pick uint64) (money.Amount, error) {
	var minor int64
	var code string
	const query = `select i.total_minor - i.allocated_minor, i.currency from cases c join invoices i on i.id = c.invoice_id where c.id = $1`
	if err := s.rig.Store.Pool().QueryRow(ctx, query, id).Scan(&minor, &code); err != nil {
		return money.Amount{}, err
	}
	currency, err := money.ParseCurrency(code)
	if err != nil {
		return money.Amount{}, err
	}
	switch pick % 10 {
	case 0, 1, 2, 3:
		minor = max(1, minor*30/100)
	case 4:
		minor += 100
	}
	return money.New(max(1, minor), currency), nil
}

// verdict looks into the gateway's books first, as a careful person does. What is not there is said to be not captured, which is refused
// for a day.
func (s *staff) verdict(ctx context.Context, r billing.Resolution, pick uint64) (billing.Resolution, error) {
	var attempt string
	const query = `select id from attempts where case_id = $1 and state = 'unknown'`
	if err := s.rig.Store.Pool().QueryRow(ctx, query, r.Case).Scan(&attempt); err != nil {
		return r, err
	}
	charges, err := s.rig.Books(ctx)
	if err != nil {
		return r, err
	}
	for _, c := range charges {
		if c.Attempt == attempt && c.Status == "succeeded" {
			r.Verdict, r.Reference = billing.Captured, c.PaymentIntent
			currency, err := money.ParseCurrency(c.Currency)
			if err != nil {
				return r, err
			}
			amount := money.New(c.Amount, currency)
			r.Amount = &amount
			return r, nil
		}
	}
	if pick%4 != 0 {
		return r, errors.New("nothing to judge by")
	}
	r.Verdict, r.Evidence = billing.NotCaptured, "not in the gateway's books"
	return r, nil
}

// all are the decisions given so far.
func (s *staff) all() []decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]decision(nil), s.decided...)
}
