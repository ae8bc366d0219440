package model

import (
	"fmt"
	"time"
)

// world is a case on its way.
type world struct {
	Case
	now     time.Time
	episode int
	out     Outcome
	left    []Happening

	due      Minor // of the invoice
	unpaid   map[string]Minor
	deposits []Deposit
	credits  []Credit
	methods  []*method

	stage    string
	opened   time.Time // the start of this episode's case
	finished bool
	shift    time.Duration // what the stage clock left out (T1)
	frozen   time.Time     // since when it stands; zero: it runs
	held     *Happening
	extended bool
	stopped  bool
	paused   time.Time // until when we wait after our own outage

	rounds    int  // begun
	scheduled int  // the policy's next round
	wished    bool // an early round is asked for (D7)
	only      string
	round     *round
	open      *attempt
	escalated map[string]time.Time // when each step was taken
}

// horizon bounds a case that nothing ends.
const horizon = 400 * 24 * time.Hour

// Play says what the rules make of a case.
func Play(c Case) Outcome {
	w := &world{Case: c, left: c.Happenings, unpaid: map[string]Minor{}, deposits: append([]Deposit(nil), c.Deposits...),
		credits: append([]Credit(nil), c.Credits...)}
	w.out = Outcome{Paid: map[string]Minor{}, Standing: "active"}
	for _, l := range c.Lines {
		w.due += l.Amount
	}
	for _, l := range c.Lines {
		if !l.Tax {
			w.unpaid[l.Service] += l.Amount
		}
	}
	for _, m := range c.Methods {
		w.methods = append(w.methods, &method{Method: m})
	}
	w.now = c.Start
	w.openCase()
	for {
		w.act()
		next := w.next()
		if next.IsZero() || next.Sub(c.Start) > horizon {
			break
		}
		w.now = next
		w.thaw()
		w.happen()
		w.hear()
	}
	w.out.Finished = w.finished
	return w.out
}

func (w *world) says(format string, args ...any) {
	w.out.Timeline = append(w.out.Timeline, Entry{w.now, fmt.Sprintf("%d: ", w.episode) + fmt.Sprintf(format, args...)})
}

func (w *world) notice(kind string) { w.says("notice %s", kind) }
func (w *world) task(kind string)   { w.says("task %s", kind) }

func (w *world) becomes(stage string) {
	w.stage = stage
	w.out.Stages = append(w.out.Stages, stage)
	w.says("stage %s", stage)
}

// openCase begins an episode: an invoice that fell due, or one whose money was taken back (U5).
func (w *world) openCase() {
	w.episode++
	w.opened, w.finished, w.shift, w.frozen = w.now, false, 0, time.Time{}
	w.held, w.extended, w.paused = nil, false, time.Time{}
	w.rounds, w.scheduled, w.wished, w.round, w.escalated = 0, 0, false, nil, map[string]time.Time{}
	w.out.Stages = nil
	w.becomes("collecting")
	w.freeze() // a stop of charging that was there before
}

// act does everything that is possible at this instant.
func (w *world) act() {
	for !w.finished {
		switch {
		case w.open != nil: // U2, U3: an attempt without a final outcome blocks everything about its invoice
			return
		case w.due == 0: // CR7 too
			w.finished = true
			w.becomes("finished")
		case w.applyBalances(): // AF1: before any method
		case w.round != nil && w.mayCharge():
			w.goOn()
		case w.round != nil:
			return
		case w.roundIsDue() && w.mayCharge(): // D6: before an escalation
			w.beginRound()
		case w.escalate():
		default:
			return
		}
	}
}

// settle books money for the invoice; what is more than due belongs to no invoice and somebody has to give it back (U4).
func (w *world) settle(source string, amount Minor) {
	onInvoice := min(amount, w.due)
	w.out.Paid[source] += onInvoice
	if w.out.Paid[source] == 0 {
		delete(w.out.Paid, source)
	}
	w.due -= onInvoice
	if excess := amount - onInvoice; excess > 0 {
		w.out.Unapplied += excess
		w.task("refund")
	}
	if onInvoice > 0 && w.due == 0 {
		w.notice("receipt")
		if w.out.Standing == "suspended" { // S1: within minutes
			w.standing("active")
			w.notice("reinstated")
		}
	}
}

func (w *world) standing(s string) {
	w.out.Standing = s
	w.says("account %s", s)
}

// next is the next instant at which anything can happen by itself or from outside.
func (w *world) next() time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if t.After(w.now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if len(w.left) > 0 {
		if !w.left[0].At.After(w.now) {
			return w.now
		}
		consider(w.left[0].At)
	}
	if w.finished {
		return next
	}
	if w.held != nil {
		consider(w.held.Until)
	}
	consider(w.paused)
	if w.open != nil {
		consider(w.open.nextHearing())
		return next
	}
	if w.frozen.IsZero() {
		for _, at := range w.dates() {
			consider(at)
		}
	}
	return next
}
