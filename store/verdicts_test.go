package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// stuck is a case whose attempt on the first of two methods has been unknown for a day, with its task.
func stuck(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, unknown)
	w.now = w.now.Add(25 * time.Hour)
	if _, err := w.RecordAnswer(context.Background(), id, w.lastAttempt(), unknown); err != nil {
		t.Fatal(err)
	}
	if w.openTasks("outcome_unknown") != 1 {
		t.Fatal("no person was asked")
	}
	return w, id
}

func (w *world) openTasks(kind string) int {
	w.t.Helper()
	return scan[int](w, `select count(*)::int from tasks where kind = $1 and closed_at is null`, kind)
}

func judge(request string, id billing.CaseID, v billing.Verdict) billing.Resolution {
	r := billing.Resolution{RequestID: request, Kind: billing.ResolveUnknown, Case: id, Actor: "ada", Reason: "looked it up", Verdict: v}
	if v == billing.Captured {
		r.Reference = "pi_found"
	} else {
		r.Evidence = "the gateway's support says so, ticket 17"
	}
	return r
}

func (w *world) refused(r billing.Resolution, code billing.RefusalCode) {
	w.t.Helper()
	_, err := w.Resolve(context.Background(), r)
	var refusal *billing.Refusal
	if !errors.As(err, &refusal) || refusal.Code != code {
		w.t.Errorf("%s: %v, want a refusal %s", r.RequestID, err, code)
	}
}

func TestU1PersonFindsTheMoney(t *testing.T) {
	w, id := stuck(t)
	answer, err := w.Resolve(context.Background(), judge("r-1", id, billing.Captured))
	if err != nil {
		t.Fatal(err)
	}
	if state, due := w.owed("inv-1"); state != "paid" || due != 0 {
		t.Errorf("%s: the invoice is %s and owes %d", answer.Changed, state, due)
	}
	if w.openTasks("outcome_unknown") != 0 {
		t.Error("the task is still open")
	}
	if again, err := w.Resolve(context.Background(), judge("r-1", id, billing.Captured)); err != nil || !again.Repeated {
		t.Errorf("again: %+v %v", again, err)
	}
	// The gateway's own word comes after all: nothing is booked twice.
	if _, err := w.RecordAnswer(context.Background(), id, w.lastAttempt(), billing.Answer{State: billing.AttemptSucceeded, Captured: money.New(4900, usd), Reference: "pi_found"}); err != nil {
		t.Fatal(err)
	}
	if w.balance("gateway_clearing") != 4900 {
		t.Errorf("booked %d", w.balance("gateway_clearing"))
	}
}

func TestU1PersonProvesTheNegative(t *testing.T) {
	w, id := stuck(t)
	if _, err := w.Resolve(context.Background(), judge("r-1", id, billing.NotCaptured)); err != nil {
		t.Fatal(err)
	}
	step := w.review(id)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	w.want(w.charge(step, id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int](w, `select count(*)::int from attempts`); got != 2 {
		t.Errorf("%d attempts, want a new one with a key of its own", got)
	}
	// U4: the verdict was wrong. What the first attempt took is booked and refunded, never dropped.
	first := scan[billing.AttemptID](w, `select id::text from attempts order by created_at, id limit 1`)
	for range 2 { // a look-up and a webhook tell the same (I2)
		if _, err := w.RecordAnswer(context.Background(), id, first, billing.Answer{State: billing.AttemptSucceeded, Captured: money.New(4900, usd), Reference: "pi_9"}); err != nil {
			t.Fatal(err)
		}
	}
	if w.balance("unapplied_funds") != -4900 || w.openTasks("refund") != 1 {
		t.Errorf("unapplied %d, %d refund tasks", w.balance("unapplied_funds"), w.openTasks("refund"))
	}
}

func TestU1VerdictsAreRefused(t *testing.T) {
	w, id := stuck(t)
	for field, change := range map[string]func(*billing.Resolution){
		"verdict":   func(r *billing.Resolution) { r.Verdict = "perhaps" },
		"reference": func(r *billing.Resolution) { r.Reference = " " },
		"evidence":  func(r *billing.Resolution) { r.Verdict = billing.NotCaptured },
		"amount":    func(r *billing.Resolution) { zero := money.Zero(usd); r.Amount = &zero },
	} {
		r := judge("r-"+field, id, billing.Captured)
		change(&r)
		w.refused(r, billing.RefusedInvalid)
	}
	if w.openTasks("outcome_unknown") != 1 {
		t.Error("a refused verdict closed the task")
	}
	w.invoice("inv-2", "acme", 700)
	second := w.open("inv-2")
	w.refused(judge("r-none", second, billing.Captured), billing.RefusedNotNow)
	step := w.charge(w.review(second), second, billing.Answer{State: billing.AttemptUnknown, Reference: "pi_found"})
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	w.refused(judge("r-early", second, billing.NotCaptured), billing.RefusedNotNow)
	w.refused(judge("r-taken", id, billing.Captured), billing.RefusedConflict)
}

func TestU3PendingIsNoPersonsToJudgeBeforeItsDeadline(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.debit("acme")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, pending)
	w.refused(judge("r-1", id, billing.Captured), billing.RefusedNotNow)
	w.now = w.now.Add(11 * 24 * time.Hour)
	if _, err := w.RecordAnswer(context.Background(), id, w.lastAttempt(), pending); err != nil {
		t.Fatal(err)
	}
	if w.openTasks("settlement_overdue") != 1 {
		t.Error("no person was asked")
	}
	if _, err := w.Resolve(context.Background(), judge("r-2", id, billing.NotCaptured)); err != nil {
		t.Fatal(err)
	}
	if got := scan[string](w, `select state from attempts order by created_at limit 1`); got != "declined" || w.openTasks("settlement_overdue") != 0 {
		t.Errorf("the attempt is %s", got)
	}
}

// The task goes when the gateway answers by itself: nobody is asked what is known.
func TestU1TaskIsClosedByTheAnswer(t *testing.T) {
	w, id := stuck(t)
	if _, err := w.RecordAnswer(context.Background(), id, w.lastAttempt(), declined); err != nil {
		t.Fatal(err)
	}
	if w.openTasks("outcome_unknown") != 0 {
		t.Error("the task is still open")
	}
}
