package model

import "time"

// happen lets everything happen whose time has come.
func (w *world) happen() {
	for len(w.left) > 0 && !w.left[0].At.After(w.now) {
		h := w.left[0]
		w.left = w.left[1:]
		w.one(h)
		w.freeze()
		w.thaw()
	}
}

func (w *world) one(h Happening) {
	switch h.Do {
	case PaidElsewhere:
		w.paid(h)
	case RetryNow:
		w.answer(h, w.retry(h))
	case HoldFor:
		w.answer(h, w.hold(h))
	case Release:
		if w.answer(h, w.held != nil && !w.finished) {
			w.held = nil
		}
	case FoundCaptured, FoundNothing:
		w.verdict(h)
	case AddMethod:
		w.methods = append(w.methods, &method{Method: h.New, debits: &w.debits})
		w.wakes(false) // PM1
	case DisableMethod:
		if m := w.named(h.Method); m != nil {
			m.unusable = "disabled"
		}
	case FixMethod:
		if m := w.named(h.Method); m != nil {
			m.unusable = ""
			w.wakes(true) // PM1
		}
	case FundsArrive:
		w.deposits = append(w.deposits, Deposit{ID: h.Method, Amount: h.Amount})
		w.wakes(false) // AF4, D7
	case GrantCredit:
		w.credits = append(w.credits, h.Credit)
		w.wakes(false) // D7
	case WorkersDown:
		w.down = h.Until
	case Webhook:
		if w.open != nil {
			w.open.sooner = w.now
		}
	case StopCharging:
		w.stopped = true
	case StartCharging: // T1: what is kept back waits on while no worker runs
		w.starting = w.down.After(w.now)
		w.stopped = w.starting && w.stopped
	case Chargeback:
		w.chargeback()
	case Poke, Terminate: // R1: they carry no truth, and nothing is lost
	}
}

// wakes asks for an early round of a case that is not over (D7); what staff imports doesn't wait as what a machine sees does.
func (w *world) wakes(machine bool) {
	if !w.finished {
		w.wish(machine, "")
	}
}

// answer records what a person was told.
func (w *world) answer(h Happening, done bool) bool {
	if done {
		w.says("%s done", h.Do)
	} else {
		w.says("%s refused", h.Do)
	}
	return done
}

// paid is paid_out_of_band: in full paid, in part the case goes on for the rest; also while an attempt is open (U2, U4).
func (w *world) paid(h Happening) {
	amount := h.Amount
	if amount == 0 {
		amount = w.due
	}
	if amount == 0 {
		return
	}
	if w.answer(h, !w.finished || w.due == 0) {
		w.settle("other", amount)
	}
}

// retry is one round at once, or refused when it may not be.
func (w *world) retry(h Happening) bool {
	if !w.finished && w.due > 0 && w.open == nil && w.parked { // D4: it goes on, but not over the bound
		w.parked = w.atBound()
		return !w.parked
	}
	if w.finished || w.due == 0 || w.open != nil || w.round != nil || w.noAttempts() {
		return false
	}
	usable := false
	for _, m := range w.methods {
		usable = usable || (h.Method == "" || h.Method == m.ID) && !m.skips(w.now)
	}
	if usable {
		w.wish(false, h.Method)
		w.paused = time.Time{} // staff may always ask (D7)
	}
	return usable
}

// hold stops the stage clock until a date at most 14 days ahead; it can be extended once (§8).
func (w *world) hold(h Happening) bool {
	const longest = 14 * 24 * time.Hour
	if w.finished || h.Until.Sub(w.now) > longest || w.held != nil && w.extended {
		return false
	}
	w.extended = w.held != nil
	w.held = &h
	if w.out.Standing == "suspended" { // S1: a held invoice does not block
		w.standing("active")
		w.notice("reinstated")
	}
	return true
}

// verdict is resolve_unknown: a person ends an attempt whose outcome is unknown (U1).
func (w *world) verdict(h Happening) {
	may := w.open != nil && w.open.state == SaysNothing && (h.Do == FoundCaptured || w.now.Sub(w.open.sent) >= askAfter)
	if !w.answer(h, may) {
		return
	}
	if h.Do == FoundCaptured {
		w.ends(SaysYes)
	} else {
		w.ends(SaysNoTraces)
	}
}

// chargeback takes back what a method paid, and reopens the invoice with a new case (U5). A disputed card is not charged again for it.
func (w *world) chargeback() {
	amount := w.out.Paid["method"]
	if !w.finished || amount == 0 || w.out.Unapplied > 0 {
		return
	}
	delete(w.out.Paid, "method")
	w.due += amount
	w.openCase()
	w.notice("payment_returned")
	for _, m := range w.methods {
		if m.last != SaysYes {
			continue
		}
		m.unusable, m.last = "blocked", SaysHard
		if !m.Bank {
			w.task("chargeback") // a card network's has a deadline for an answer
		}
	}
}
