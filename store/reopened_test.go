package store_test

import (
	"context"
	"testing"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// I20: a case reopened the invoice; money that is noted at the earlier one ends the live one and tells its workflow.
func TestI20MoneyByWayOfAnEarlierCaseEndsTheLiveOne(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	first := w.open("inv-1")
	w.want(w.charge(w.review(first), first, succeeded), dunning.DoFinish, dunning.StageFinished)
	if !w.reverse(w.lastAttempt(), "du_1", "fraudulent", 4900) {
		t.Fatal("not booked")
	}
	live := scan[string](w, `select id from cases where finished_at is null`)
	w.exec(`delete from pokes`)
	if _, err := w.Resolve(context.Background(), billing.Resolution{RequestID: "r-1", Kind: billing.PaidOutOfBand, Case: first, Actor: "ada",
		Reason: "cheque", Amount: ptr(money.New(4900, usd)), Reference: "CHQ 7", ReceivedOn: "2026-11-02"}); err != nil {
		t.Fatal(err)
	}
	if got := scan[string](w, `select stage || ' ' || outcome from cases where id = $1`, live); got != "finished paid" {
		t.Errorf("the live case is %q", got)
	}
	if n := scan[int](w, `select count(*)::int from pokes where case_id = $1`, live); n != 1 {
		t.Errorf("%d pokes for its workflow, want 1", n)
	}
	w.want(w.review(billing.CaseID(live)), dunning.DoFinish, dunning.StageFinished)
}
