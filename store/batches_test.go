package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

func orderedBy(id string) store.Order {
	return store.Order{Actor: "ada", Reason: "their gateway was down", RequestID: id}
}

// list is a batch's list of these invoices.
func list(ids ...string) store.BatchSelection {
	var s store.BatchSelection
	for n, id := range ids {
		s.Invoices = append(s.Invoices, billing.ListedInvoice{Line: n + 1, ID: billing.InvoiceID(id)})
	}
	return s
}

func (w *world) record(o store.BatchOrder) store.Batch {
	w.t.Helper()
	b, _, err := w.RecordBatch(context.Background(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// carryOut carries out every item, as the workflow does.
func (w *world) carryOut(b store.Batch) store.BatchStatus {
	w.t.Helper()
	for n := 1; n <= b.Items; n++ {
		if err := w.CarryOutItem(context.Background(), b.ID, n); err != nil {
			w.t.Fatal(err)
		}
	}
	status, err := w.BatchStatus(context.Background(), b.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func (w *world) items(b store.Batch) map[billing.InvoiceID]store.BatchItem {
	w.t.Helper()
	all := map[billing.InvoiceID]store.BatchItem{}
	err := w.EachBatchItem(context.Background(), b.ID, func(t store.BatchItem) error {
		all[t.Invoice] = t
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) wantItem(b store.Batch, invoice string, state billing.ItemState, says string) {
	w.t.Helper()
	got := w.items(b)[billing.InvoiceID(invoice)]
	if got.State != state || !strings.Contains(got.Says, says) {
		w.t.Errorf("%s is %s (%s), want %s with %q", invoice, got.State, got.Says, state, says)
	}
}

// stopped opens a case whose first round our outage stopped: the gateway is silent, and each look proves that nothing was taken.
func (w *world) stopped(invoice string) billing.CaseID {
	w.t.Helper()
	w.invoice(invoice, "acme", 4900)
	id := w.open(invoice)
	for step := w.review(id); ; step = w.review(id) {
		switch step.Do {
		case dunning.DoCharge:
			w.charge(step, id, unknown)
		case dunning.DoLookUp:
			if _, err := w.RecordAnswer(context.Background(), id, step.Attempt, billing.Answer{State: billing.AttemptNotSent}); err != nil {
				w.t.Fatal(err)
			}
		case dunning.DoWait:
			if class := scan[string](w, `select class from attempts where case_id = $1`, id); class == "transient" {
				return id
			}
			w.now = step.At
		default:
			w.t.Fatalf("next is %s (%s)", step.Do, step.Why)
		}
	}
}

func TestBatchHoldsAList(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	for _, id := range []string{"inv-1", "inv-2"} {
		w.failing(id)
	}
	w.invoice("inv-paid", "acme", 100)
	amount := money.New(100, usd)
	if _, err := w.Resolve(ctx, billing.Resolution{Case: w.open("inv-paid"), RequestID: "p", Actor: "ada", Reason: "cheque", Kind: billing.PaidOutOfBand,
		Amount: &amount, Reference: "C", ReceivedOn: "2026-11-02"}); err != nil {
		t.Fatal(err)
	}
	w.invoice("inv-new", "acme", 100)
	order := store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchHold, Until: w.now.Add(3 * day),
		Of: list("inv-1", "inv-2", "inv-paid", "inv-new", "inv-1")}
	b := w.record(order)
	if b.Items != 4 || b.State != billing.BatchRunning || b.Waiting() != 4 || b.Order.PerMinute != billing.BatchPace {
		t.Fatalf("recorded as %+v", b)
	}
	if n := scan[int](w, `select count(*)::int from cases where held_until is not null`); n != 0 {
		t.Errorf("recording it held %d cases", n)
	}
	status := w.carryOut(b)
	if status.State != billing.BatchDone || status.Counts[billing.ItemDone] != 2 || status.Counts[billing.ItemNotThere] != 2 || status.FirstWaiting != 0 {
		t.Errorf("ended as %+v", status)
	}
	w.wantItem(b, "inv-2", billing.ItemDone, "held until")
	w.wantItem(b, "inv-paid", billing.ItemNotThere, "the invoice is paid")
	w.wantItem(b, "inv-new", billing.ItemNotThere, "no case is open yet")
	// I16: the batch and each of its acts are signed by the person, and each says from where it came.
	if n := scan[int](w, `select count(*)::int from audit_log where act = 'hold' and actor = 'ada' and reason = 'their gateway was down'
		and request_id like 'batch:' || $1 || ':%' and origin = 'batch ' || $1`, b.ID); n != 2 {
		t.Errorf("%d holds are in the audit log, want 2", n)
	}
	if n := scan[int](w, `select count(*)::int from audit_log where act = 'batch_recorded' and request_id = 'b-1' and after->>'items' = '4'`); n != 1 {
		t.Errorf("the batch is %d times in the audit log", n)
	}
	if n := scan[int](w, `select count(*)::int from pokes`); n < 2 {
		t.Errorf("%d workflows are told to re-read, want 2", n)
	}
	// R2: the same order again is the same batch; another under its id is refused.
	again, fresh, err := w.RecordBatch(ctx, order)
	if err != nil || fresh || again.ID != b.ID {
		t.Errorf("again: %s, fresh %v, %v", again.ID, fresh, err)
	}
	other := order
	other.Of = list("inv-1")
	_, _, err = w.RecordBatch(ctx, other)
	refused(t, err, "request_id", "was used for another batch")
}

func TestBatchRefusesWhatCantBe(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	w.failing("inv-1")
	good := store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchRetry, Of: list("inv-1")}
	for field, change := range map[string]func(*store.BatchOrder){
		"reason":     func(o *store.BatchOrder) { o.Reason = "" },
		"request_id": func(o *store.BatchOrder) { o.RequestID = "a b" },
		"kind":       func(o *store.BatchOrder) { o.Kind = "write_off" },
		"per_minute": func(o *store.BatchOrder) { o.PerMinute = 6001 },
		"policy":     func(o *store.BatchOrder) { o.Kind = billing.BatchMove },
		"until":      func(o *store.BatchOrder) { o.Kind = billing.BatchHold },
		"from": func(o *store.BatchOrder) {
			o.Of = store.BatchSelection{Outage: &store.OutageWindow{From: noon, To: noon}}
		},
		"on_policy": func(o *store.BatchOrder) {
			o.Of = store.BatchSelection{OnPolicy: &store.PolicyVersion{Name: "standard"}}
		},
		"gateway": func(o *store.BatchOrder) {
			o.Of = store.BatchSelection{Outage: &store.OutageWindow{From: noon, To: noon.Add(1), Gateway: "strype"}}
		},
	} {
		o := good
		change(&o)
		_, _, err := w.RecordBatch(ctx, o)
		refused(t, err, field, "")
		_, err = w.PreviewBatch(ctx, o, 0, 0)
		refused(t, err, field, "")
	}
	for text, o := range map[string]store.BatchOrder{
		"actor":     {Order: store.Order{Actor: "a\x00da", Reason: "r", RequestID: "n"}, Kind: billing.BatchMove, Policy: "fast", Of: list("inv-1")},
		"reason":    {Order: store.Order{Actor: "ada", Reason: "4242 4242 4242 4242", RequestID: "n"}, Kind: billing.BatchRetry, Of: list("inv-1")},
		"policy":    {Order: orderedBy("n"), Kind: billing.BatchMove, Policy: "fa\x00st", Of: list("inv-1")},
		"on_policy": {Order: orderedBy("n"), Kind: billing.BatchRetry, Of: store.BatchSelection{OnPolicy: &store.PolicyVersion{Name: "\x00", Version: 1}}},
		"gateway":   {Order: orderedBy("n"), Kind: billing.BatchRetry, Of: store.BatchSelection{Outage: &store.OutageWindow{From: noon, To: noon.Add(1), Gateway: "\x00"}}},
	} {
		_, _, err := w.RecordBatch(ctx, o)
		refused(t, err, text, "")
	}
	for want, of := range map[string]store.BatchSelection{
		"nothing is chosen":                 {},
		"not by several":                    {Invoices: list("inv-1").Invoices, OnPolicy: &store.PolicyVersion{Name: "standard", Version: 1}},
		"line 2: there is no invoice inv-9": list("inv-1", "inv-9"),
		"there is nothing to do":            {Outage: &store.OutageWindow{From: noon, To: noon.Add(time.Hour)}},
	} {
		o := good
		o.Of = of
		_, _, err := w.RecordBatch(ctx, o)
		refused(t, err, "invoices", want)
	}
	if n := scan[int](w, `select (select count(*) from batches) + (select count(*) from batch_items) + (select count(*) from audit_log where act like 'batch%')`); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

// TestBatchRetriesAnOutage: only those whose last attempt failed for our fault, in the time, each once; one that may not be is refused in words
// and stops nobody.
func TestBatchRetriesAnOutage(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	w.failing("inv-declined")
	w.stopped("inv-1")
	w.stopped("inv-2")
	w.stopped("inv-held")
	end := scan[time.Time](w, `select max(ended_at) from attempts where class = 'transient'`)
	w.now = end.Add(time.Minute)
	if _, err := w.Resolve(ctx, billing.Resolution{Case: "inv-held", RequestID: "h", Actor: "bo", Reason: "asked", Kind: billing.Hold, Until: w.now.Add(day)}); err != nil {
		t.Fatal(err)
	}
	order := store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchRetry,
		Of: store.BatchSelection{Outage: &store.OutageWindow{From: noon, To: end.Add(time.Second), Gateway: "stripe"}}}
	before := scan[string](w, `select string_agg(id || wake || coalesce(round_deferred_until::text, ''), ' ' order by id) || (select count(*) from pokes) from cases`)
	preview, err := w.PreviewBatch(ctx, order, 0, 0)
	if err != nil || preview.Items != 3 || len(preview.Rows) != 3 {
		t.Fatalf("%+v, %v", preview, err)
	}
	for _, row := range preview.Rows {
		switch {
		case row.Invoice == "inv-held" && (row.State != billing.ItemRefused || !strings.Contains(row.Says, "held until")):
			t.Errorf("preview of the held case: %+v", row)
		case row.Invoice != "inv-held" && (row.State != billing.ItemDone || row.Says != "one round at once" || !strings.Contains(row.Next, "a charge of")):
			t.Errorf("preview: %+v", row)
		}
	}
	if page, err := w.PreviewBatch(ctx, order, 2, 1); err != nil || len(page.Rows) != 1 || page.Rows[0].Number != 3 {
		t.Errorf("a page of the preview: %+v, %v", page, err)
	}
	if after := scan[string](w, `select string_agg(id || wake || coalesce(round_deferred_until::text, ''), ' ' order by id) || (select count(*) from pokes) from cases`); after != before ||
		scan[int](w, `select (select count(*) from batches) + (select count(*) from resolutions where kind = 'retry_now')`) != 0 {
		t.Errorf("the preview wrote: %s, before %s", after, before)
	}
	b := w.record(order)
	if status := w.carryOut(b); status.Counts[billing.ItemDone] != 2 || status.Counts[billing.ItemRefused] != 1 || status.State != billing.BatchDone {
		t.Errorf("ended as %+v", status)
	}
	w.wantItem(b, "inv-held", billing.ItemRefused, "release it first")
	if n := scan[int](w, `select count(*)::int from rounds where case_id in ('inv-1', 'inv-2') and ended_at is null`); n != 2 {
		t.Errorf("%d rounds began, want 2", n)
	}
	if n := scan[int](w, `select count(*)::int from resolutions where case_id = 'inv-held' and kind = 'retry_now'`); n != 0 {
		t.Error("the refused one is recorded as a decision")
	}
	// A list that no longer holds anything: their last attempts are others now.
	order.RequestID = "b-2"
	w.charge(w.review("inv-1"), "inv-1", declined)
	w.charge(w.review("inv-2"), "inv-2", declined)
	w.wantItem(w.record(order), "inv-held", billing.ItemWaiting, "")
}

func TestBatchMovesToAPolicy(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	w.failing("inv-1")
	w.failing("inv-2")
	w.addPolicy(version(t, "standard", 2, "rounds: [0, 4, 7,", "rounds: [0, 1, 9,", "suspend: 30", "suspend: 45"))
	w.now = w.now.Add(2 * day)
	if _, err := w.MoveCasePolicy(ctx, "inv-2", "standard", 2, moveOrder("m-1")); err != nil {
		t.Fatal(err)
	}
	order := store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchMove, Policy: "standard", Of: list("inv-1", "inv-2")}
	preview, err := w.PreviewBatch(ctx, order, 0, 0)
	if err != nil || len(preview.Rows) != 2 || len(preview.Rows[0].Dates) == 0 || !strings.Contains(preview.Rows[0].Says, "standard@1 → standard@2; round 2 2026-11-06") {
		t.Fatalf("%+v, %v", preview, err)
	}
	if !strings.Contains(preview.Rows[1].Says, "follows standard@2 already") {
		t.Errorf("%+v", preview.Rows[1])
	}
	b := w.record(order)
	if b.Order.Version != 2 {
		t.Errorf("the newest is version %d", b.Order.Version)
	}
	// "The newest" was said once, for all: a version added meanwhile is not meant.
	w.addPolicy(version(t, "standard", 3, "rounds: [0, 4, 7,", "rounds: [0, 1, 8,"))
	w.carryOut(b)
	w.wantItem(b, "inv-1", billing.ItemDone, "standard@1 → standard@2")
	w.wantItem(b, "inv-2", billing.ItemDone, "nothing: it follows standard@2 already")
	if got := scan[string](w, `select string_agg(policy_version::text, ' ' order by id) from cases`); got != "2 2" {
		t.Errorf("versions %s", got)
	}
	if n := scan[int](w, `select count(*)::int from policy_moves where request_id = 'batch:' || $1 || ':1' and actor = 'ada'`, b.ID); n != 1 {
		t.Error("the move is not signed")
	}
	all := store.BatchOrder{Order: orderedBy("b-2"), Kind: billing.BatchMove, Policy: "standard", Version: 3,
		Of: store.BatchSelection{OnPolicy: &store.PolicyVersion{Name: "standard", Version: 2}}}
	if b := w.record(all); b.Items != 2 {
		t.Errorf("%d cases on standard@2, want 2", b.Items)
	}
}

// TestR2TwoWorkersCarryOutABatchOnce: workers at the same items, again and again, while a person pauses and resumes: each item once.
func TestR2TwoWorkersCarryOutABatchOnce(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	var ids []string
	for n := range 8 {
		ids = append(ids, fmt.Sprint("inv-", n))
		w.failing(ids[n])
	}
	b := w.record(store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchHold, Until: w.now.Add(3 * day), Of: list(ids...)})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := 1; n <= b.Items; n++ {
				if err := w.CarryOutItem(ctx, b.ID, n); err != nil {
					t.Error(err)
				}
				if _, err := w.BatchStatus(ctx, b.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for n := range 3 {
			for _, f := range []func(context.Context, billing.BatchID, store.Order) (bool, error){w.PauseBatch, w.ResumeBatch} {
				_, err := f(ctx, b.ID, orderedBy(fmt.Sprint("p-", n)))
				var refusal *billing.Refusal
				if err != nil && !errors.As(err, &refusal) { // it may be done by now
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	status := w.carryOut(b) // what a pause left
	if status.State != billing.BatchDone || status.Counts[billing.ItemDone] != 8 {
		t.Errorf("ended as %+v", status)
	}
	for _, sql := range []string{`select count(*)::int from resolutions where kind = 'hold'`, `select count(*)::int from audit_log where act = 'hold'`,
		`select count(*)::int from case_events where kind = 'resolution'`, `select count(*)::int from cases where held_until is not null and not hold_extended`} {
		if n := scan[int](w, sql); n != 8 {
			t.Errorf("%d: %s, want 8", n, sql)
		}
	}
}

func TestBatchIsPausedResumedAndCancelled(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	for _, id := range []string{"inv-1", "inv-2", "inv-3"} {
		w.failing(id)
	}
	b := w.record(store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchHold, Until: w.now.Add(3 * day), Of: list("inv-1", "inv-2", "inv-3")})
	wakes := func() int {
		due, err := w.DueBatchWakes(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range due {
			if err := w.BatchWoken(ctx, d); err != nil {
				t.Fatal(err)
			}
		}
		return len(due)
	}
	if n := wakes(); n != 1 || wakes() != 0 {
		t.Errorf("%d workflows to start, want 1, once", n)
	}
	step := func(n int) {
		t.Helper()
		if err := w.CarryOutItem(ctx, b.ID, n); err != nil {
			t.Fatal(err)
		}
	}
	step(1)
	if fresh, err := w.PauseBatch(ctx, b.ID, orderedBy("p-1")); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	step(2)
	w.wantItem(b, "inv-2", billing.ItemWaiting, "")
	if fresh, err := w.PauseBatch(ctx, b.ID, orderedBy("p-2")); err != nil || fresh {
		t.Error(fresh, err)
	}
	if fresh, err := w.ResumeBatch(ctx, b.ID, orderedBy("r-1")); err != nil || !fresh || wakes() != 1 {
		t.Error(fresh, err)
	}
	step(2)
	if fresh, err := w.CancelBatch(ctx, b.ID, orderedBy("c-1")); err != nil || !fresh || wakes() != 1 {
		t.Fatal(fresh, err)
	}
	step(3)
	w.wantItem(b, "inv-2", billing.ItemDone, "held until")
	w.wantItem(b, "inv-3", billing.ItemLeftOut, "cancelled first")
	_, err := w.ResumeBatch(ctx, b.ID, orderedBy("r-2"))
	refused(t, err, "batch", "is cancelled")
	_, err = w.PauseBatch(ctx, "20261102-nobody", orderedBy("p-3"))
	refused(t, err, "batch", "there is no batch")
	if n := scan[int](w, `select count(*)::int from audit_log where act in ('batch_paused', 'batch_resumed', 'batch_cancelled') and actor = 'ada'`); n != 3 {
		t.Errorf("%d of 3 acts are in the audit log", n)
	}
	got, err := w.FindBatch(ctx, b.ID)
	if err != nil || got.State != billing.BatchCancelled || got.StateBy != "ada" || got.EndedAt.IsZero() || got.Waiting() != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	page, err := w.ListBatches(ctx, "", 10)
	if err != nil || len(page.Batches) != 1 || page.Next != "" || page.Batches[0].ID != b.ID {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestBatchListIsPaged(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.failing("inv-1")
	var want, got []billing.BatchID
	for n := range 5 {
		w.now = w.now.Add(time.Duration(n%2) * time.Second) // some at the same moment
		want = append(want, w.record(store.BatchOrder{Order: orderedBy(fmt.Sprint("b-", n)), Kind: billing.BatchRelease, Of: list("inv-1")}).ID)
	}
	for after := ""; ; {
		page, err := w.ListBatches(context.Background(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Batches {
			got = append(got, b.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(got) != len(want) || got[4] != want[0] {
		t.Errorf("listed %v of %v", got, want)
	}
}

func TestBatchItemsGivenUpChangeNothing(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	w.failing("inv-1")
	w.failing("inv-2")
	b := w.record(store.BatchOrder{Order: orderedBy("b-1"), Kind: billing.BatchHold, Until: w.now.Add(day), Of: list("inv-1", "inv-2")})
	// A policy that is gone is nobody's mistake but ours: no refusal, and the item's transaction leaves nothing.
	w.exec(`update cases set policy = 'lost' where id = 'inv-1'`)
	err := w.CarryOutItem(ctx, b.ID, 1)
	var refusal *billing.Refusal
	if err == nil || errors.As(err, &refusal) {
		t.Fatalf("carried out or refused: %v", err)
	}
	w.wantItem(b, "inv-1", billing.ItemWaiting, "")
	if err := w.FailItem(ctx, b.ID, 1); err != nil {
		t.Fatal(err)
	}
	status := w.carryOut(b)
	if status.State != billing.BatchDone || status.Counts[billing.ItemFailed] != 1 || status.Counts[billing.ItemDone] != 1 {
		t.Errorf("ended as %+v", status)
	}
	if err := w.FailItem(ctx, b.ID, 2); err != nil {
		t.Fatal(err)
	}
	w.wantItem(b, "inv-2", billing.ItemDone, "held until")
}
