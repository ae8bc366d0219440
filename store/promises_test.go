package store_test

import (
	"context"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

func promised(id billing.CaseID, until time.Time, minor int64) billing.Resolution {
	return billing.Resolution{Kind: billing.PromiseToPay, Case: id, Until: until, Amount: dollars(minor)}
}

func (w *world) promise() string {
	w.t.Helper()
	return scan[string](w, `select string_agg(state, ' ' order by made_at, request_id) from promises`)
}

func (w *world) told(kind string) int {
	w.t.Helper()
	return scan[int](w, `select count(*)::int from notices where kind = $1 and channel = 'email'`, kind)
}

func TestPromiseStopsRoundsAndTheClockUntilADayAfter(t *testing.T) {
	w, id := declinedOnce(t)
	before := w.review(id)
	until := w.now.Add(10 * day)
	w.decide(promised(id, until, 4900))
	step := w.review(id)
	w.want(step, dunning.DoWait, dunning.StageRetrying)
	if !step.Held || !step.At.Equal(until.Add(day)) {
		t.Errorf("waits until %s (held %v), want a day after %s", step.At, step.Held, until)
	}
	if w.shifted() != 11 || w.told("promise_recorded") != 1 {
		t.Errorf("the clock moved by %v days, told %d times", w.shifted(), w.told("promise_recorded"))
	}
	w.refuses(billing.Resolution{Kind: billing.RetryNow, Case: id}, "kind", "payment is promised")
	w.refuses(promised(id, until, 100), "kind", "stands already")

	w.now = until.Add(day)
	step = w.review(id)
	if w.promise() != "broken" || w.told("promise_broken") != 1 || step.Held {
		t.Errorf("the promise is %s, told %d times, held %v", w.promise(), w.told("promise_broken"), step.Held)
	}
	if want := before.At.Add(11 * day); !step.At.Equal(want) || step.Then != dunning.DoBeginRound {
		t.Errorf("goes on with %s at %s, want a round at %s", step.Then, step.At, want)
	}
}

func TestPromiseKeptInPartGivesTheTimeBack(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(promised(id, w.now.Add(10*day), 2000))
	w.now = w.now.Add(3 * day)
	w.decide(paid(id, "part", 1999))
	if w.promise() != "open" {
		t.Errorf("a cent less: the promise is %s", w.promise())
	}
	w.decide(paid(id, "rest", 1))
	if w.promise() != "kept" || w.shifted() != 3 {
		t.Errorf("the promise is %s, the clock moved by %v days, want 3", w.promise(), w.shifted())
	}
	if step := w.review(id); step.Held {
		t.Error("still held")
	}
}

func paid(id billing.CaseID, request string, minor int64) billing.Resolution {
	return billing.Resolution{RequestID: request, Kind: billing.PaidOutOfBand, Case: id, Amount: dollars(minor), Reference: "CHQ", ReceivedOn: "2026-11-02"}
}

func TestPromiseKeptInFullEndsTheCase(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(promised(id, w.now.Add(10*day), 4900))
	w.decide(paid(id, "all", 4900))
	if state, _ := w.owed("inv-1"); state != "paid" || w.promise() != "kept" || w.told("promise_broken") != 0 {
		t.Errorf("the invoice is %s, the promise %s", state, w.promise())
	}
}

func TestPromiseLimits(t *testing.T) {
	w, id := declinedOnce(t)
	w.refuses(promised(id, w.now, 4900), "until", "future")
	w.refuses(promised(id, w.now.Add(31*day), 4900), "until", "30 days")
	w.refuses(promised(id, w.now.Add(day), 4901), "amount", "only")
	yen := promised(id, w.now.Add(day), 4900)
	yen.Amount = amountIn(t, "JPY", 4900)
	w.refuses(yen, "amount", "USD")
	first := promised(id, w.now.Add(day), 4900)
	w.decide(first)
	w.now = w.now.Add(2*day + time.Hour)
	w.review(id)
	second := promised(id, w.now.Add(day), 4900)
	second.RequestID = "second"
	w.refuses(second, "override", "this invoice")
	second.Override = true
	w.decide(second)
	w.now = w.now.Add(2*day + time.Hour)
	w.review(id)
	if w.promise() != "broken broken" {
		t.Fatalf("promises are %s", w.promise())
	}
	// Another invoice of the account, within 12 months and after.
	w.invoice("inv-2", "acme", 4900)
	w.exec(`update invoices set collect_at = $1 where id = 'inv-2'`, w.now)
	other := w.open("inv-2")
	third := promised(other, w.now.Add(day), 4900)
	third.RequestID = "third"
	w.refuses(third, "override", "12 months")
	w.now = w.now.Add(366 * day)
	third.Until = w.now.Add(day)
	w.decide(third)
}

func TestPromiseComesTooLateOnceSuspended(t *testing.T) {
	w, id := declinedOnce(t)
	w.exec(`update accounts set standing = 'suspended' where id = 'acme'`)
	w.refuses(promised(id, w.now.Add(day), 4900), "kind", "suspended")
	w.exec(`update accounts set standing = 'active' where id = 'acme'`)
}

func TestPromiseAndHoldCountTheSameTimeOnce(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.Add(5 * day)})
	w.decide(promised(id, w.now.Add(9*day), 4900))
	if w.shifted() != 10 {
		t.Errorf("the clock moved by %v days, want 10", w.shifted())
	}
	w.decide(billing.Resolution{Kind: billing.Release, Case: id})
	if w.shifted() != 10 {
		t.Errorf("released: the clock moved by %v days, want 10: the promise stands", w.shifted())
	}
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-promise_to_pay"})
	if w.shifted() != 0 || w.promise() != "withdrawn" {
		t.Errorf("withdrawn (%s): the clock moved by %v days", w.promise(), w.shifted())
	}
	w.refuses(billing.Resolution{RequestID: "again", Kind: billing.Reverse, Case: id, Reverses: "r-promise_to_pay"}, "reverses", "reversed already")
}

// A promise while a charge is on its way: the attempt goes on and its money is booked; one that was not sent yet doesn't go.
func TestPromiseDuringAnAttempt(t *testing.T) {
	ctx := context.Background()
	w, id := one(t)
	step := w.review(id)
	c, _, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	w.decide(promised(id, w.now.Add(10*day), 4900))
	if again, next, err := w.BeginAttempt(ctx, id, step.Method, window); err != nil || again != nil || next.Do != dunning.DoWait {
		t.Errorf("an intent goes on: %+v %v %v", again, next, err)
	}
	if err := w.MarkSent(ctx, c.Attempt, window); err == nil {
		t.Error("what was given up was sent all the same")
	}

	w2, id2 := one(t)
	step = w2.review(id2)
	c, _, err = w2.BeginAttempt(ctx, id2, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w2.MarkSent(ctx, c.Attempt, window); err != nil {
		t.Fatal(err)
	}
	w2.decide(promised(id2, w2.now.Add(10*day), 4900))
	ok := succeeded
	ok.Captured = c.Amount
	if _, err := w2.RecordAnswer(ctx, id2, c.Attempt, ok); err != nil {
		t.Fatal(err)
	}
	if state, _ := w2.owed("inv-1"); state != "paid" || w2.promise() != "kept" {
		t.Errorf("the invoice is %s, the promise %s", state, w2.promise())
	}
}
