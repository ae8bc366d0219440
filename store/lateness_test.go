package store_test

import (
	"testing"
	"time"

	"recoup/dunning"
)

// TestT1OurLatenessMovesTheStageClock: no worker ran for ten days, so a step that was planned before runs late. All later dates move by as
// much, and the notice of suspension still leaves the customer the policy's whole interval; the due date stays.
func TestT1OurLatenessMovesTheStageClock(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	due := scan[time.Time](w, `select due_at from invoices`)
	step := w.charge(w.review(id), id, declined)
	const away = 10 * 24 * time.Hour
	for round := 2; step.Do == dunning.DoWait; round++ {
		w.now = step.At
		if round == 3 {
			w.now = w.now.Add(away)
		}
		if step = w.review(id); step.Do == dunning.DoCharge {
			step = w.charge(step, id, declined)
		}
	}
	if got := scan[int64](w, `select clock_shift_seconds from cases`); got != int64(away.Seconds()) {
		t.Errorf("the stage clock moved by %d s after an outage of %d s", got, int64(away.Seconds()))
	}
	w.want(step, dunning.DoFinalNotice, dunning.StageRetrying)
	if days := w.now.Sub(noon).Hours() / 24; days < 36 || days > 38 {
		t.Errorf("the final notice goes on day %.1f, want day 27 and the ten days of the outage", days)
	}
	// And again, two days before the notice of suspension is sent.
	w.now = w.now.Add(away)
	step, err := w.FinalNotice(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.now = step.At.Add(away)
	sent := w.now
	if step, err = w.ScheduleSuspension(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if left := step.At.Sub(sent); left < 20*time.Hour {
		t.Errorf("the notice of suspension leaves the customer %s", left)
	}
	if got := scan[time.Time](w, `select due_at from invoices`); !got.Equal(due) {
		t.Errorf("the due date moved from %s to %s", due, got)
	}
}

// TestPM9RoundsDueAtOnceOfBlockedMethods: a method is blocked while its attempt waits to be sent again, and several rounds of a policy in
// seconds have come due meanwhile. All of them run at once, because no one of them asks anybody, and the case goes on: it is not stuck.
func TestPM9RoundsDueAtOnceOfBlockedMethods(t *testing.T) {
	for _, late := range []int{6, 8, 60} {
		w := newWorld(t)
		w.account("acme", "pm-1")
		w.exec(`update accounts set policy = 'demo'`)
		w.invoice("inv-1", "acme", 4900)
		id := w.open("inv-1")
		step := w.charge(w.review(id), id, throttled)
		w.want(step, dunning.DoWait, dunning.StageCollecting)
		w.exec(`update payment_methods set state = 'blocked', state_reason = 'a payment was disputed'`)
		w.now = step.At.Add(time.Duration(late) * time.Second)
		charge, step, err := w.BeginAttempt(t.Context(), id, "pm-1", window)
		if err != nil || charge != nil {
			t.Fatalf("%d s late: %+v %v", late, charge, err)
		}
		w.want(step, dunning.DoWait, dunning.StageRetrying)
	}
}
