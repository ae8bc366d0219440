package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// atSuspension puts n accounts one step before their suspension: every round failed, every notice was delivered, the day has come.
func (w *world) atSuspension(n int) []billing.CaseID {
	w.t.Helper()
	var ids []billing.CaseID
	for i := range n {
		account, invoice := fmt.Sprintf("acc-%02d", i), fmt.Sprintf("inv-%02d", i)
		w.account(account)
		w.invoice(invoice, account, 4900)
		ids = append(ids, w.open(invoice))
	}
	w.exec(`update cases set stage = 'suspension_scheduled', scheduled_rounds = 6`)
	w.exec(`insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, recipient, state, sent_at)
		select gen_random_uuid(), account_id, id, invoice_id, kind, 'x', 'email', 1, 'sent', now()
		from cases, unnest(array['final_notice', 'suspension_scheduled']) kind`)
	w.now = noon.Add(31 * 24 * time.Hour)
	return ids
}

func (w *world) suspend(id billing.CaseID) dunning.Step {
	w.t.Helper()
	step, err := w.Suspend(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return step
}

func (w *world) limitSuspensions(floor int, share float64) {
	w.t.Helper()
	if err := w.LimitSuspensions(context.Background(), floor, share, order("limit")); err != nil {
		w.t.Fatal(err)
	}
}

func TestS4TooManySuspensionsStopThemAll(t *testing.T) {
	w := newWorld(t)
	ids := w.atSuspension(6)
	w.limitSuspensions(3, 0.005)
	for _, id := range ids[:3] {
		w.want(w.suspend(id), dunning.DoWait, dunning.StageSuspended)
	}
	for _, id := range ids[3:5] {
		step := w.suspend(id)
		w.want(step, dunning.DoWait, dunning.StageSuspensionScheduled)
		if !strings.Contains(step.Why, "suspensions are stopped") {
			t.Errorf("put off because of %q", step.Why)
		}
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'suspensions_stopped'`); n != 1 {
		t.Errorf("%d tasks, want one", n)
	}
	w.now = w.now.Add(3 * time.Hour) // an hour without suspensions does not open it: a person does
	w.want(w.suspend(ids[5]), dunning.DoWait, dunning.StageSuspensionScheduled)
	b, err := w.ReadSuspensionBreaker(context.Background())
	if err != nil || b.StoppedSince.IsZero() || b.PutOff != 3 || b.Limit != 3 {
		t.Errorf("status %+v, %v", b, err)
	}

	lifted, woken, err := w.AllowSuspensions(context.Background(), order("allow"))
	if err != nil || !lifted || woken != 3 {
		t.Fatalf("allowed %v, %d woken, %v", lifted, woken, err)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'suspensions_stopped' and closed_at is null`); n != 0 {
		t.Errorf("%d tasks are open", n)
	}
	for _, id := range ids[3:] {
		w.want(w.suspend(id), dunning.DoWait, dunning.StageSuspended)
	}
	if got := scan[string](w, `select string_agg(act, ' ' order by id) from audit_log where act like 'suspensions%'`); got != "suspensions_limited suspensions_allowed" {
		t.Errorf("audit log: %q", got)
	}
}

func TestS4AnOrdinaryDayStopsNothing(t *testing.T) {
	w := newWorld(t)
	ids := w.atSuspension(8)
	w.limitSuspensions(3, 0.005)
	for i, id := range ids {
		if i > 0 {
			w.now = w.now.Add(25 * time.Minute)
		}
		w.want(w.suspend(id), dunning.DoWait, dunning.StageSuspended)
	}
}

func TestS4TheShareOfManyAccountsIsMoreThanTheFloor(t *testing.T) {
	w := newWorld(t)
	ids := w.atSuspension(6)
	w.exec(`insert into accounts (id, name, time_zone, policy) select 'other-' || n, 'x', 'UTC', 'standard' from generate_series(1, 96) n`)
	w.limitSuspensions(1, 0.05) // 5 % of the active: 101 when first counted
	suspended := 0
	for _, id := range ids {
		if w.suspend(id).Stage == dunning.StageSuspended {
			suspended++
		}
	}
	if suspended != 5 {
		t.Errorf("%d were suspended, want 5", suspended)
	}
}

func TestS4NoneSlipsPastTheCount(t *testing.T) {
	w := newWorld(t)
	ids := w.atSuspension(12)
	w.limitSuspensions(4, 0)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			if _, err := w.Suspend(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := scan[int](w, `select count(*)::int from accounts where standing = 'suspended'`); n != 4 {
		t.Errorf("%d accounts are suspended, want 4", n)
	}
}
