package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// debit makes an account's first method a bank account.
func (w *world) debit(account string) {
	w.exec(`update payment_methods set kind = 'us_bank_account', brand = 'bank' where account_id = $1 and position = 1`, account)
}

func (w *world) reverse(attempt billing.AttemptID, reference, code string, minor int64) bool {
	w.t.Helper()
	booked, err := w.RecordReversal(context.Background(), attempt, billing.Reversal{Reference: reference, Code: code, Amount: money.New(minor, usd)})
	if err != nil {
		w.t.Fatal(err)
	}
	return booked
}

func (w *world) owed(invoice string) (state string, minor int64) {
	w.t.Helper()
	return scan[string](w, `select state from invoices where id = $1`, invoice), scan[int64](w, `select total_minor - allocated_minor from invoices where id = $1`, invoice)
}

func (w *world) balance(kind string) int64 {
	w.t.Helper()
	return scan[int64](w, `select coalesce(sum(amount_minor), 0)::bigint from journal_entries where ledger_kind = $1`, kind)
}

func TestU5ReturnReopensWithALinkedCase(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.debit("acme")
	w.invoice("inv-1", "acme", 4900)
	w.credit("c-1", "acme", 900)
	id := w.open("inv-1")
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	attempt := w.lastAttempt()
	w.now = w.now.Add(4 * 24 * time.Hour)

	if !w.reverse(attempt, "du_1", "debit_not_authorized", 4000) {
		t.Fatal("not booked")
	}
	if state, due := w.owed("inv-1"); state != "open" || due != 4000 {
		t.Errorf("the invoice is %s and owes %d, want open and 4000", state, due)
	}
	if got := scan[int64](w, `select remaining_minor from credits`); got != 0 {
		t.Errorf("the credit has %d: it must stay on the invoice", got)
	}
	if got := w.balance("gateway_clearing"); got != 0 {
		t.Errorf("the gateway holds %d", got)
	}
	next := scan[billing.CaseID](w, `select id from cases where finished_at is null`)
	if next != "inv-1/2" || scan[string](w, `select reopens from cases where id = 'inv-1/2'`) != "inv-1" {
		t.Errorf("the new case is %s", next)
	}
	if got := scan[string](w, `select state from payment_methods where id = 'pm-1'`); got != "blocked" {
		t.Errorf("the account that was not authorised is %s", got)
	}
	if got := scan[int](w, `select count(*)::int from notices where kind = 'payment_returned' and channel = 'email' and case_id = 'inv-1/2'`); got != 1 {
		t.Errorf("%d notices by mail, want 1", got)
	}
	if got := scan[string](w, `select case_id from pokes`); got != "inv-1/2" {
		t.Errorf("poked %s", got)
	}
	due, err := w.DueInvoices(context.Background(), store.DueInvoice{}, 10)
	if err != nil || len(due) != 1 {
		t.Errorf("the scan finds %v, %v", due, err)
	}
	// The backup is next, never the method whose money went back.
	step := w.review(next)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	if step.Method != "pm-2" || step.Due.Minor() != 4000 {
		t.Errorf("next is %s on %s", step.Due, step.Method)
	}
	w.want(w.charge(step, next, succeeded), dunning.DoFinish, dunning.StageFinished)
}

func TestU5ReversalIsBookedOnce(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	attempt := w.lastAttempt()
	var wg sync.WaitGroup
	var mu sync.Mutex
	booked := 0
	for range 8 {
		wg.Go(func() {
			ok, err := w.RecordReversal(context.Background(), attempt, billing.Reversal{Reference: "du_1", Code: "fraudulent", Amount: money.New(4900, usd)})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				booked++
			}
		})
	}
	wg.Wait()
	if booked != 1 || w.balance("receivable") != 4900 {
		t.Errorf("booked %d times, receivable %d", booked, w.balance("receivable"))
	}
	if got := scan[int](w, `select count(*)::int from cases`); got != 2 {
		t.Errorf("%d cases, want 2", got)
	}
}

// A26: nobody whose card was disputed is charged again by itself.
func TestA26DisputedCardIsNeverChargedAgain(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	w.reverse(w.lastAttempt(), "du_1", "fraudulent", 4900)
	if step := w.review("inv-1/2"); step.Do == dunning.DoCharge {
		t.Errorf("next is a charge of %s", step.Masked)
	}
	if got := scan[string](w, `select string_agg(kind, ' ') from tasks`); got != "chargeback" {
		t.Errorf("tasks: %s", got)
	}
	if got := scan[string](w, `select state_reason from payment_methods`); got == "" || got == "fraudulent" {
		t.Errorf("the reason shown is %q", got)
	}
}

func TestR01ReturnLeavesTheAccountUsable(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.debit("acme")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	w.reverse(w.lastAttempt(), "du_1", "insufficient_funds", 4900)
	if got := scan[string](w, `select state from payment_methods`); got != "active" {
		t.Errorf("the method is %s", got)
	}
}

// What an attempt brought beyond the invoice goes first; the invoice that stays covered stays paid.
func TestU5ExcessGoesBackBeforeTheInvoiceReopens(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_1", Captured: money.New(5000, usd)})
	attempt := w.lastAttempt()
	w.reverse(attempt, "du_1", "general", 100)
	if state, _ := w.owed("inv-1"); state != "paid" || w.balance("unapplied_funds") != 0 {
		t.Errorf("the invoice is %s, unapplied %d", state, w.balance("unapplied_funds"))
	}
	w.reverse(attempt, "du_2", "general", 1000)
	if state, due := w.owed("inv-1"); state != "open" || due != 1000 {
		t.Errorf("the invoice is %s and owes %d", state, due)
	}
	// Another part while its new case is live: no third case.
	w.reverse(attempt, "du_3", "general", 3900)
	if _, due := w.owed("inv-1"); due != 4900 || scan[int](w, `select count(*)::int from cases`) != 2 {
		t.Errorf("owes %d in %d cases", due, scan[int](w, `select count(*)::int from cases`))
	}
	// More than was ever received is our loss and a person's task, not a broken ledger.
	w.reverse(attempt, "du_4", "general", 500)
	if w.balance("bad_debt") != 500 || scan[int](w, `select count(*)::int from tasks where kind = 'reversal_loss'`) != 1 {
		t.Errorf("lost %d", w.balance("bad_debt"))
	}
}

func TestU5NothingIsTakenBackBeforeItIsBooked(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, pending)
	_, err := w.RecordReversal(context.Background(), w.lastAttempt(), billing.Reversal{Reference: "du_1", Amount: money.New(4900, usd)})
	if err == nil {
		t.Error("a debit that had not settled was taken back")
	}
	if _, err := w.RecordReversal(context.Background(), "nonsense", billing.Reversal{Reference: "du_1", Amount: money.New(4900, usd)}); err == nil {
		t.Error("a reversal of no attempt was booked")
	}
}

func TestU5WonDisputeOfABookedReversalIsATask(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	attempt := w.lastAttempt()
	won := billing.Reversal{Reference: "du_1", Won: true}
	if booked, err := w.RecordReversal(context.Background(), attempt, won); booked || err != nil {
		t.Fatalf("an inquiry was booked: %v %v", booked, err)
	}
	w.reverse(attempt, "du_1", "fraudulent", 4900)
	if _, err := w.RecordReversal(context.Background(), attempt, won); err != nil {
		t.Fatal(err)
	}
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'dispute_won'`); got != 1 {
		t.Errorf("%d tasks", got)
	}
}

func TestB5ReversalChecks(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1")
	w.debit("acme")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	due := func() []store.ReversalCheck {
		t.Helper()
		checks, err := w.DueReversalChecks(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		return checks
	}
	if len(due()) != 0 {
		t.Fatal("a debit is looked at before a return can come")
	}
	w.take(billing.GatewayEvent{ID: "evt_1", Type: "charge.dispute.created", About: billing.EventReversal, Reference: "pi_1"})
	checks := due()
	if len(checks) != 1 || checks[0].Attempt != w.lastAttempt() || checks[0].Reference != "pi_1" {
		t.Fatalf("checks %+v", checks)
	}
	if err := w.ReversalCheckFailed(ctx, checks[0]); err != nil || len(due()) != 0 {
		t.Fatalf("not put off: %v", err)
	}
	w.now = w.now.Add(time.Hour)
	looks := 0
	for ; looks < 10 && scan[int](w, `select count(*)::int from reversal_checks`) > 0; looks++ {
		for _, c := range due() {
			if err := w.ReversalChecked(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(40 * 24 * time.Hour)
	}
	if looks < 2 || looks == 10 {
		t.Errorf("forgotten after %d looks", looks)
	}
}

// TestB5ReconciliationAsksAboutListedReversals: a dispute whose webhook never came is on the gateway's list; the payment is asked about, and
// others that are not ours, not successful or not listed are not.
func TestB5ReconciliationAsksAboutListedReversals(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	w.invoice("inv-2", "acme", 700)
	id := w.open("inv-1")
	w.charge(w.review(id), id, declined) // pi_2
	w.charge(w.review(id), id, succeeded)
	paid := billing.AttemptID(scan[string](w, `select id::text from attempts where state = 'succeeded'`))
	other := w.open("inv-2")
	w.charge(w.review(other), other, billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_3"})
	for range 2 { // every day again
		asked, err := w.AskAboutReversals(ctx, "stripe", []string{"pi_1", "pi_2", "pi_of_others", "pi_1", ""})
		if err != nil || asked != 1 {
			t.Fatalf("asked about %d, %v", asked, err)
		}
	}
	checks, err := w.DueReversalChecks(ctx, 10)
	if err != nil || len(checks) != 1 || checks[0].Attempt != paid {
		t.Errorf("checks %+v %v", checks, err)
	}
	if asked, err := w.AskAboutReversals(ctx, "another", []string{"pi_1"}); err != nil || asked != 0 {
		t.Errorf("of another gateway: %d %v", asked, err)
	}
}
