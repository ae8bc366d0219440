package model

import "time"

// attempt is one instruction to a gateway that has no final outcome yet (§0).
type attempt struct {
	of     *method
	amount Minor
	sent   time.Time
	answer Answer
	sends  int
	looks  int
	heard  time.Time // the last time
	asked  bool      // a person was (U1)
	sooner time.Time // a webhook brings the look-up forward
}

// Waits between look-ups and sends of one attempt. U1 gives those of an unknown outcome; the others are free, and these are what
// Recoup publishes (dunning/ladder.go).
var (
	ladder      = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour}
	settlements = []time.Duration{time.Hour, 12 * time.Hour}
	resends     = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}
)

const (
	askAfter     = 24 * time.Hour      // U1
	keyWindow    = 23 * time.Hour      // of the simulation's gateway (U6)
	confirmSoon  = 24 * time.Hour      // U3: the customer's deadline
	settleWithin = 10 * 24 * time.Hour // U3: a bank's
)

func rung(waits []time.Duration, n int) time.Duration { return waits[max(0, min(n, len(waits)-1))] }

// nextHearing is when the attempt is looked at again.
func (a *attempt) nextHearing() time.Time {
	var at time.Time
	switch a.answer.Say {
	case SaysBusy:
		return a.heard.Add(rung(resends, a.sends-1))
	case SaysNothing:
		at = a.heard.Add(rung(ladder, a.looks))
		if ask := a.sent.Add(askAfter); !a.asked && ask.Before(at) {
			at = ask
		}
	default:
		at = a.heard.Add(rung(settlements, a.looks))
		if d := a.deadline(); d.Before(at) {
			at = d
		}
	}
	if !a.sooner.IsZero() && a.sooner.Before(at) {
		at = a.sooner
	}
	return at
}

func (a *attempt) deadline() time.Time {
	if a.answer.Say == SaysConfirm {
		return a.sent.Add(confirmSoon)
	}
	return a.sent.Add(settleWithin)
}

// charge sends one attempt: the amount is what is due then (PM6).
func (w *world) charge(m *method) {
	w.round.tried++
	m.tries = append(m.tries, w.now)
	if m.Bank {
		m.debits++
	}
	w.says("charge %s, round %d", m.ID, w.round.n)
	w.open = &attempt{of: m, amount: w.due, sent: w.now}
	w.send()
}

// send hears the gateway's next answer to the open attempt's key (PM5: a worker's death changes nothing).
func (w *world) send() {
	a := w.open
	a.answer = a.of.Answers[min(a.of.said, len(a.of.Answers)-1)]
	a.of.said++
	a.sends++
	a.heard, a.looks = w.now, 0
	switch a.answer.Say {
	case SaysBusy, SaysNothing: // the same attempt, the same key, soon (D1); owned (U1)
	case SaysPending:
		w.notice("payment_processing") // U3
	case SaysConfirm:
		w.notice("action_required")
	default:
		w.ends(a.answer.Say)
	}
}

// hear looks at the open attempt when it is time.
func (w *world) hear() {
	a := w.open
	if a == nil || a.nextHearing().After(w.now) {
		return
	}
	a.sooner = time.Time{}
	if a.answer.Say == SaysBusy {
		w.send()
		return
	}
	a.looks++
	a.heard = w.now
	known := a.answer.Then != "" && !a.sent.Add(a.answer.After).After(w.now)
	switch {
	case known && a.answer.Then == SaysNoTraces && w.now.Sub(a.sent) < keyWindow:
		w.send() // U1: the same key, inside its window
	case known:
		w.ends(a.answer.Then)
	case a.answer.Say == SaysNothing && !a.asked && w.now.Sub(a.sent) >= askAfter:
		a.asked = true
		w.task("outcome_unknown") // U1
	case a.answer.Say != SaysNothing && !a.deadline().After(w.now):
		w.ends(SaysIssuer) // U3: cancelled at the gateway, and the cancel proved
	}
}

// ends records the outcome of the open attempt (D1).
func (w *world) ends(said Saying) {
	a, m := w.open, w.open.of
	waited := a.answer.Say == SaysPending
	w.open = nil
	m.last = said
	switch said {
	case SaysYes:
		w.says("attempt on %s succeeded", m.ID)
		if w.round != nil && w.round.tried > 1 && w.due > 0 {
			w.notice("backup_charged") // PM7
		}
		w.round = nil
		w.settle("method", a.amount)
		return
	case SaysRefused: // D1: an operator is paged; the customer's clock does not run
		w.says("attempt on %s not sent", m.ID)
		w.task("gateway_refuses_us")
		w.paused = w.now.Add(w.Pause)
		w.freeze()
		w.round.ours = true
		return
	case SaysNoTraces: // U6: a negative is proved
		w.says("attempt on %s not sent", m.ID)
	default:
		w.says("attempt on %s declined", m.ID)
	}
	if waited {
		w.notice("payment_returned")
	}
	switch said {
	case SaysHard:
		m.unusable = "blocked"
	case SaysFix:
		m.unusable = "needs corrected data"
	case SaysAuth:
		m.unusable = "needs authentication"
		w.notice("action_required") // never off-session; send the link
	case SaysRisk:
		m.unusable = "risk"
		w.round.risk = true
		w.task("risk")
	default:
	}
	w.round.at++
}
