package dunning

import (
	"fmt"
	"strings"
	"time"

	"recoup/billing"
)

// Limits bound what people may decide in a customer's favour under a policy (rules.md §8). Days are of 24 hours, whatever the policy's unit.
type Limits struct {
	HoldDays           int  // how far ahead a hold may end
	HoldExtendable     bool // whether a hold may be extended, once
	PromiseDays        int  // how far ahead a promise to pay may lie
	PromisesPerInvoice int  // how many there may be, unless a supervisor allows another
	PromiseEveryDays   int  // how long an account waits for another, unless a supervisor allows it
	ExtendDays         int  // by how much extensions may move one case, all together
}

const aDay = 24 * time.Hour

// DefaultLimits are those of a policy that names none.
func DefaultLimits() Limits {
	return Limits{HoldDays: int(billing.HoldMax / aDay), HoldExtendable: true, PromiseDays: int(billing.PromiseMax / aDay), PromisesPerInvoice: 1,
		PromiseEveryDays: int(billing.PromiseEvery / aDay), ExtendDays: int(billing.ExtendMax / aDay)}
}

// HoldMax is HoldDays as a length of time.
func (l Limits) HoldMax() time.Duration { return time.Duration(l.HoldDays) * aDay }

// PromiseMax is PromiseDays as a length of time.
func (l Limits) PromiseMax() time.Duration { return time.Duration(l.PromiseDays) * aDay }

// PromiseEvery is PromiseEveryDays as a length of time.
func (l Limits) PromiseEvery() time.Duration { return time.Duration(l.PromiseEveryDays) * aDay }

// ExtendMax is ExtendDays as a length of time.
func (l Limits) ExtendMax() time.Duration { return time.Duration(l.ExtendDays) * aDay }

// PromiseEveryWords is PromiseEvery for people.
func (l Limits) PromiseEveryWords() string {
	if l.PromiseEveryDays == 365 {
		return "12 months"
	}
	return fmt.Sprintf("%d days", l.PromiseEveryDays)
}

// limitField is one limit as a policy file names it.
type limitField struct {
	name string
	max  int
	of   func(*Limits) *int
	says string // what it bounds: "a hold may last at most %d days"
}

// limitFields are the limits that are numbers. A zero forbids what it bounds, but for promise_every_days, where it asks for no wait.
var limitFields = []limitField{
	{"hold_days", 90, func(l *Limits) *int { return &l.HoldDays }, "a hold may last at most %d days"},
	{"promise_days", 366, func(l *Limits) *int { return &l.PromiseDays }, "a promise to pay may lie at most %d days ahead"},
	{"promises_per_invoice", 20, func(l *Limits) *int { return &l.PromisesPerInvoice }, "at most %d promises for one invoice"},
	{"promise_every_days", 3660, func(l *Limits) *int { return &l.PromiseEveryDays }, "an account may promise once in %d days"},
	{"extend_days", 366, func(l *Limits) *int { return &l.ExtendDays }, "a case may be extended by at most %d days in all"},
}

// holdExtendable is the one limit that is yes or no.
const holdExtendable = "hold_extendable"

// limits reads the limits that a file names; the others are as they always were.
func (r *policyReader) limits() Limits {
	l := DefaultLimits()
	for _, f := range limitFields {
		if _, there := r.fields[f.name]; !there {
			continue
		}
		n := r.number(f.name)
		if n < 0 || n > f.max {
			r.wrong(f.name, "must be 0 to %d, got %d", f.max, n)
		}
		*f.of(&l) = n
	}
	if _, there := r.fields[holdExtendable]; there {
		l.HoldExtendable = r.flag(holdExtendable)
	}
	return l
}

// limitChanges say how the limits differ.
func limitChanges(from, to Limits) []PolicyChange {
	var out []PolicyChange
	for _, f := range limitFields {
		if was, is := *f.of(&from), *f.of(&to); was != is {
			out = append(out, PolicyChange{f.name, fmt.Sprintf(f.says+" instead of %d", is, was)})
		}
	}
	if from.HoldExtendable != to.HoldExtendable {
		says := "a hold may no longer be extended"
		if to.HoldExtendable {
			says = "a hold may be extended once"
		}
		out = append(out, PolicyChange{holdExtendable, says})
	}
	return out
}

// String is the limits as a policy file names them, on one line.
func (l Limits) String() string {
	var parts []string
	for _, f := range limitFields {
		parts = append(parts, fmt.Sprintf("%s: %d", f.name, *f.of(&l)))
	}
	return strings.Join(append(parts, fmt.Sprintf("%s: %v", holdExtendable, l.HoldExtendable)), ", ")
}
