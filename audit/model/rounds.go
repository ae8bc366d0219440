package model

import (
	"slices"
	"strings"
	"time"
)

// method is a payment method on its way through a case.
type method struct {
	Method
	unusable string      // why it is skipped for good, until it is mended (PM2)
	said     int         // answers heard
	tries    []time.Time // its attempts (D4)
	debits   int         // presentments of a bank debit (D4)
	last     Saying      // what the last debit came to
}

// round is one pass over the usable methods, in the order that was read at its start (§0, PM1).
type round struct {
	n     int
	order []*method
	at    int  // the method whose turn it is
	tried int  // how many were
	risk  bool // a person looks (D1)
	ours  bool // it was our outage that stopped it (D1 our_config)
}

// skips is PM2 with the budgets of D4.
func (m *method) skips(now time.Time) bool {
	within := func(d time.Duration) (n int) {
		for _, t := range m.tries {
			if now.Sub(t) < d {
				n++
			}
		}
		return n
	}
	const day = 24 * time.Hour
	switch {
	case m.unusable != "":
		return true
	case !m.Expires.IsZero() && !now.Before(m.Expires):
		return true
	case m.Bank: // ACH: at most 3 presentments, and again only when the bank said there was not enough money
		return m.debits >= 3 || m.debits > 0 && m.last != SaysSoft
	case m.Brand == "mastercard":
		return within(day) >= 10 || within(30*day) >= 35
	default:
		return within(30*day) >= 15
	}
}

// roundsGoOn: automatic rounds end with the final notice.
func (w *world) roundsGoOn() bool { return w.stage == "collecting" || w.stage == "retrying" }

// mayCharge: not under a hold that stops attempts (§8), not while charging is stopped, not right after our own outage, and not for an
// account that is closed.
func (w *world) mayCharge() bool {
	return (w.held == nil || w.held.OnlyEscalation) && !w.stopped && !w.paused.After(w.now) && w.out.Standing != "closed"
}

// roundIsDue: the policy's next round, while its automatic rounds last, or one that was asked for (D7).
func (w *world) roundIsDue() bool {
	if w.wished {
		return true
	}
	return w.scheduledIsDue()
}

func (w *world) scheduledIsDue() bool {
	return w.roundsGoOn() && w.frozen.IsZero() && w.scheduled < len(w.Policy.Rounds) && !w.dayOf(w.Policy.Rounds[w.scheduled]).After(w.now)
}

// beginRound reads the order of methods (PM1). Rounds whose dates passed meanwhile and those asked for are one (D7: coalesced).
func (w *world) beginRound() {
	for w.scheduledIsDue() {
		w.scheduled++
	}
	w.rounds++
	w.round = &round{n: w.rounds}
	for _, m := range w.methods {
		if w.only == "" || w.only == m.ID {
			w.round.order = append(w.round.order, m)
		}
	}
	w.wished, w.only = false, ""
	w.says("round %d", w.round.n)
}

// goOn charges the next usable method of the round, or ends it.
func (w *world) goOn() {
	r := w.round
	for r.at < len(r.order) && r.order[r.at].skips(w.now) {
		r.at++
	}
	if r.at < len(r.order) {
		w.charge(r.order[r.at])
		return
	}
	w.round = nil
	// N3: after the whole round; PM9: also when there was nothing to charge. D1 risk: no ordinary dunning mail.
	if !r.risk {
		w.notice("payment_failed")
	}
	if w.stage == "collecting" {
		w.becomes("retrying")
	}
}

// escalate takes the policy's next step when its date has come, and says whether it did.
func (w *world) escalate() bool {
	if w.stage == "collecting" || !w.frozen.IsZero() {
		return false
	}
	for _, s := range w.steps() {
		if _, taken := w.escalated[s.name]; taken {
			continue
		}
		if w.dateOf(s).After(w.now) {
			return false
		}
		if s.name == "suspend" && w.due < Minor(w.Policy.SuspendsAbove(w.Currency).Minor()) {
			return false // S2: put off
		}
		w.escalated[s.name] = w.now
		if s.name == "close" {
			w.standing("closed")
			w.task("account_closed")
			return true
		}
		w.becomes(s.stage)
		if s.name == "suspend" {
			w.standing("suspended")
		}
		w.notice(s.notice)
		return true
	}
	return false
}

// named returns a method by id.
func (w *world) named(id string) *method {
	i := slices.IndexFunc(w.methods, func(m *method) bool { return strings.EqualFold(m.ID, id) })
	if i < 0 {
		return nil
	}
	return w.methods[i]
}
