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
	return w.morningFrom(w.ownDay(n).Add(w.shift + w.ahead()))
}

// ahead is for how long the clock is known to stand yet: a hold has an end.
func (w *world) ahead() time.Duration {
	if w.held == nil {
		return 0
	}
	return w.held.Until.Sub(w.now)
}

// ownDay is when the policy's day n would be if the stage clock had never stood.
func (w *world) ownDay(n int) time.Time {
	if n == 0 {
		return w.opened
	}
	y, m, d := w.opened.In(w.Zone).Date()
	return w.morning(time.Date(y, m, d+n, 12, 0, 0, 0, w.Zone))
}

// grace is how late something of a date may happen before the lateness is ours; that there is one, and how long, the rules leave free.
const grace = 2 * time.Hour

// moment is what no rule counts: the time between a date and the work done for it.
const moment = time.Minute

// late moves the stage clock when we are late with the policy's day n, so far that what follows keeps its distance from it: our failure
// never brings a customer closer to suspension (T1).
func (w *world) late(n int) {
	planned := w.dayOf(n)
	if n == 0 { // it never moves; what was counted before is not counted again
		planned = planned.Add(w.shift)
	}
	if w.now.Sub(planned).Truncate(moment) > grace {
		w.shift += (w.now.Sub(w.ownDay(n)) - w.shift - w.ahead()).Truncate(moment)
	}
}

// suspendAt is when the account may be suspended: on its day, and when the notices before it have had their full time with the customer,
// counted from their delivery (T1, S2).
func (w *world) suspendAt() time.Time {
	at := w.dayOf(w.Policy.Suspend)
	if w.stage != "suspension_scheduled" {
		return at
	}
	for _, s := range w.steps() {
		if told, ok := w.delivered[s.stage]; ok {
			if full := told.Add(w.dayOf(w.Policy.Suspend).Sub(w.dayOf(s.day))); full.After(at) {
				at = full
			}
		}
	}
	return at
}

// plannedFor is when an escalation is due.
func (w *world) plannedFor(s step) time.Time {
	if s.name == "suspend" {
		return w.suspendAt()
	}
	return w.dayOf(s.day)
}

// freeze stops the stage clock when there is a reason to: a hold, or charges that we keep back (T1).
func (w *world) freeze() {
	if w.frozen.IsZero() && (w.held != nil || w.keptBack()) {
		w.frozen = w.now
	}
}

// thaw ends a hold whose time is over, and lets the clock run again when nothing stops it any more.
func (w *world) thaw() {
	if w.held != nil && !w.held.Until.After(w.now) {
		w.held = nil // it resumes by itself (§8)
	}
	if w.starting && !w.down.After(w.now) {
		w.starting, w.stopped = false, false
	}
	w.count()
	if w.held == nil && !w.keptBack() {
		w.frozen = time.Time{}
	}
}

// count adds what the stage clock has stood so far.
func (w *world) count() {
	if !w.frozen.IsZero() {
		w.shift += w.now.Sub(w.frozen)
		w.frozen = w.now
	}
}

// afterQuiet is when a notice of this moment goes out: not from 21:00 to 08:00 local (N4).
func (w *world) afterQuiet(t time.Time) time.Time {
	local := t.In(w.Zone)
	y, m, d := local.Date()
	switch {
	case local.Hour() < 8:
		return time.Date(y, m, d, 8, 0, 0, 0, w.Zone)
	case local.Hour() >= 21:
		return time.Date(y, m, d+1, 8, 0, 0, 0, w.Zone)
	}
	return t
}

// step is one escalation of the policy.
type step struct {
	stage, name, notice string
	day                 int
}

// steps are the escalations in order (D5); a policy without one has none of the later ones either.
func (w *world) steps() []step {
	var out []step
	for _, s := range []step{
		{"final_notice", "final_notice", "final_notice", w.Policy.FinalNotice},
		{"suspension_scheduled", "suspension_scheduled", "suspension_scheduled", w.Policy.SuspensionNotice},
		{"suspended", "suspend", "suspended", w.Policy.Suspend},
		{"", "close", "", w.Policy.Close},
	} {
		if s.day == 0 {
			break
		}
		out = append(out, s)
	}
	return out
}

// dates are the policy's dates that lie ahead.
func (w *world) dates() []time.Time {
	var out []time.Time
	if w.roundsGoOn() && w.scheduled < len(w.Policy.Rounds) {
		out = append(out, w.dayOf(w.Policy.Rounds[w.scheduled]))
	}
	if w.stage == "suspended" && w.out.Standing == "active" {
		return append(out, w.dayOf(w.Policy.Suspend))
	}
	for _, s := range w.steps() {
		if !w.taken[s.name] {
			return append(out, w.plannedFor(s))
		}
	}
	return out
}
