package model

import (
	"slices"
	"time"
)

// attempt is one instruction to a gateway that has no final outcome yet (§0).
type attempt struct {
	of     *method
	amount Minor
	sent   time.Time
	answer Answer
	state  Saying // what was heard last
	sends  int
	vain   int // of them unanswered
	looks  int // looks at this state; the next wait is that of the rung before
	wait   int
	heard  time.Time // the last time
	asked  bool      // a person was (U1)
	sooner time.Time // a webhook brings the look-up forward
	shift  time.Duration
	told   []string // notices
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
	sendsInVain  = 3                   // U1
	keyWindow    = 23 * time.Hour      // of the simulation's gateway (U6)
	confirmSoon  = 24 * time.Hour      // U3: the customer's deadline
	settleWithin = 10 * 24 * time.Hour // U3: a bank's
)

func rung(waits []time.Duration, n int) time.Duration { return waits[max(0, min(n, len(waits)-1))] }

// nextHearing is when the attempt is looked at again.
func (a *attempt) nextHearing() time.Time {
	var at time.Time
	switch a.state {
	case SaysBusy:
		return a.heard.Add(rung(resends, a.sends-1))
	case SaysNothing:
		at = a.heard.Add(rung(ladder, a.wait))
		if ask := a.sent.Add(askAfter); !a.asked && ask.Before(at) && ask.After(a.heard) {
			at = ask
		}
	default:
		at = a.heard.Add(rung(settlements, a.wait))
		if d := a.deadline(); d.Before(at) && d.After(a.heard) {
			at = d
		}
	}
	if !a.sooner.IsZero() && a.sooner.Before(at) {
		at = a.sooner
	}
	return at
}

// deadline is when what waits for the customer or a bank is cancelled (U3); a card has no bank that takes days.
func (a *attempt) deadline() time.Time {
	if a.state == SaysConfirm || !a.of.Bank {
		return a.sent.Add(confirmSoon)
	}
	return a.sent.Add(settleWithin)
}

// mayTake: balances wait while an attempt that a gateway works on may still take the money (PM3: never twice for the same amount).
func (w *world) mayTake() bool { return w.due > 0 && (w.open == nil || w.open.state == SaysBusy) }

// charge begins one attempt: the amount is what is due then (PM6).
func (w *world) charge(m *method) {
	m.tries = append(m.tries, w.now)
	if m.Bank {
		*m.debits++
	}
	w.says("charge %s, round %d", m.ID, w.round.n)
	w.count()
	w.open = &attempt{of: m, amount: w.due, sent: w.now, shift: w.shift}
	w.send()
}

// send hears the gateway's next answer to the open attempt's key (PM5: a worker's death changes nothing).
func (w *world) send() {
	a := w.open
	a.answer = a.of.Answers[min(a.of.said, len(a.of.Answers)-1)]
	a.of.said++
	a.sends++
	if a.answer.Say == SaysNothing {
		a.vain++
	}
	w.hears(a.answer.Say)
}

// hear looks at the open attempt when it is time.
func (w *world) hear() {
	a := w.open
	if a == nil || a.nextHearing().After(w.now) {
		return
	}
	a.sooner = time.Time{}
	if a.state == SaysBusy {
		w.again()
		return
	}
	said := a.answer.At(w.now.Sub(a.sent))
	waits := a.state == SaysPending || a.state == SaysConfirm
	if waits && (said == SaysPending || said == SaysConfirm) && (w.due == 0 || !a.deadline().After(w.now)) {
		said = SaysIssuer // U3: its time is up, or nothing is owed any more: cancelled at the gateway, and the cancel proved
	}
	w.hears(said)
}

// hears is what follows from an answer, whether of a send or of a look-up.
func (w *world) hears(said Saying) {
	a := w.open
	news := said != a.state
	a.state, a.heard = said, w.now
	switch said {
	case SaysNoTraces:
		if a.vain >= sendsInVain { // U1: as after an outage
			w.paused = w.now.Add(w.Pause)
			w.ends(SaysNoTraces)
			return
		}
		a.state = SaysBusy
		return
	case SaysBusy: // the same attempt, the same key, soon (D1, U1)
		return
	case SaysNothing: // owned (U1)
		if !a.asked && w.now.Sub(a.sent) >= askAfter {
			a.asked = true
			w.task("outcome_unknown")
		}
	case SaysPending:
		a.tell(w, "payment_processing") // U3: one
	case SaysConfirm:
		a.tell(w, "action_required")
	default:
		w.ends(said)
		return
	}
	if a.wait = a.looks; news {
		a.looks = 0
	}
	a.looks++
}

// tell tells the customer once per attempt.
func (a *attempt) tell(w *world, kind string) {
	if !slices.Contains(a.told, kind) {
		a.told = append(a.told, kind)
		w.notice(kind)
	}
}

// again sends an attempt that was not processed once more, after a last look (PM6): inside the key's window, for the amount that is still
// due, on a method that may still be used; otherwise it ends and nothing was sent.
func (w *world) again() {
	a := w.open
	switch {
	case w.stopped:
		w.freeze()
	case w.due != a.amount || w.noAttempts() || a.of.unusable != "" || w.now.Sub(a.sent) >= keyWindow:
		w.ends(SaysNoTraces)
	default:
		w.send()
	}
}

// ends records the outcome of the open attempt (D1).
func (w *world) ends(said Saying) {
	a, m := w.open, w.open.of
	w.open = nil
	// T1: the wait for an answer was not the customer's, as far as the stage clock did not stand anyway.
	w.count()
	if waited := w.now.Sub(a.sent).Truncate(moment); waited > grace {
		w.shift = a.shift + max(waited, w.shift-a.shift)
	}
	before := m.last
	m.last = said
	switch said {
	case SaysYes:
		w.says("attempt on %s succeeded", m.ID)
		if (w.round.declined > 0 || len(w.declined) > 0) && w.due > 0 {
			w.notice("backup_charged") // PM7
		}
		w.round = nil
		w.settle("method", a.amount)
		return
	case SaysRefused, SaysNoTraces: // D1 our_config: an operator is paged; U6: a negative is proved
		w.says("attempt on %s not sent", m.ID)
		if said == SaysRefused {
			w.task("gateway_refuses_us")
			w.paused = w.now.Add(w.Pause)
		}
		m.tries = m.tries[:len(m.tries)-1] // it counts nowhere
		if m.Bank {
			*m.debits--
		}
		m.last = before
		w.stopRound()
		return
	default:
		w.says("attempt on %s declined", m.ID)
	}
	switch said {
	case SaysHard:
		m.unusable = "blocked"
	case SaysFix:
		m.unusable = "needs corrected data"
	case SaysAuth: // never off-session; the notice after the round has the link
		m.unusable = "needs authentication"
	case SaysRisk:
		m.unusable = "risk"
		w.round.risk = true
		w.task("risk_review")
	default:
	}
	w.round.declined++
	w.declined[m] = true
	w.round.at++
}
