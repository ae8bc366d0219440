package model

import (
	"cmp"
	"slices"
	"time"
)

// applyBalances puts credits and then funds on the invoice (AF1), and says whether there were any.
func (w *world) applyBalances() bool {
	before := w.due
	slices.SortFunc(w.credits, byOrder)
	var credit Minor
	for i := range w.credits {
		credit += w.spend(&w.credits[i], w.due-credit)
	}
	if credit > 0 {
		w.settle("credit", credit)
	}
	for i := range w.deposits { // AF2: they don't expire
		d := &w.deposits[i]
		if part := min(d.Amount, w.due); part > 0 {
			d.Amount -= part
			w.settle("funds", part)
		}
	}
	return w.due < before
}

// byOrder is CR1: soonest expiry, then fewest eligible services, then oldest, then id. No expiry and "all services" sort last.
func byOrder(a, b Credit) int {
	never := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	expiry := func(c Credit) time.Time {
		if c.Expires.IsZero() {
			return never
		}
		return c.Expires
	}
	width := func(c Credit) int {
		if len(c.Services) == 0 {
			return 1 << 30
		}
		return len(c.Services)
	}
	return cmp.Or(expiry(a).Compare(expiry(b)), cmp.Compare(width(a), width(b)), a.Granted.Compare(b.Granted), cmp.Compare(a.ID, b.ID))
}

// spend puts a credit on the largest eligible service charge, then the next (CR2), unless it has expired by now (CR3).
func (w *world) spend(c *Credit, limit Minor) (spent Minor) {
	if !c.Expires.IsZero() && !w.now.Before(c.Expires) {
		return 0
	}
	services := make([]string, 0, len(w.unpaid))
	for s := range w.unpaid {
		if len(c.Services) == 0 || slices.Contains(c.Services, s) {
			services = append(services, s)
		}
	}
	slices.SortFunc(services, func(a, b string) int { return cmp.Or(cmp.Compare(w.unpaid[b], w.unpaid[a]), cmp.Compare(a, b)) })
	for _, s := range services {
		lot := min(c.Amount, w.unpaid[s], limit-spent)
		c.Amount -= lot
		w.unpaid[s] -= lot
		spent += lot
	}
	return spent
}
