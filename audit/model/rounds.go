package model

import (
	"slices"
	"time"
)

// method is a payment method on its way through a case.
type method struct {
	Method
	unusable string      // why it is skipped for good, until it is mended (PM2)
	said     int         // answers heard
	tries    []time.Time // its attempts (D4)
	debits   *int        // presentments of the invoice to banks (D4)
	last     Saying      // what the last debit came to
}

// round is one pass over the usable methods, in the order that was read at its start (§0, PM1).
type round struct {
	n         int
	scheduled bool
	only      string
	order     []*method
	at        int  // the method whose turn it is
	declined  int  // how many were
	risk      bool // a person looks (D1)
}

// skips is PM2.
func (m *method) skips(now time.Time) bool {
	expired := !m.Expires.IsZero() && !now.Before(m.Expires)
	return m.unusable != "" || expired || m.overBudget(now)
}

// overBudget is D4.
func (m *method) overBudget(now time.Time) bool {
	if m.unusable != "" || !m.Expires.IsZero() && !now.Before(m.Expires) {
		return false // it isn't looked at
	}
	within := func(d time.Duration) int { return m.triesWithin(now, d) }
	const day = 24 * time.Hour
	switch {
	case m.Bank: // ACH: at most 3 presentments of an invoice, and again only when the bank said there was not enough money
		return *m.debits >= 3 || len(m.tries) > 0 && m.last != SaysSoft
	case m.Brand == "mastercard":
		return within(day) >= 10 || within(30*day) >= 35
	default:
		return within(30*day) >= 15
	}
}

func (m *method) triesWithin(now time.Time, d time.Duration) (n int) {
	for _, t := range m.tries {
		if now.Sub(t) < d {
			n++
		}
	}
	return n
}

// roundsGoOn: automatic rounds end with the final notice.
func (w *world) roundsGoOn() bool { return w.stage == "collecting" || w.stage == "retrying" }

// mayCharge: not under a hold that stops attempts (§8), and not while charging is stopped.
func (w *world) mayCharge() bool { return !w.noAttempts() && !w.stopped }

func (w *world) noAttempts() bool { return w.held != nil && !w.held.OnlyEscalation }

// keptBack says that a stop of charging keeps a charge of this case back: then it is an outage of ours (T1).
func (w *world) keptBack() bool {
	waiting := w.open != nil && w.open.state == SaysBusy || w.open == nil && w.round != nil && w.turn() != nil
	return w.stopped && waiting && !w.noAttempts() || w.parked
}

// atBound is the policy's bound on charges of one invoice within 24 hours (D4).
func (w *world) atBound() bool {
	n := 0
	for _, m := range w.methods {
		n += m.triesWithin(w.now, 24*time.Hour)
	}
	return n >= w.Policy.ChargesPerDay
}

// roundIsDue: the policy's next round, while its automatic rounds last, or one that was asked for (D7), but none right after an outage
// of ours stopped one. A closed account is charged only when a person asks.
func (w *world) roundIsDue() bool {
	if w.out.Standing == "closed" && (w.wished.IsZero() || w.machine) {
		return false
	}
	asked := !w.wished.IsZero() && !w.wished.After(w.now)
	return (asked || w.scheduledIsDue()) && !w.noAttempts() && !w.paused.After(w.now)
}

// scheduledIsDue: also on a morning that comes while only the escalations are held.
func (w *world) scheduledIsDue() bool {
	runs := w.frozen.IsZero() || w.held != nil && !w.keptBack()
	return w.roundsGoOn() && runs && w.scheduled < len(w.Policy.Rounds) && !w.dayOf(w.Policy.Rounds[w.scheduled]).After(w.now)
}

// wish asks for one immediate round (D7: coalesced); a machine may do so once in 15 minutes.
func (w *world) wish(machine bool, only string) {
	from := w.now
	if soonest := w.began.Add(15 * time.Minute); machine && !w.began.IsZero() && soonest.After(from) {
		from = soonest
	}
	w.machine = machine && (w.wished.IsZero() || w.machine)
	if w.wished.IsZero() || from.Before(w.wished) {
		w.wished = from
	}
	w.only = only
}

// beginRound reads the order of methods (PM1). One that was asked for and one of the policy that is due are one (D7: coalesced). A round
// that takes up what our outage stopped leaves out whom that one declined.
func (w *world) beginRound() {
	w.rounds++
	w.round = &round{n: w.rounds, only: w.only, scheduled: w.scheduledIsDue()}
	w.says("round %d", w.round.n)
	if w.round.scheduled {
		w.late(w.Policy.Rounds[w.scheduled])
		w.scheduled++
	}
	w.wished, w.only, w.began = time.Time{}, "", w.now
	for _, m := range w.methods {
		w.askAboutBudget(m)
		if (w.round.only == "" || w.round.only == m.ID) && !w.declined[m] && !m.skips(w.now) {
			w.round.order = append(w.round.order, m)
		}
	}
}

// askAboutBudget tells operators once that a budget keeps a method from being charged (D4, N1).
func (w *world) askAboutBudget(m *method) {
	if m.overBudget(w.now) && !w.budgets[m.ID] {
		w.budgets[m.ID] = true
		w.task("budget_used_up")
	}
}

// turn is the method that the round has reached; nil at its end.
func (w *world) turn() *method {
	r := w.round
	for r.at < len(r.order) && r.order[r.at].skips(w.now) {
		w.askAboutBudget(r.order[r.at])
		r.at++
	}
	if r.at == len(r.order) {
		return nil
	}
	return r.order[r.at]
}

// goOn charges the next usable method of the round, or ends it, and says whether it could.
func (w *world) goOn() bool {
	r := w.round
	if m := w.turn(); m != nil {
		if !w.mayCharge() {
			w.freeze()
			return false
		}
		if w.atBound() { // D4: a person looks
			w.parked = true
			w.task("charge_bound")
			w.freeze()
			return false
		}
		w.charge(m)
		return true
	}
	w.round, w.declined = nil, map[*method]bool{}
	// N3: after the whole round; PM9: also when there was nothing to charge. D1 risk: no ordinary dunning mail.
	if !r.risk {
		w.notice("payment_failed")
	}
	if w.stage == "collecting" {
		w.becomes("retrying")
	}
	return true
}

// stopRound ends a round that nobody failed in: an attempt of it was not sent. It is taken up again, the policy's round by its date and
// one that was asked for at once (T1, PM3: no other method meanwhile).
func (w *world) stopRound() {
	if w.round.scheduled {
		w.scheduled--
	} else {
		w.wish(false, w.round.only)
	}
	w.round = nil
}

// escalate takes the policy's next step when its date has come, and says whether it did.
func (w *world) escalate() bool {
	if w.stage == "collecting" || w.held != nil || w.out.Standing == "closed" || !w.wished.IsZero() || w.roundsGoOn() && w.scheduled < len(w.Policy.Rounds) {
		return false
	}
	if w.stage == "suspended" && w.out.Standing == "active" { // S1: a hold that is over lets the invoice block again
		return !w.dayOf(w.Policy.Suspend).After(w.now) && w.suspend()
	}
	for _, s := range w.steps() {
		if w.taken[s.name] {
			continue
		}
		if w.plannedFor(s).After(w.now) {
			return false
		}
		switch s.name {
		case "close":
			w.taken[s.name] = true
			w.standing("closed")
			w.task("closed_unpaid")
			return true
		case "suspend":
			w.taken[s.name] = w.suspend()
			return w.taken[s.name]
		}
		w.taken[s.name] = true
		w.late(s.day)
		w.becomes(s.stage)
		w.notice(s.notice)
		w.delivered[s.stage] = w.afterQuiet(w.now)
		return true
	}
	return false
}

// suspend is S2: what is due reaches the policy's minimum; else it is put off.
func (w *world) suspend() bool {
	if w.due < Minor(w.Policy.SuspendsAbove(w.Currency).Minor()) {
		return false
	}
	if w.stage != "suspended" {
		w.late(w.Policy.Suspend) // T1: it leaves no less time until the account closes
		w.becomes("suspended")
	}
	w.standing("suspended")
	w.notice("suspended")
	return true
}

// named returns a method by id.
func (w *world) named(id string) *method {
	i := slices.IndexFunc(w.methods, func(m *method) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return w.methods[i]
}
