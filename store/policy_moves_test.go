package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

func moveOrder(id string) store.Order {
	return store.Order{Actor: "ada", Reason: "slower for them", RequestID: id}
}

// failing opens a case whose first round failed.
func (w *world) failing(invoice string) billing.CaseID {
	w.t.Helper()
	w.invoice(invoice, "acme", 4900)
	id := w.open(invoice)
	step := w.charge(w.review(id), id, declined)
	w.want(step, dunning.DoWait, dunning.StageRetrying)
	return id
}

func TestMoveCasePolicy(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	id := w.failing("inv")
	w.addPolicy(version(t, "standard", 2, "rounds: [0, 4, 7,", "rounds: [0, 1, 9,", "suspend: 30", "suspend: 45"))
	w.now = w.now.Add(2 * day)

	preview, err := w.PreviewMovePolicy(ctx, id, "standard", 0)
	if err != nil || preview.ToVersion != 2 || preview.Move.Refused != "" || len(preview.Move.Next) == 0 {
		t.Fatalf("%+v, %v", preview, err)
	}
	if got := scan[int](w, `select policy_version from cases`); got != 1 {
		t.Errorf("the preview moved the case to version %d", got)
	}
	got, err := w.MoveCasePolicy(ctx, id, "standard", 2, moveOrder("m-1"))
	if err != nil || got.FromVersion != 1 || got.ToVersion != 2 || got.Repeated {
		t.Fatalf("%+v, %v", got, err)
	}
	// Day 1 is past and not made up for: the next round is on day 9.
	step := w.review(id)
	if w.want(step, dunning.DoWait, dunning.StageRetrying); step.At.Sub(noon) < 8*day || step.Then != dunning.DoBeginRound {
		t.Errorf("next is %s at %s", step.Then, step.At)
	}
	for _, sql := range []string{
		`select count(*)::int from audit_log where act = 'policy_moved' and actor = 'ada' and reason = 'slower for them' and request_id = 'm-1'
			and before->>'version' = '1' and after->>'version' = '2' and case_id = 'inv' and invoice_id = 'inv' and account_id = 'acme'`,
		`select count(*)::int from case_events where kind = 'policy_moved'`,
		`select count(*)::int from pokes where case_id = 'inv' and reason = 'policy moved'`,
		`select count(*)::int from policy_moves`,
	} {
		if n := scan[int](w, sql); n != 1 {
			t.Errorf("%d: %s", n, sql)
		}
	}
	again, err := w.MoveCasePolicy(ctx, id, "standard", 2, moveOrder("m-1"))
	if err != nil || !again.Repeated || again.FromVersion != 1 {
		t.Errorf("R2: %+v, %v", again, err)
	}
	_, err = w.MoveCasePolicy(ctx, id, "fast", 1, moveOrder("m-1"))
	refused(t, err, "request_id", "was used for another move")
	same, err := w.MoveCasePolicy(ctx, id, "standard", 2, moveOrder("m-2"))
	if err != nil || !same.Unchanged {
		t.Errorf("to where it is: %+v, %v", same, err)
	}
	if n := scan[int](w, `select count(*)::int from policy_moves`); n != 1 {
		t.Errorf("%d moves are recorded, want 1", n)
	}
	e, err := w.ExplainPolicy(ctx, "inv")
	if err != nil || len(e.Moves) != 1 || e.Moves[0].ToVersion != 2 || e.Version != 2 {
		t.Errorf("explained as %+v, %v", e, err)
	}
}

// TestT1MoveIsRefusedWhenItTakesTime: nobody is brought closer to a suspension than the policy's notices leave, and nothing is half-written.
func TestT1MoveIsRefusedWhenItTakesTime(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme")
	w.invoice("inv", "acme", 4900)
	id := w.open("inv")
	w.review(id)
	move := func(name string) error {
		_, err := w.MoveCasePolicy(ctx, id, name, 0, moveOrder("m-"+name))
		return err
	}
	refused(t, move("demo"), "policy", "counts in days")
	refused(t, move("gentle"), "policy", "there is no policy")
	for step := w.review(id); step.At.Before(noon.Add(13 * day)); step = w.review(id) {
		w.now = step.At
	}
	w.now = noon.Add(13 * day)
	refused(t, move("fast"), "policy", "its final notice would have been on")
	_, err := w.MoveCasePolicy(ctx, "nothing", "fast", 0, moveOrder("m-9"))
	refused(t, err, "case", "there is no case nothing")
	if got := scan[string](w, `select policy || policy_version || (select count(*) from policy_moves) || (select count(*) from case_events where kind = 'policy_moved') from cases`); got != "standard100" {
		t.Errorf("something was written: %s", got)
	}
	amount := money.New(4900, usd)
	if _, err := w.Resolve(ctx, billing.Resolution{Case: id, RequestID: "paid", Actor: "ada", Reason: "cheque", Kind: billing.PaidOutOfBand,
		Amount: &amount, Reference: "CHQ", ReceivedOn: "2026-11-10"}); err != nil {
		t.Fatal(err)
	}
	refused(t, move("fast"), "policy", "the case is finished")
}

// TestMoveMeetsReview: moves, reviews and the same move again, all at once: one move, no round lost and none doubled.
func TestMoveMeetsReview(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	var ids []billing.CaseID
	for i := range 6 {
		ids = append(ids, w.failing(fmt.Sprint("inv-", i)))
	}
	w.addPolicy(version(t, "standard", 2, "rounds: [0, 4, 7,", "rounds: [0, 3, 9,"))
	w.now = w.now.Add(5 * day) // the old policy's second round is due, the new one's past
	for _, id := range ids {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := w.MoveCasePolicy(ctx, id, "standard", 2, moveOrder("move/"+string(id))); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := w.Review(ctx, id); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := scan[string](w, `select policy_version || ' ' || rounds || ' ' || scheduled_rounds || ' ' || (select count(*) from policy_moves m where m.case_id = c.id)
			|| ' ' || (select count(*) from rounds r where r.case_id = c.id) from cases c where id = $1`, id)
		if got != "2 2 2 1 2" {
			t.Errorf("case %s: version, rounds, scheduled, moves, rows = %s, want 2 2 2 1 2", id, got)
		}
	}
}
