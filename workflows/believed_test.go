package workflows_test

import (
	"testing"
	"time"

	"recoup/workflows"
)

// TestR9APokeBringsNoEscalationForward: a message that ends a wait early is no sign that the wait's date has come (D6, R9).
func TestR9APokeBringsNoEscalationForward(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	p.after(22*day, func() { p.env.SignalWorkflow(workflows.SignalPoke, "test") })
	p.after(22*day+time.Hour, func() {
		if got := read[int](p, `select count(*)::int from notices where kind = 'final_notice'`); got != 0 {
			t.Errorf("%d final notices on day 22, five days before their time", got)
		}
		if got := read[string](p, `select stage from cases`); got != "retrying" {
			t.Errorf("the case is %s on day 22", got)
		}
	})
	p.after(23*day, func() { p.resolve(t, paid("r-1", 4900)) })
	p.run()
}

// TestR2OneRequestIDThroughTwoDoors: Temporal knows an Update by its own id and sees two; Postgres knows the request and books one.
func TestR2OneRequestIDThroughTwoDoors(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", no)
	p.after(day, func() {
		p.resolve(t, paid("r-1", 1000))
		p.env.SignalWorkflow(workflows.MessageResolve, paid("r-1", 1000))
		p.env.UpdateWorkflow(workflows.MessageResolve, "another door", &updated{t: t, complete: func(any, error) {}}, paid("r-1", 1000))
	})
	p.after(2*day, func() {
		if got := read[int64](p, `select allocated_minor from invoices`); got != 1000 {
			t.Errorf("%d is booked for one payment of 1000", got)
		}
		p.resolve(t, paid("r-2", 3900))
	})
	p.run()
	if got := read[int](p, `select count(*)::int from resolutions`); got != 2 {
		t.Errorf("%d resolutions are kept, want 2", got)
	}
}
