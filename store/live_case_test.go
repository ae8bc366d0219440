package store_test

import (
	"testing"

	"recoup/dunning"
)

// TestI20OpeningAgainReturnsTheLiveCase: two scans may find one invoice, the first's workflow not started yet or its worker dead. There is
// one case all the same, before its workflow runs and while it does.
func TestI20OpeningAgainReturnsTheLiveCase(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	for _, when := range []string{"not started", "running"} {
		again, err := w.OpenCase(t.Context(), "inv-1")
		if err != nil || again.ID != id || !again.Existing || again.Settled {
			t.Fatalf("%s: opened again: %+v, %v; want the case %s", when, again, err, id)
		}
		if err := w.WorkflowStarted(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if again, err := w.OpenCase(t.Context(), "inv-1"); err != nil || !again.Settled {
		t.Fatalf("a paid invoice: %+v, %v; want it settled", again, err)
	}
	if got := scan[int](w, `select count(*)::int from cases`); got != 1 {
		t.Errorf("%d cases, want 1", got)
	}
}
