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

	debits int // presentments of the invoice to banks (D4)

	stage    string
	opened   time.Time // the start of this episode's case
	finished bool
	shift    time.Duration // what the stage clock left out (T1)
	frozen   time.Time     // since when it stands; zero: it runs
	held     *Happening
	extended bool
	starting bool      // charging, as soon as a worker runs
	stopped  bool      // charging, by people (the kill switch)
	down     time.Time // until when no worker runs
	paused   time.Time // until when we wait after our own outage

	rounds    int       // begun
	scheduled int       // the policy's next round
	wished    time.Time // from when on an early round is asked for (D7); zero: none is
	machine   bool      // no person asked for it
	only      string    // the one method it is asked for
	round     *round
	began     time.Time        // the last round
	declined  map[*method]bool // in the round that our outage stopped
	open      *attempt
	taken     map[string]bool      // escalations
	delivered map[string]time.Time // their notices
	parked    bool                 // at the bound on charges of a day, until a person asks (D4)
	budgets   map[string]bool      // methods that people were told about (D4)
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
		w.methods = append(w.methods, &method{Method: m, debits: &w.debits})
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
		if !w.down.After(w.now) {
			w.hear()
		}
	}
	w.out.Finished = w.finished
	return w.out
}

func (w *world) says(format string, args ...any) {
	w.out.Timeline = append(w.out.Timeline, Entry{w.now, fmt.Sprintf("%d: ", w.episode) + fmt.Sprintf(format, args...)})
}

// notice is due now, and goes out after the quiet hours (N4).
func (w *world) notice(kind string) {
	w.out.Timeline = append(w.out.Timeline, Entry{w.afterQuiet(w.now), fmt.Sprintf("%d: notice %s", w.episode, kind)})
}

func (w *world) task(kind string) { w.says("task %s", kind) }

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
	w.rounds, w.scheduled, w.wished, w.only, w.began = 0, 0, time.Time{}, "", time.Time{}
	w.round, w.declined, w.taken, w.budgets = nil, map[*method]bool{}, map[string]bool{}, map[string]bool{}
	w.delivered, w.parked = map[string]time.Time{}, false
	w.out.Stages = nil
	w.becomes("collecting")
}

// act does everything that is possible at this instant.
func (w *world) act() {
	for !w.finished && !w.down.After(w.now) {
		switch {
		case w.mayTake() && w.applyBalances(): // AF1: before any method
		case w.open != nil: // U2, U3: an attempt without a final outcome blocks everything about its invoice
			return
		case w.due == 0: // CR7 too
			w.finished = true
			w.becomes("finished")
		case w.parked: // D4: until a person asks
			return
		case w.round != nil:
			if !w.goOn() {
				return
			}
		case w.roundIsDue(): // D6: before an escalation
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
	// N1: for every payment; what balances pay in part shows on the next one.
	balances := source == "credit" || source == "funds"
	if onInvoice > 0 && (w.due == 0 || !balances) {
		w.notice("receipt")
	}
	if onInvoice > 0 && w.due == 0 {
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
	consider(w.down)
	consider(w.wished)
	if w.open != nil {
		consider(w.open.nextHearing())
		return next
	}
	if w.frozen.IsZero() || w.held != nil {
		for _, at := range w.dates() {
			consider(at)
		}
	}
	return next
}
