package store_test

import (
	"context"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

func amountIn(t *testing.T, code string, minor int64) *money.Amount {
	t.Helper()
	return ptr(money.New(minor, money.MustCurrency(code)))
}

func disputed(id billing.CaseID, minor int64) billing.Resolution {
	return billing.Resolution{Kind: billing.Dispute, Case: id, Amount: dollars(minor), Claim: "the second server was never ordered"}
}

func TestDisputeHoldsItsPartAndTheRestIsCharged(t *testing.T) {
	w, id := one(t)
	w.refuses(disputed(id, 4901), "amount", "only")
	w.decide(disputed(id, 2000))
	step := w.review(id)
	if step.Do != dunning.DoCharge || step.Charges().Minor() != 2900 || step.Due.Minor() != 4900 {
		t.Fatalf("next is %s of %s of %s", step.Do, step.Charges(), step.Due)
	}
	w.refuses(disputed(id, 100), "kind", "disputed already")
	step = w.charge(step, id, succeeded)
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	if state, due := w.owed("inv-1"); state != "open" || due != 2000 || !step.At.IsZero() || w.openTasks("dispute") != 1 {
		t.Errorf("the invoice is %s with %d due, waits until %s", state, due, step.At)
	}
	w.refuses(billing.Resolution{Kind: billing.RetryNow, Case: id}, "kind", "disputed")
	w.now = w.now.Add(40 * day)
	w.want(w.review(id), dunning.DoWait, dunning.StageCollecting)

	w.decide(billing.Resolution{Kind: billing.EndDispute, Case: id, Outcome: billing.DisputeRejected})
	if w.shifted() != 40 || w.openTasks("dispute") != 0 {
		t.Errorf("T1: the clock moved by %v days, want 40", w.shifted())
	}
	w.now = w.review(id).At
	step = w.review(id)
	if step.Do != dunning.DoCharge || step.Charges().Minor() != 2000 {
		t.Errorf("next is %s of %s (%s)", step.Do, step.Charges(), step.Why)
	}
}

func TestDisputeUpheldIsCreditedToThisInvoice(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(disputed(id, 4900))
	w.want(w.review(id), dunning.DoWait, dunning.StageRetrying)
	w.decide(billing.Resolution{Kind: billing.EndDispute, Case: id, Outcome: billing.DisputeUpheld})
	if state, _ := w.owed("inv-1"); state != "paid" || w.balance("credit_liability") != 0 || w.balance("promotion_expense") != 4900 {
		t.Errorf("the invoice is %s, credits owe %d", state, w.balance("credit_liability"))
	}
	w.decide(billing.Resolution{Kind: billing.Reverse, Case: id, Reverses: "r-end_dispute"})
	if state, due := w.owed("inv-1"); state != "open" || due != 4900 || scan[int](w, `select count(*)::int from cases`) != 2 {
		t.Errorf("taken back: the invoice is %s with %d due", state, due)
	}
}

func TestDisputeLeavesBalancesForTheRest(t *testing.T) {
	w, id := one(t)
	w.decide(disputed(id, 4000))
	w.credit("c-1", "acme", 500)
	w.deposit("d-1", "acme", 5000)
	w.review(id)
	if state, due := w.owed("inv-1"); state != "open" || due != 4000 {
		t.Errorf("the invoice is %s with %d due, want what is disputed", state, due)
	}
	if left := scan[int64](w, `select remaining_minor from deposits`); left != 4600 {
		t.Errorf("%d of the deposit left", left)
	}
	// The next invoice is not kept waiting by what is disputed of the older one (AF4).
	w.invoice("inv-2", "acme", 3000)
	w.exec(`update invoices set due_at = due_at + interval '1 hour' where id = 'inv-2'`)
	w.review(w.open("inv-2"))
	if state, due := w.owed("inv-2"); state != "paid" {
		t.Errorf("the second invoice is %s with %d due", state, due)
	}
}

func TestS1DisputedInvoiceDoesNotBlock(t *testing.T) {
	w, id := declinedOnce(t)
	w.suspendedFor(id)
	w.decide(disputed(id, 100))
	if got := w.standing(); got != "active 2" {
		t.Errorf("the account is %s, want it reinstated", got)
	}
}

// suspendedFor plays a case to the suspension of its account, without the weeks between.
func (w *world) suspendedFor(id billing.CaseID) {
	w.t.Helper()
	ctx := context.Background()
	w.exec(`update payment_methods set state = 'disabled'`)
	for range 40 {
		step := w.review(id)
		var err error
		switch step.Do {
		case dunning.DoFinalNotice:
			_, err = w.FinalNotice(ctx, id)
		case dunning.DoScheduleSuspension:
			_, err = w.ScheduleSuspension(ctx, id)
		case dunning.DoSuspend:
			_, err = w.Suspend(ctx, id)
		case dunning.DoWait:
			if step.Stage == dunning.StageSuspended {
				return
			}
			w.exec(`update notices set state = 'sent', sent_at = $1 where state = 'queued'`, w.now)
			w.now = step.At
		default:
			w.t.Fatalf("next is %s", step.Do)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("not suspended")
}

func (w *world) standing() string {
	w.t.Helper()
	return scan[string](w, `select standing || ' ' || generation from accounts where id = 'acme'`)
}

func TestS2NoEscalationWhileDisputed(t *testing.T) {
	w, id := declinedOnce(t)
	w.exec(`update payment_methods set state = 'disabled'`)
	for range 10 {
		if step := w.review(id); step.Then == dunning.DoFinalNotice {
			break
		} else if step.Do == dunning.DoWait {
			w.now = step.At
		}
	}
	w.decide(disputed(id, 1000))
	w.now = w.now.Add(60 * day)
	step := w.review(id)
	if step.Stage != dunning.StageRetrying || step.Do != dunning.DoWait || !step.At.IsZero() {
		t.Fatalf("next is %s in %s", step.Do, step.Stage)
	}
	w.decide(billing.Resolution{Kind: billing.EndDispute, Case: id, Outcome: billing.DisputeRejected})
	if step = w.review(id); step.Then != dunning.DoFinalNotice || step.At.Before(w.now) {
		t.Errorf("T1: next is %s at %s, now is %s", step.Then, step.At, w.now)
	}
}

// The charge that was on its way takes the whole amount: the dispute ends with the invoice, and a person is asked what to do.
func TestDisputeDuringAnAttemptThatTakesItAll(t *testing.T) {
	ctx := context.Background()
	w, id := one(t)
	step := w.review(id)
	c, _, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(ctx, c.Attempt, window); err != nil {
		t.Fatal(err)
	}
	w.decide(disputed(id, 2000))
	ok := succeeded
	ok.Captured = c.Amount
	if _, err := w.RecordAnswer(ctx, id, c.Attempt, ok); err != nil {
		t.Fatal(err)
	}
	if state, _ := w.owed("inv-1"); state != "paid" || w.openTasks("dispute") != 0 || w.openTasks("disputed_and_paid") != 1 {
		t.Errorf("the invoice is %s, tasks %d and %d", state, w.openTasks("dispute"), w.openTasks("disputed_and_paid"))
	}
}

// An attempt that was not sent yet has another amount once a part is disputed.
func TestPM6DisputeMakesAnIntentStale(t *testing.T) {
	ctx := context.Background()
	w, id := one(t)
	step := w.review(id)
	if _, _, err := w.BeginAttempt(ctx, id, step.Method, window); err != nil {
		t.Fatal(err)
	}
	w.decide(disputed(id, 2000))
	if c, _, err := w.BeginAttempt(ctx, id, step.Method, window); err != nil || c != nil {
		t.Fatalf("%+v %v, want it given up", c, err)
	}
	w.now = w.now.Add(time.Second)
	step = w.review(id)
	if step.Do != dunning.DoCharge || step.Charges().Minor() != 2900 {
		t.Errorf("next is %s of %s", step.Do, step.Charges())
	}
}
