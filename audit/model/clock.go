package model

import "time"

// morning is 09:00 of a local day, plus the invoice's jitter (T2).
func (w *world) morning(day time.Time) time.Time {
	y, m, d := day.In(w.Zone).Date()
	return time.Date(y, m, d, 9, 0, 0, 0, w.Zone).Add(w.Jitter)
}

// morningFrom is the first morning not before t: a date that was put off is still a morning (T2).
func (w *world) morningFrom(t time.Time) time.Time {
	at := w.morning(t)
	if at.Before(t) {
		y, m, d := t.In(w.Zone).Date()
		at = w.morning(time.Date(y, m, d+1, 12, 0, 0, 0, w.Zone))
	}
	return at
}

// dayOf is when the policy's day n is: that many local days after the case's start, later by what the stage clock left out (T1, T2).
func (w *world) dayOf(n int) time.Time {
	if n == 0 {
		return w.opened
	}
	y, m, d := w.opened.In(w.Zone).Date()
	return w.morningFrom(w.morning(time.Date(y, m, d+n, 12, 0, 0, 0, w.Zone)).Add(w.shift))
}

// frozenNow says that the stage clock stands: a hold, or an outage of our own, which a stop of charging is too (T1).
func (w *world) frozenNow() bool {
	return w.held != nil || w.stopped || w.paused.After(w.now)
}

// freeze stops the stage clock when there is a reason to.
func (w *world) freeze() {
	if w.frozen.IsZero() && w.frozenNow() {
		w.frozen = w.now
	}
}

// thaw ends holds and pauses whose time is over, and lets the clock run again when nothing stops it any more.
func (w *world) thaw() {
	if w.held != nil && !w.held.Until.After(w.now) {
		w.held = nil // it resumes by itself (§8)
	}
	if !w.frozen.IsZero() && !w.frozenNow() {
		w.shift += w.now.Sub(w.frozen)
		w.frozen = time.Time{}
	}
}

// step is one escalation of the policy.
type step struct {
	stage, name, notice string
	day                 int
	before              *step // whose notice must have left the customer the whole interval
}

// steps are the escalations in order (D5); a policy without one has none of the later ones either.
func (w *world) steps() []step {
	final := step{stage: "final_notice", name: "final_notice", notice: "final_notice", day: w.Policy.FinalNotice}
	scheduled := step{stage: "suspension_scheduled", name: "suspension_scheduled", notice: "suspension_scheduled", day: w.Policy.SuspensionNotice, before: &final}
	suspend := step{stage: "suspended", name: "suspend", notice: "suspended", day: w.Policy.Suspend, before: &scheduled}
	closing := step{name: "close", day: w.Policy.Close, before: &suspend}
	var out []step
	for _, s := range []step{final, scheduled, suspend, closing} {
		if s.day == 0 {
			break
		}
		out = append(out, s)
	}
	return out
}

// dateOf is when a step may be taken: on its day of the stage clock, and never sooner after the step before than the policy's interval,
// however late that was (T1: the full interval).
func (w *world) dateOf(s step) time.Time {
	at := w.dayOf(s.day)
	if s.before != nil {
		if taken, ok := w.escalated[s.before.name]; ok {
			y, m, d := taken.In(w.Zone).Date()
			full := w.morning(time.Date(y, m, d+s.day-s.before.day, 12, 0, 0, 0, w.Zone))
			if full.After(at) {
				at = full
			}
		}
	}
	return at
}

// dates are the policy's dates that lie ahead.
func (w *world) dates() []time.Time {
	var out []time.Time
	if w.roundsGoOn() && w.scheduled < len(w.Policy.Rounds) {
		out = append(out, w.dayOf(w.Policy.Rounds[w.scheduled]))
	}
	for _, s := range w.steps() {
		if _, taken := w.escalated[s.name]; !taken {
			return append(out, w.dateOf(s))
		}
	}
	return out
}
