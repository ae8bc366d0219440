package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"recoup/audit"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// one is an account with one invoice of 49.00 whose first of two methods is charged next.
func one(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.review(id)
	t.Cleanup(w.sound)
	return w, id
}

// declinedOnce is one after a round that both methods declined.
func declinedOnce(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w, id := one(t)
	w.charge(w.charge(w.review(id), id, declined), id, declined)
	return w, id
}

// sound runs the audit: whatever was decided, every invariant holds.
func (w *world) sound() {
	w.t.Helper()
	if w.t.Failed() {
		return
	}
	report, err := audit.Run(context.Background(), w.Pool(), audit.Options{Now: w.now, Grace: 400 * day})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range report.Broken() {
		for _, b := range i.Breaches {
			w.t.Errorf("%s: %s %s %s", i.ID, b.Kind, b.ID, b.Says)
		}
	}
}

// decide resolves as ada, or as whoever the decision names.
func (w *world) decide(r billing.Resolution) billing.ResolutionAnswer {
	w.t.Helper()
	answer, err := w.Resolve(context.Background(), signed(r))
	if err != nil {
		w.t.Fatalf("%s: %v", r.Kind, err)
	}
	return answer
}

func signed(r billing.Resolution) billing.Resolution {
	if r.Actor == "" {
		r.Actor = "ada"
	}
	if r.Reason == "" {
		r.Reason = "as agreed"
	}
	if r.RequestID == "" {
		r.RequestID = "r-" + string(r.Kind)
	}
	return r
}

// refuses wants a decision refused, at a field and with these words, and nothing written.
func (w *world) refuses(r billing.Resolution, field, words string) {
	w.t.Helper()
	const written = `select (select count(*) from resolutions) + (select count(*) from case_events) + (select count(*) from audit_log)
		+ (select count(*) from journal_entries)`
	if r.RequestID == "" {
		r.RequestID = "refused"
	}
	before := scan[int](w, written)
	_, err := w.Resolve(context.Background(), signed(r))
	var refusal *billing.Refusal
	if !errors.As(err, &refusal) || refusal.Field != field || !strings.Contains(refusal.Message, words) {
		w.t.Errorf("%s: %v, want a refusal of %s with %q", r.Kind, err, field, words)
	}
	if after := scan[int](w, written); after != before {
		w.t.Errorf("%s: refused, and %d rows were written", r.Kind, after-before)
	}
}

func dollars(minor int64) *money.Amount { return ptr(money.New(minor, usd)) }

func (w *world) stateOf(request string) string {
	w.t.Helper()
	return scan[string](w, `select state from resolutions where request_id = $1`, request)
}

// shifted is by how many whole days the stage clock has moved.
func (w *world) shifted() float64 {
	w.t.Helper()
	return scan[float64](w, `select max(clock_shift_seconds)::float8 / 86400 from cases`)
}

func TestI16DecisionsKeepHowThingsStoodBeforeAndAfter(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(billing.Resolution{Kind: billing.WriteOffInvoice, Case: id})
	const query = `select (before #>> '{invoice,state}') || ' ' || (before #>> '{case,stage}') || ' > ' || (after #>> '{invoice,state}') || ' '
		|| (after #>> '{case,stage}') || ', ' || actor || ': ' || reason from audit_log where request_id = 'r-write_off'`
	if got, want := scan[string](w, query), "open retrying > written_off finished, ada: as agreed"; got != want {
		t.Errorf("audit log says %q, want %q", got, want)
	}
}

func TestR2SecondPersonAboveThePolicysSum(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.invoice("inv-1", "acme", 100001)
	id := w.open("inv-1")
	t.Cleanup(w.sound)
	write := billing.Resolution{Kind: billing.WriteOffInvoice, Case: id}
	answer := w.decide(write)
	if answer.State != billing.ResolutionProposed || !strings.Contains(answer.Changed, "1000.01") || w.openTasks("second_person") != 1 {
		t.Fatalf("answer %+v with %d tasks, want it proposed", answer, w.openTasks("second_person"))
	}
	if state, due := w.owed("inv-1"); state != "open" || due != 100001 {
		t.Fatalf("the invoice is %s with %d due before anybody confirmed", state, due)
	}
	confirm := billing.Resolution{RequestID: "c-1", Kind: billing.WriteOffInvoice, Case: id, Confirms: "r-write_off"}
	w.refuses(confirm, "actor", "somebody else")
	confirm.Actor = " ADA "
	w.refuses(confirm, "actor", "somebody else")
	confirm.Actor, confirm.Kind = "bob", billing.VoidInvoice
	w.refuses(confirm, "kind", "is about write_off")
	confirm.Kind = billing.WriteOffInvoice
	if answer := w.decide(confirm); answer.State != billing.ResolutionDone {
		t.Errorf("confirmed: %+v", answer)
	}
	if state, _ := w.owed("inv-1"); state != "written_off" || w.stateOf("r-write_off") != "done" || w.openTasks("second_person") != 0 {
		t.Errorf("the invoice is %s, the proposal %s", state, w.stateOf("r-write_off"))
	}
	if again := w.decide(write); !again.Repeated || again.State != billing.ResolutionProposed {
		t.Errorf("asked again: %+v, want the first answer", again)
	}
	confirm.RequestID, confirm.Actor = "c-2", "cleo"
	w.refuses(confirm, "confirms", "is done")
}

func TestR2WhatCantBeDoneIsNotProposed(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.invoice("inv-1", "acme", 200000)
	id := w.open("inv-1")
	w.refuses(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(200001)}, "amount", "only")
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(150000)})
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-grant_credit"})
	if w.stateOf("r-grant_credit") != "withdrawn" || w.openTasks("second_person") != 0 {
		t.Errorf("the proposal is %s", w.stateOf("r-grant_credit"))
	}
	w.refuses(billing.Resolution{RequestID: "c-1", Actor: "bob", Kind: billing.GrantCredit, Case: id, Confirms: "r-grant_credit"}, "confirms", "withdrawn")
}

func TestR2PaymentAboveTheSumIsBookedWhenConfirmed(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.invoice("inv-1", "acme", 150000)
	id := w.open("inv-1")
	t.Cleanup(w.sound)
	w.decide(billing.Resolution{Kind: billing.PaidOutOfBand, Case: id, Amount: dollars(150000), Reference: "W", ReceivedOn: "2026-11-01"})
	if w.balance("bank") != 0 {
		t.Fatal("booked without a second person")
	}
	w.decide(billing.Resolution{RequestID: "c-1", Actor: "bob", Kind: billing.PaidOutOfBand, Case: id, Confirms: "r-paid_out_of_band"})
	if state, _ := w.owed("inv-1"); state != "paid" || w.balance("bank") != 150000 {
		t.Errorf("the invoice is %s, the bank has %d", state, w.balance("bank"))
	}
	// Taking it back is as large a sum.
	if a := w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "c-1"}); a.State != billing.ResolutionProposed {
		t.Errorf("reversed by one person: %+v", a)
	}
	a := w.decide(billing.Resolution{RequestID: "c-2", Actor: "bob", Kind: billing.Reverse, Case: id, Confirms: "r-reverse"})
	if state, due := w.owed("inv-1"); state != "open" || due != 150000 || w.stateOf("r-paid_out_of_band") != "reversed" {
		t.Errorf("%+v: the invoice is %s with %d due", a, state, due)
	}
}

func TestR2ADecisionOfAnotherCaseIsNotThere(t *testing.T) {
	w, id := declinedOnce(t)
	w.account("other")
	w.invoice("inv-2", "other", 4900)
	other := w.open("inv-2")
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(100)})
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: other, Reverses: "r-grant_credit"}, "reverses", "there is no decision")
	w.refuses(billing.Resolution{Kind: billing.Reverse, Account: "acme", Reverses: "r-grant_credit"}, "reverses", "there is no decision")
}

func TestExtendMovesTheStageClockNeverTheDueDate(t *testing.T) {
	w, id := declinedOnce(t)
	due := scan[time.Time](w, `select due_at from invoices`)
	next := w.review(id)
	w.refuses(billing.Resolution{Kind: billing.Extend, Case: id, Until: next.At.Add(-time.Hour)}, "until", "not before")
	w.refuses(billing.Resolution{Kind: billing.Extend, Case: id, Until: next.At.Add(31 * day)}, "until", "30 days")
	until := next.At.Add(5 * day)
	answer := w.decide(billing.Resolution{Kind: billing.Extend, Case: id, Until: until})
	if got := w.review(id).At; !got.Equal(until) {
		t.Errorf("%s: the next step is at %s, want %s", answer.Changed, got, until)
	}
	if got := scan[time.Time](w, `select due_at from invoices`); !got.Equal(due) {
		t.Errorf("T1: the due date moved to %s", got)
	}
	w.refuses(billing.Resolution{RequestID: "again", Kind: billing.Extend, Case: id, Until: until.Add(26 * day)}, "until", "30 days")
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-extend"})
	if got := w.review(id).At; !got.Equal(next.At) {
		t.Errorf("taken back: the next step is at %s, want %s", got, next.At)
	}
	w.refuses(billing.Resolution{RequestID: "again", Kind: billing.Reverse, Case: id, Reverses: "r-extend"}, "reverses", "reversed already")
}

func TestReverseSaysWhatToDoInstead(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.Add(2 * day)})
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-hold"}, "reverses", "release the case")
	w.decide(billing.Resolution{Kind: billing.Release, Case: id})
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-release"}, "reverses", "on hold")
	w.decide(billing.Resolution{Kind: billing.SuspendNow, Case: id})
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-suspend_now"}, "reverses", "reinstate")
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "no-such"}, "reverses", "there is no decision")
	if got := w.review(id); got.Stage != dunning.StageRetrying {
		t.Errorf("the case is %s", got.Stage)
	}
}
