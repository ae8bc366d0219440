package workflows_test

import (
	"context"
	"testing"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
	"recoup/workflows"
)

// TestT1AStopInTheMiddleOfARound: charging is stopped while the primary is declined and started ten days later. The backup is charged
// then, nothing escalated meanwhile, and the stage clock moved by those days.
func TestT1AStopInTheMiddleOfARound(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", yes)
	ctx := context.Background()
	p.books.onCharge = func() {
		if len(p.books.order) > 1 {
			return
		}
		if _, err := p.store.StopCharging(ctx, dunning.AnyGateway, store.Order{Actor: "anna", Reason: "wrong amounts", RequestID: "r-1"}); err != nil {
			t.Error(err)
		}
	}
	p.after(10*day, func() {
		if len(p.books.order) != 1 {
			t.Errorf("charged %v while charging was stopped", p.books.order)
		}
		if _, woken, err := p.store.StartCharging(ctx, dunning.AnyGateway, store.Order{Actor: "anna", Reason: "mended", RequestID: "r-2"}); err != nil || woken != 1 {
			t.Errorf("%d woken, %v", woken, err)
		}
		p.env.SignalWorkflow(workflows.SignalPoke, "charging started")
	})
	if got := p.run(); got.Outcome != billing.InvoicePaid || got.Rounds != 1 {
		t.Errorf("ended %+v", got)
	}
	if got := read[int64](p, `select clock_shift_seconds from cases`); got < 10*24*3600-1 || got > 10*24*3600+1 {
		t.Errorf("the stage clock moved by %d s, want ten days", got)
	}
	if got := read[int](p, `select count(*)::int from notices where kind = 'payment_failed'`); got != 0 {
		t.Errorf("%d notices of failure: a stopped charge is no decline", got)
	}
}
