package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

func ends(id billing.CaseID, kind billing.ResolutionKind) billing.Resolution {
	return billing.Resolution{Kind: kind, Case: id}
}

func TestWriteOffGivesTheRestUpAndReverseCollectsAgain(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(paid(id, "part", 900))
	w.decide(ends(id, billing.WriteOffInvoice))
	if state, due := w.owed("inv-1"); state != "written_off" || due != 4000 || w.balance("bad_debt") != 4000 || w.balance("receivable") != 0 {
		t.Fatalf("the invoice is %s, bad debt %d, receivable %d", state, w.balance("bad_debt"), w.balance("receivable"))
	}
	w.want(w.review(id), dunning.DoFinish, dunning.StageFinished)
	w.refuses(ends(id, billing.VoidInvoice), "kind", "finished")
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "part"}, "reverses", "written off")

	answer := w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-write_off"})
	if state, due := w.owed("inv-1"); state != "open" || due != 4000 || w.balance("bad_debt") != 0 {
		t.Fatalf("the invoice is %s with %d due", state, due)
	}
	if next := scan[string](w, `select id || ' ' || reopens from cases where finished_at is null`); next != "inv-1/2 inv-1" || !strings.Contains(answer.Next, "inv-1/2") {
		t.Errorf("the live case is %q; %s", next, answer.Next)
	}
	if n := scan[int](w, `select count(*)::int from pokes where case_id = 'inv-1/2'`); n != 1 {
		t.Error("the new case's workflow is not started")
	}
	if got := scan[string](w, `select next_step ->> 'outcome' from cases where id = 'inv-1'`); got != "written_off" {
		t.Errorf("the old case says it ended %s", got)
	}
}

// paidByAll is one whose invoice has something from a credit, an expiring credit, funds and a cheque, and something due.
func paidByAll(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.credit("c-1", "acme", 1000)
	w.credit("c-2", "acme", 500)
	w.exec(`update credits set expires_at = $1 where id = 'c-2'`, w.now.Add(10*day))
	w.deposit("d-1", "acme", 700)
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.decide(paid(id, "cheque", 300))
	w.review(id)
	t.Cleanup(w.sound)
	return w, id
}

func TestCR6VoidGivesEverythingBack(t *testing.T) {
	w, id := paidByAll(t)
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(200)})
	if _, due := w.owed("inv-1"); due != 4900-1000-500-700-300-200 {
		t.Fatalf("%d due", due)
	}
	w.now = w.now.Add(20 * day) // c-2 has expired
	answer := w.decide(ends(id, billing.VoidInvoice))
	for _, words := range []string{"USD 49.00 is void", "USD 17.00 went back to credits", "USD 7.00 of it to credits that have expired", "USD 7.00 went back to advance funds",
		"USD 3.00 is in unapplied funds"} {
		if !strings.Contains(answer.Changed, words) {
			t.Errorf("%q does not say %q", answer.Changed, words)
		}
	}
	if state, _ := w.owed("inv-1"); state != "void" || w.balance("receivable") != 0 || w.balance("revenue") != 0 {
		t.Errorf("the invoice is %s, receivable %d, revenue %d", state, w.balance("receivable"), w.balance("revenue"))
	}
	// What is left of the liabilities is what can still be used: c-1, the deposit, and the cheque to refund.
	if c, d, u := w.balance("credit_liability"), w.balance("advance_funds"), w.balance("unapplied_funds"); c != -1000 || d != -700 || u != -300 {
		t.Errorf("credits %d, funds %d, unapplied %d", c, d, u)
	}
	if w.openTasks("refund") != 1 {
		t.Error("nobody is asked to refund the cheque")
	}
	// The goodwill was for this invoice: it pays no other.
	w.invoice("inv-2", "acme", 5000)
	w.exec(`update invoices set collect_at = $1 where id = 'inv-2'`, w.now)
	w.review(w.open("inv-2"))
	if _, due := w.owed("inv-2"); due != 5000-1000-700 {
		t.Errorf("the next invoice has %d due", due)
	}
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-void"}, "reverses", "issue a new invoice")
}

// sentAttempt is one whose first charge is on its way.
func sentAttempt(t *testing.T) (*world, billing.CaseID, *store.Charge) {
	t.Helper()
	w, id := one(t)
	step := w.review(id)
	c, _, err := w.BeginAttempt(context.Background(), id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(context.Background(), c.Attempt, window); err != nil {
		t.Fatal(err)
	}
	return w, id, c
}

func (w *world) answered(id billing.CaseID, c *store.Charge, a billing.Answer) dunning.Step {
	w.t.Helper()
	if a.State == billing.AttemptSucceeded {
		a.Captured = c.Amount
	}
	step, err := w.RecordAnswer(context.Background(), id, c.Attempt, a)
	if err != nil {
		w.t.Fatal(err)
	}
	return step
}

func TestEndWaitsForAnOpenAttempt(t *testing.T) {
	for _, k := range []struct {
		kind    billing.ResolutionKind
		answer  billing.Answer
		invoice string
		state   string
		refund  int
	}{
		{billing.WriteOffInvoice, declined, "written_off", "done", 0},
		{billing.WriteOffInvoice, succeeded, "paid", "withdrawn", 0},
		{billing.VoidInvoice, declined, "void", "done", 0},
		{billing.VoidInvoice, succeeded, "void", "done", 1}, // U4: the money that came is given back
	} {
		t.Run(string(k.kind)+" "+string(k.answer.State), func(t *testing.T) {
			w, id, c := sentAttempt(t)
			answer := w.decide(ends(id, k.kind))
			if answer.State != billing.ResolutionWaiting || w.stateOf("r-"+string(k.kind)) != "waiting" {
				t.Fatalf("%+v", answer)
			}
			if state, _ := w.owed("inv-1"); state != "open" {
				t.Fatalf("U2: the invoice is %s while the attempt is open", state)
			}
			w.refuses(ends(id, billing.WriteOffInvoice), "kind", "decided already")
			w.refuses(disputed(id, 100), "kind", "end the case")
			w.credit("c-1", "acme", 100)
			w.review(id)
			if scan[int](w, `select count(*)::int from credit_applications`) != 0 {
				t.Error("a credit was spent on an invoice that ends")
			}
			step := w.answered(id, c, k.answer)
			w.want(step, dunning.DoFinish, dunning.StageFinished)
			if state, _ := w.owed("inv-1"); state != k.invoice || w.stateOf("r-"+string(k.kind)) != k.state || w.openTasks("refund") != k.refund {
				t.Errorf("the invoice is %s, the decision %s, %d refunds", state, w.stateOf("r-"+string(k.kind)), w.openTasks("refund"))
			}
			if n := scan[int](w, `select count(*)::int from attempts`); n != 1 {
				t.Errorf("%d attempts: another method was tried", n)
			}
		})
	}
}

func TestEndWaitingIsWithdrawn(t *testing.T) {
	w, id, c := sentAttempt(t)
	w.decide(ends(id, billing.VoidInvoice))
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-void"})
	if step := w.answered(id, c, declined); step.Do != dunning.DoCharge {
		t.Errorf("next is %s: the round should go on", step.Do)
	}
	if w.stateOf("r-void") != "withdrawn" {
		t.Errorf("the void is %s", w.stateOf("r-void"))
	}
}

// Not sent yet: nothing to wait for, and the sender finds it ended.
func TestEndGivesAnIntentUp(t *testing.T) {
	w, id := one(t)
	step := w.review(id)
	c, _, err := w.BeginAttempt(context.Background(), id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	w.decide(ends(id, billing.VoidInvoice))
	if state, _ := w.owed("inv-1"); state != "void" {
		t.Errorf("the invoice is %s", state)
	}
	if err := w.MarkSent(context.Background(), c.Attempt, window); err == nil {
		t.Error("PM6: it was sent all the same")
	}
	// It was sent once before and "not processed": what comes of that send after all is not lost (U4).
	w2, id2, c2 := sentAttempt(t)
	w2.answered(id2, c2, throttled)
	w2.decide(ends(id2, billing.WriteOffInvoice))
	w2.answered(id2, c2, succeeded)
	if state, _ := w2.owed("inv-1"); state != "written_off" || w2.balance("unapplied_funds") != -4900 || w2.openTasks("refund") != 1 {
		t.Errorf("U4: the invoice is %s, unapplied %d", state, w2.balance("unapplied_funds"))
	}
}

// A send that was never answered is looked up, not sent again, once the case is to end.
func TestEndLooksUpInsteadOfSendingAgain(t *testing.T) {
	w, id, c := sentAttempt(t)
	w.decide(ends(id, billing.WriteOffInvoice))
	again, step, err := w.BeginAttempt(context.Background(), id, "pm-1", window)
	if err != nil || again != nil || step.Do != dunning.DoWait || step.Then != dunning.DoLookUp {
		t.Fatalf("%+v %+v %v, want a look-up", again, step, err)
	}
	w.answered(id, c, billing.Answer{State: billing.AttemptNotSent, Message: "no such payment"})
	if again, _, err = w.BeginAttempt(context.Background(), id, "pm-1", window); err != nil || again != nil {
		t.Errorf("sent again: %+v %v", again, err)
	}
	w.now = w.now.Add(time.Hour)
	if _, _, err = w.BeginAttempt(context.Background(), id, "pm-1", window); err != nil {
		t.Fatal(err)
	}
	if state, _ := w.owed("inv-1"); state != "written_off" {
		t.Errorf("the invoice is %s", state)
	}
}

func TestS1EndOfTheLastBlockingInvoiceReinstates(t *testing.T) {
	w, id := declinedOnce(t)
	w.suspendedFor(id)
	w.decide(ends(id, billing.WriteOffInvoice))
	if w.standing() != "active 2" {
		t.Errorf("the account is %s", w.standing())
	}
}

func TestEndTakesPromiseAndDisputeWithIt(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(promised(id, w.now.Add(5*day), 1000))
	w.decide(disputed(id, 1000))
	w.decide(ends(id, billing.VoidInvoice))
	if got := scan[string](w, `select outcome from disputes`); w.promise() != "withdrawn" || got != "settled" || w.openTasks("dispute")+w.openTasks("disputed_and_paid") != 0 {
		t.Errorf("the promise is %s, the dispute %s", w.promise(), got)
	}
}

func TestReversePaymentReopensWithALinkedCase(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(paid(id, "cheque", 5000))
	if w.balance("unapplied_funds") != -100 || w.openTasks("refund") != 1 {
		t.Fatal("the excess is not there")
	}
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "cheque"})
	if state, due := w.owed("inv-1"); state != "open" || due != 4900 || w.balance("bank") != 0 || w.balance("unapplied_funds") != 0 || w.openTasks("refund") != 0 {
		t.Errorf("the invoice is %s with %d due, the bank has %d", state, due, w.balance("bank"))
	}
	if scan[string](w, `select reopens from cases where finished_at is null`) != "inv-1" {
		t.Error("no linked case")
	}
	// Noted again under another id, at the new case.
	w.decide(paid("inv-1/2", "cheque-2", 4900))
	if state, _ := w.owed("inv-1"); state != "paid" {
		t.Errorf("the invoice is %s", state)
	}
}

func TestReversePaymentWhoseExcessIsGone(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(paid(id, "cheque", 5000))
	refund := billing.UnappliedRefunded("acme", "", money.New(100, usd))
	w.exec(`with t as (insert into journal_transactions (kind, key, account_id) values ('unapplied_refunded', 'refund/1', 'acme') returning id)
		insert into journal_entries (transaction_id, ledger_kind, ledger_account, account_id, amount_minor, currency)
		select id, 'unapplied_funds', 'unapplied_funds:acme', 'acme', $1::bigint, 'USD' from t union all select id, 'bank', 'bank', 'acme', $2::bigint, 'USD' from t`,
		refund.Entries[0].Amount.Minor(), refund.Entries[1].Amount.Minor())
	w.refuses(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "cheque"}, "reverses", "only USD 0.00 is left")
}

func TestGrantCreditIsOnTheInvoiceAtOnce(t *testing.T) {
	w, id := declinedOnce(t)
	w.refuses(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(4901)}, "amount", "only")
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(4900)})
	if state, _ := w.owed("inv-1"); state != "paid" || w.told("receipt") != 1 {
		t.Errorf("the invoice is %s", state)
	}
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-grant_credit"})
	if state, due := w.owed("inv-1"); state != "open" || due != 4900 || w.balance("credit_liability") != 0 || w.balance("promotion_expense") != 0 {
		t.Errorf("taken back: the invoice is %s with %d due, liability %d", state, due, w.balance("credit_liability"))
	}
}

// U4: the charge on its way has its own amount, so goodwill waits for it.
func TestGrantCreditDuringAnAttempt(t *testing.T) {
	w, id, c := sentAttempt(t)
	a := w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(1000)})
	if !strings.Contains(a.Changed, "when the open attempt has ended") {
		t.Errorf("says %q", a.Changed)
	}
	if step := w.answered(id, c, declined); step.Charges().Minor() != 3900 {
		t.Errorf("then %s is charged, want 39.00", step.Charges())
	}
	w2, id2, c2 := sentAttempt(t)
	w2.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id2, Amount: dollars(1000)})
	w2.answered(id2, c2, succeeded)
	if state, _ := w2.owed("inv-1"); state != "paid" || w2.balance("unapplied_funds") != 0 {
		t.Errorf("the invoice is %s, unapplied %d", state, w2.balance("unapplied_funds"))
	}
}

func TestAHoldOfAFinishedCaseIsNotReleased(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.Add(7 * day)})
	w.decide(billing.Resolution{Kind: billing.PaidOutOfBand, Case: id, Amount: dollars(4900), Reference: "CHQ 1", ReceivedOn: "2026-11-02"})
	w.refuses(billing.Resolution{Kind: billing.Release, Case: id}, "kind", "the case is finished")
}
