package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

func order(id string) store.Order {
	return store.Order{Actor: "anna", Reason: "wrong amounts", RequestID: id}
}

func (w *world) stopCharging(gateway string) {
	w.t.Helper()
	if fresh, err := w.StopCharging(context.Background(), gateway, order("stop-"+gateway)); err != nil || !fresh {
		w.t.Fatalf("stop %s: fresh %v, %v", gateway, fresh, err)
	}
}

func (w *world) startCharging(gateway string) int {
	w.t.Helper()
	lifted, woken, err := w.StartCharging(context.Background(), gateway, order("start-"+gateway))
	if err != nil || !lifted {
		w.t.Fatalf("start %s: lifted %v, %v", gateway, lifted, err)
	}
	return woken
}

func (w *world) wantStopped(step dunning.Step) {
	w.t.Helper()
	if step.Do != dunning.DoWait || !step.Paused || !strings.Contains(step.Why, "charging is stopped by anna") {
		w.t.Fatalf("next is %s (%s), want a wait for charging", step.Do, step.Why)
	}
}

func TestJ5NothingIsBegunWhileChargingIsStopped(t *testing.T) {
	for _, gateway := range []string{dunning.AnyGateway, "stripe"} {
		w := newWorld(t)
		w.account("acme", "pm-1", "pm-2")
		w.invoice("inv-1", "acme", 4900)
		id := w.open("inv-1")
		step := w.review(id)
		w.want(step, dunning.DoCharge, dunning.StageCollecting)
		w.stopCharging(gateway)
		w.wantStopped(w.charge(step, id, succeeded))
		w.wantStopped(w.review(id))
		if n := scan[int](w, `select count(*)::int from attempts`); n != 0 {
			t.Errorf("%d attempts were begun", n)
		}
		if n := scan[int](w, `select count(*)::int from notices`) + scan[int](w, `select count(*)::int from tasks`); n != 0 {
			t.Errorf("the stop told somebody %d times", n)
		}
		if got := scan[string](w, `select concat_ws(' ', actor, act, reason, request_id) from audit_log where act = 'charging_stopped'`); got !=
			"anna charging_stopped wrong amounts stop-"+gateway {
			t.Errorf("audit log says %q", got)
		}
		w.startCharging(gateway)
		w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	}
}

// TestT1TimeKeptBackUnderAHoldIsCountedOnce: charging stands for eight days, and on the third a person holds the escalations for four.
func TestT1TimeKeptBackUnderAHoldIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.review(id)
	w.stopCharging(dunning.AnyGateway)
	w.wantStopped(w.charge(step, id, succeeded))
	w.now = w.now.Add(2 * day)
	w.decide(billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.Add(4 * day), Scope: []string{"suspension"}})
	w.now = w.now.Add(6 * day)
	w.startCharging(dunning.AnyGateway)
	w.want(w.review(id), dunning.DoCharge, dunning.StageCollecting)
	if got := w.shifted(); got != 8 {
		t.Errorf("the stage clock moved by %v days, want the 8 that charging was stopped", got)
	}
}

func TestPM2AStopKeepsNothingBackOnAMethodThatCannotBeCharged(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.method("acme", "pm-2", "us_bank_account", "bank", "pm_1Bank")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.review(id)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	w.spentOn("inv-1", "pm-2", 1, "R02") // its budget is used up after the round began
	charge, _, err := w.BeginAttempt(context.Background(), id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(context.Background(), charge.Attempt, window); err != nil {
		t.Fatal(err)
	}
	w.stopCharging(dunning.AnyGateway)
	step, err = w.RecordAnswer(context.Background(), id, charge.Attempt, declined)
	if err != nil {
		t.Fatal(err)
	}
	if step.Paused || step.Stage != dunning.StageRetrying || step.Then != dunning.DoBeginRound {
		t.Errorf("next is %s in %s (%s), want the wait for the next round: nothing was left to charge", step.Do, step.Stage, step.Why)
	}
	for kind, query := range map[string]string{"notice": `select count(*)::int from notices where kind = 'payment_failed' and channel = 'email'`,
		"task": `select count(*)::int from tasks where kind = 'budget_used_up'`} {
		if n := scan[int](w, query); n != 1 {
			t.Errorf("%d %ss, want one", n, kind)
		}
	}
}

func TestJ5WhatIsNotSentYetIsNotSentAfterAStop(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	ctx := context.Background()
	charge, _, err := w.BeginAttempt(ctx, id, "pm-1", window)
	if err == nil && charge == nil {
		_ = w.review(id)
		charge, _, err = w.BeginAttempt(ctx, id, "pm-1", window)
	}
	if err != nil || charge == nil {
		t.Fatal(charge, err)
	}
	w.stopCharging("stripe")
	var refusal *billing.Refusal
	if err := w.MarkSent(ctx, charge.Attempt, window); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "charging is stopped") {
		t.Fatalf("marked as sent under a stop: %v", err)
	}
	w.wantStopped(w.review(id))
	if got := scan[string](w, `select state from attempts`); got != "intent" {
		t.Errorf("the attempt is %s", got)
	}
	w.startCharging("stripe")
	step := w.review(id)
	w.want(w.charge(step, id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int](w, `select count(*)::int from attempts`); got != 1 {
		t.Errorf("%d attempts, want the one", got)
	}
}

func TestU1AStopTurnsAResendIntoALookUp(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	ctx := context.Background()
	step := w.review(id)
	charge, _, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(ctx, charge.Attempt, window); err != nil {
		t.Fatal(err)
	}
	// The worker dies here: whether the charge went out nobody knows.
	w.stopCharging(dunning.AnyGateway)
	again, step, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil || again != nil {
		t.Fatalf("sent again under a stop: %v, %v", again, err)
	}
	if step.Do != dunning.DoWait || step.Then != dunning.DoLookUp {
		t.Errorf("next is %s then %s (%s), want a look-up", step.Do, step.Then, step.Why)
	}
}

func TestT1TheStageClockMovesByTheTimeStopped(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.stopCharging(dunning.AnyGateway)
	w.wantStopped(w.review(id))
	for range 40 { // past the day of suspension
		w.now = w.now.Add(24 * time.Hour)
		w.wantStopped(w.review(id))
	}
	if got := scan[string](w, `select stage || ' ' || clock_shift_seconds from cases`); got != "collecting 0" {
		t.Fatalf("while stopped the case is in %s", got)
	}
	if woken := w.startCharging(dunning.AnyGateway); woken != 1 {
		t.Errorf("%d cases woken, want 1", woken)
	}
	step := w.charge(w.review(id), id, declined)
	w.want(step, dunning.DoWait, dunning.StageRetrying)
	if got, want := scan[int64](w, `select clock_shift_seconds from cases`), int64(40*24*3600); got != want {
		t.Errorf("the clock moved by %d s, want %d", got, want)
	}
	if first := noon.Add((40 + 4) * 24 * time.Hour); step.At.Before(first.Add(-12*time.Hour)) || step.At.After(first.Add(12*time.Hour)) {
		t.Errorf("round 2 is at %s, want about %s", step.At, first)
	}
	if due := scan[string](w, `select due_date::text from invoices`); due != "2026-11-01" {
		t.Errorf("the due date moved to %s", due)
	}
}

func TestT1StartingChargingWakesEveryCaseThatWaited(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.stopCharging("stripe")
	const n = 3
	for i := range n {
		invoice := fmt.Sprintf("inv-%d", i)
		w.invoice(invoice, "acme", 4900)
		w.wantStopped(w.review(w.open(invoice)))
	}
	w.exec(`delete from pokes`)
	stops, waiting, err := w.ChargingStops(context.Background())
	if err != nil || len(stops) != 1 || waiting != n {
		t.Fatalf("status: %v, %d cases wait, %v", stops, waiting, err)
	}
	if woken := w.startCharging("stripe"); woken != n {
		t.Errorf("%d woken, want %d", woken, n)
	}
	if got := scan[int](w, `select count(*)::int from pokes`); got != n {
		t.Errorf("%d pokes, want %d", got, n)
	}
}

func TestR2AStopIsSignedAndNamesAGatewayThereIs(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	for name, c := range map[string]struct {
		gateway string
		order   store.Order
	}{
		"nobody":    {"stripe", store.Order{Reason: "r", RequestID: "1"}},
		"no reason": {"stripe", store.Order{Actor: "anna", RequestID: "1"}},
		"address":   {"stripe", store.Order{Actor: "anna@example.com", Reason: "r", RequestID: "1"}},
		"misspelt":  {"strype", order("1")},
	} {
		var refusal *billing.Refusal
		if _, err := w.StopCharging(context.Background(), c.gateway, c.order); !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	w.stopCharging("stripe")
	second := store.Order{Actor: "bert", Reason: "me too", RequestID: "2"}
	if fresh, err := w.StopCharging(context.Background(), "stripe", second); err != nil || fresh {
		t.Errorf("stopped twice: %v, %v", fresh, err)
	}
	if got := scan[string](w, `select stopped_by from charging_stops`); got != "anna" {
		t.Errorf("stopped by %s, want the first", got)
	}
}
