package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// overpaid is an invoice that more was paid for than was due: 700 wait for a refund.
func overpaid(t *testing.T) (*world, store.TaskView) {
	t.Helper()
	w := newWorld(t)
	w.account("a", "pm-1")
	w.invoice("inv", "a", 4900)
	ctx := context.Background()
	c, err := w.OpenCase(ctx, "inv")
	if err != nil {
		t.Fatal(err)
	}
	amount := money.New(5600, usd)
	if _, err := w.Resolve(ctx, billing.Resolution{RequestID: "r-1", Kind: billing.PaidOutOfBand, Case: c.ID, Actor: "ada", Reason: "cheque",
		Amount: &amount, Reference: "CHQ 1", ReceivedOn: "2026-11-01"}); err != nil {
		t.Fatal(err)
	}
	tasks, err := w.ListTasks(ctx, store.TaskRefund, "a")
	if err != nil || len(tasks) != 1 {
		t.Fatalf("%+v %v", tasks, err)
	}
	return w, tasks[0]
}

func (w *world) unapplied() int64 {
	w.t.Helper()
	return scan[int64](w, `select coalesce(-sum(amount_minor), 0)::bigint from journal_entries where ledger_kind = 'unapplied_funds'`)
}

func done(task, request string) store.TaskEnd {
	return store.TaskEnd{Task: task, Order: store.Order{Actor: "fin", Reason: "sent back", RequestID: request}, Reference: "wire 7"}
}

func TestU4RefundIsBookedOnce(t *testing.T) {
	w, task := overpaid(t)
	if got := w.unapplied(); got != 700 {
		t.Fatalf("unapplied %d", got)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for _, request := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			closed, err := w.CloseTask(context.Background(), done(task.ID, request))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if closed {
				fresh++
			}
		})
	}
	wg.Wait()
	if got := w.unapplied(); fresh != 1 || got != 0 {
		t.Errorf("closed %d times, %d left in unapplied funds", fresh, got)
	}
	if n := scan[int](w, `select count(*) from audit_log where act = 'close_task' and actor = 'fin' and after->>'reference' = 'wire 7'`); n != 1 {
		t.Errorf("%d entries in the audit log", n)
	}
}

func TestATaskIsNotDoneByWordAlone(t *testing.T) {
	w, task := overpaid(t)
	refused := func(what, field string, in store.TaskEnd) {
		t.Helper()
		_, err := w.CloseTask(context.Background(), in)
		var refusal *billing.Refusal
		if !errors.As(err, &refusal) || refusal.Field != field {
			t.Errorf("%s: %v", what, err)
		}
	}
	in := done(task.ID, "r")
	in.Reference = " "
	refused("a refund without a reference", "reference", in)
	refused("no such task", "task", done("018f0000-0000-7000-8000-000000000000", "r"))
	refused("no id", "task", done("x", "r"))
	in = done(task.ID, "r")
	in.Actor = ""
	refused("nobody", "actor", in)
	w.exec(`update tasks set kind = 'outcome_unknown'`)
	refused("a verdict", "task", done(task.ID, "r"))
	w.exec(`update tasks set kind = 'refund', detail = '{"amount": {"minor": 900, "currency": "USD"}}'`)
	if _, err := w.CloseTask(context.Background(), done(task.ID, "r")); err == nil || !strings.Contains(err.Error(), "less than") {
		t.Errorf("more than there is: %v", err)
	}
	if w.unapplied() != 700 || scan[int](w, `select count(*) from tasks where closed_at is not null`) != 0 {
		t.Error("a refused end changed something")
	}
}
