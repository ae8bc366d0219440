package store_test

import (
	"context"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

var pending = billing.Answer{State: billing.AttemptPending, Reference: "pi_1"}

func (w *world) take(e billing.GatewayEvent) {
	w.t.Helper()
	if e.Gateway == "" {
		e.Gateway = "stripe"
	}
	if err := w.TakeGatewayEvent(context.Background(), e); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pokes() int { return scan[int](w, `select count(*)::int from pokes`) }

// lastAttempt is the newest attempt's id.
func (w *world) lastAttempt() billing.AttemptID {
	return scan[billing.AttemptID](w, `select id::text from attempts order by created_at desc, id desc limit 1`)
}

func TestU3EventOfAPendingDebitBringsItsLookUpForward(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.want(w.charge(w.review(id), id, pending), dunning.DoWait, dunning.StageCollecting)
	w.now = w.now.Add(time.Minute)
	w.want(w.review(id), dunning.DoWait, dunning.StageCollecting)

	w.take(billing.GatewayEvent{ID: "evt_0", Type: "payment_intent.processing", About: billing.EventProgress, Attempt: w.lastAttempt()})
	w.want(w.review(id), dunning.DoWait, dunning.StageCollecting)
	if w.pokes() != 0 {
		t.Error("news of no consequence woke the case")
	}
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "payment_intent.succeeded", About: billing.EventCapture, Attempt: w.lastAttempt(), Reference: "pi_1"})
	w.want(w.review(id), dunning.DoLookUp, dunning.StageCollecting)
	if w.pokes() != 1 {
		t.Error("the case was not woken")
	}
	if got := scan[string](w, `select state from invoices`); got != "open" {
		t.Errorf("the event was believed: the invoice is %s", got)
	}
}

// B1: at least once is how gateways deliver.
func TestB1DuplicateEventsAreOne(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, pending)
	event := billing.GatewayEvent{ID: "evt_1", Type: "payment_intent.succeeded", About: billing.EventCapture, Attempt: w.lastAttempt()}
	w.take(event)
	w.exec(`delete from pokes`)
	w.take(event)
	if got := scan[int](w, `select count(*)::int from gateway_events`); got != 1 || w.pokes() != 0 {
		t.Errorf("%d events stored and %d pokes, want 1 and 0", got, w.pokes())
	}
	// The same id of another gateway is another event.
	w.take(billing.GatewayEvent{Gateway: "adyen", ID: "evt_1", Type: "x", About: billing.EventOther})
	if got := scan[int](w, `select count(*)::int from gateway_events`); got != 2 {
		t.Errorf("%d events stored, want 2", got)
	}
}

// B3: a gateway is often faster than its own answer; what it said then is not lost.
func TestB3EventBeforeTheAnswerIsRemembered(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	ctx := context.Background()
	c, _, err := w.BeginAttempt(ctx, id, w.review(id).Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(ctx, c.Attempt, window); err != nil {
		t.Fatal(err)
	}
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "payment_intent.succeeded", About: billing.EventCapture, Attempt: c.Attempt})
	if w.pokes() != 0 {
		t.Error("a case whose call is under way was woken")
	}
	step, err := w.RecordAnswer(ctx, id, c.Attempt, unknown)
	if err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoLookUp, dunning.StageCollecting)
	// A look-up that learns nothing goes back to its ladder: the event is used up.
	if step, err = w.RecordAnswer(ctx, id, c.Attempt, unknown); err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageCollecting)
}

func TestB2LateEventOfAnEndedAttemptChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	before := scan[string](w, `select next_at::text || state from (select coalesce(next_at, 'epoch') next_at, state from attempts) a`)
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "payment_intent.payment_failed", About: billing.EventOutcome, Attempt: w.lastAttempt()})
	if after := scan[string](w, `select next_at::text || state from (select coalesce(next_at, 'epoch') next_at, state from attempts) a`); after != before || w.pokes() != 0 {
		t.Errorf("%s became %s, with %d pokes", before, after, w.pokes())
	}
}

func TestB6MoneyOfNobodyIsATask(t *testing.T) {
	w := newWorld(t)
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "payment_intent.created", About: billing.EventProgress, Reference: "pi_x"})
	w.take(billing.GatewayEvent{ID: "evt_2", Type: "payment_intent.payment_failed", About: billing.EventOutcome, Reference: "pi_x"})
	if got := scan[int](w, `select count(*)::int from tasks`); got != 0 {
		t.Fatalf("%d tasks though no money moved", got)
	}
	w.take(billing.GatewayEvent{ID: "evt_3", Type: "payment_intent.succeeded", About: billing.EventCapture, Reference: "pi_x"})
	w.take(billing.GatewayEvent{ID: "evt_4", Type: "payment_intent.succeeded", About: billing.EventCapture, Reference: "pi_x"})
	w.take(billing.GatewayEvent{ID: "evt_5", Type: "payment_intent.succeeded", About: billing.EventCapture, Reference: "pi_y",
		Attempt: "0190b7a0-0000-7000-8000-000000000000"})
	w.take(billing.GatewayEvent{ID: "evt_6", Type: "payment_intent.succeeded", About: billing.EventCapture, Reference: "pi_z", Attempt: "not-a-uuid"})
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'gateway_event_unmatched'`); got != 3 {
		t.Errorf("%d tasks, want one for each payment", got)
	}
	if _, err := w.ReadOverview(context.Background(), noon); err != nil {
		t.Errorf("the overview can't show a task of no account: %v", err)
	}
}

func TestEventWithoutMetadataIsMatchedByReference(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, pending)
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "charge.dispute.created", About: billing.EventCapture, Reference: "pi_1"})
	if got := scan[int](w, `select count(*)::int from gateway_events e join attempts a on a.id = e.attempt_id`); got != 1 || w.pokes() != 1 {
		t.Errorf("%d events matched, %d pokes", got, w.pokes())
	}
}

func TestEventIsRefusedWithoutItsID(t *testing.T) {
	w := newWorld(t)
	if err := w.TakeGatewayEvent(context.Background(), billing.GatewayEvent{Gateway: "stripe", About: billing.EventOther}); err == nil {
		t.Error("an event without an id was stored")
	}
}

// U5, B3: a dispute names the payment only. When it comes before our call's answer is known, nobody here knows whose payment it is; the
// answer that tells has the gateway asked, and the task for a person is closed.
func TestU5DisputeBeforeTheAnswerIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	ctx := context.Background()
	c, _, err := w.BeginAttempt(ctx, id, w.review(id).Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(ctx, c.Attempt, window); err != nil {
		t.Fatal(err)
	}
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "charge.dispute.created", About: billing.EventReversal, Reference: "pi_1"})
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'gateway_event_unmatched' and closed_at is null`); got != 1 {
		t.Fatalf("%d tasks for a payment that nobody knows, want 1", got)
	}
	answer := succeeded
	answer.Captured = c.Amount
	if _, err := w.RecordAnswer(ctx, id, c.Attempt, answer); err != nil {
		t.Fatal(err)
	}
	checks, err := w.DueReversalChecks(ctx, 10)
	if err != nil || len(checks) != 1 || checks[0].Attempt != c.Attempt {
		t.Errorf("the gateway is asked about %+v (%v), want attempt %s", checks, err, c.Attempt)
	}
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'gateway_event_unmatched' and closed_at is null`); got != 0 {
		t.Errorf("%d tasks left for a payment that is explained", got)
	}
}

// U5: a return that is told while the debit is still open here is not believed then, and asked about once the debit has succeeded.
func TestU5ReturnWhileTheDebitIsOpenIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, pending)
	attempt, ctx := w.lastAttempt(), context.Background()
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "charge.dispute.created", About: billing.EventReversal, Reference: "pi_1"})
	checks, err := w.DueReversalChecks(ctx, 10)
	if err != nil || len(checks) != 1 {
		t.Fatalf("%+v are asked about, %v", checks, err)
	}
	// Of an attempt that is open nothing is believed; the check is done.
	if err := w.ReversalChecked(ctx, checks[0]); err != nil {
		t.Fatal(err)
	}
	answer := succeeded
	answer.Captured = money.New(4900, usd)
	if _, err := w.RecordAnswer(ctx, id, attempt, answer); err != nil {
		t.Fatal(err)
	}
	if checks, err = w.DueReversalChecks(ctx, 10); err != nil || len(checks) != 1 || checks[0].Attempt != attempt {
		t.Errorf("the gateway is asked about %+v (%v), want attempt %s", checks, err, attempt)
	}
}
