package store_test

import (
	"context"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

func TestCR7CoveredByCreditsTouchesNoMethod(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	w.credit("c-1", "acme", 5000)
	id := w.open("inv-1")
	w.want(w.review(id), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int64](w, `select remaining_minor from credits where id = 'c-1'`); got != 100 {
		t.Errorf("credit has %d left, want 100", got)
	}
	if got := scan[int](w, `select count(*)::int from attempts`); got != 0 {
		t.Errorf("%d attempts were made", got)
	}
	if got := scan[int](w, `select count(*)::int from notices where kind = 'receipt' and channel = 'email'`); got != 1 {
		t.Errorf("%d receipts by mail, want 1", got)
	}
	w.want(w.review(id), dunning.DoFinish, dunning.StageFinished)
}

func TestAF1CreditsThenFundsThenPrimary(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	w.credit("c-1", "acme", 1000)
	w.deposit("d-1", "acme", 2000)
	id := w.open("inv-1")
	step := w.review(id)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	if step.Due != money.New(1900, usd) {
		t.Errorf("due %s after balances, want USD 19.00", step.Due)
	}
	w.want(w.charge(step, id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int64](w, `select amount_minor from attempts`); got != 1900 {
		t.Errorf("charged %d, want 1900", got)
	}
}

func TestPM7BackupAfterAFinalDecline(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.charge(w.review(id), id, declined)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	if step.Method != "pm-2" {
		t.Fatalf("next method is %s", step.Method)
	}
	w.want(w.charge(step, id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int](w, `select count(*)::int from notices where kind = 'backup_charged' and channel = 'email'`); got != 1 {
		t.Errorf("%d notices of the backup, want 1", got)
	}
	if got := scan[int](w, `select count(*)::int from notices where kind = 'payment_failed'`); got != 0 {
		t.Errorf("%d notices of failure though it was paid", got)
	}
}

func TestU2UnknownIsNeverFollowedByAnotherMethod(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.charge(w.review(id), id, unknown)
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	if !step.At.Equal(noon.Add(30 * time.Second)) {
		t.Errorf("looked up at %s, want after 30 s", step.At)
	}
	w.now = step.At
	step = w.review(id)
	w.want(step, dunning.DoLookUp, dunning.StageCollecting)
	step, err := w.RecordAnswer(context.Background(), id, step.Attempt, billing.Answer{State: billing.AttemptSucceeded, Captured: money.New(4900, usd), Reference: "pi_1"})
	if err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoFinish, dunning.StageFinished)
	if got := scan[int](w, `select count(*)::int from attempts`); got != 1 {
		t.Errorf("%d attempts, want 1", got)
	}
}

func TestD1NotProcessedGoesAgainWithTheSameKey(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.charge(w.review(id), id, throttled)
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	attempt := scan[string](w, `select id::text from attempts`)
	w.now = step.At
	step = w.review(id)
	w.want(step, dunning.DoCharge, dunning.StageCollecting)
	w.want(w.charge(step, id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[string](w, `select id::text from attempts`); got != attempt {
		t.Errorf("another attempt %s was made", got)
	}
}

func TestPM5CrashBetweenIntentAndAnswerResumesTheSameAttempt(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.review(id)
	ctx := context.Background()
	first, _, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	again, _, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil || again == nil || again.Attempt != first.Attempt || again.MaybeSent {
		t.Fatalf("after a crash before sending: %+v, %v", again, err)
	}
	if err := w.MarkSent(ctx, first.Attempt, window); err != nil {
		t.Fatal(err)
	}
	again, _, err = w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil || again == nil || again.Attempt != first.Attempt || !again.MaybeSent {
		t.Fatalf("after a crash while sending: %+v, %v", again, err)
	}
	// U1, I13: outside the key's window only a look-up is allowed.
	w.now = noon.Add(window)
	again, next, err := w.BeginAttempt(ctx, id, step.Method, window)
	if err != nil || again != nil {
		t.Fatalf("after the key's window: %+v, %v", again, err)
	}
	if next.Do != dunning.DoWait || next.Then != dunning.DoLookUp {
		t.Errorf("next is %s then %s", next.Do, next.Then)
	}
}

func TestStandardPolicyToSuspensionAndBack(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.review(id)
	rounds := 0
	for step.Do == dunning.DoCharge {
		step = w.charge(step, id, declined)
		rounds++
		w.want(step, dunning.DoWait, dunning.StageRetrying)
		w.now = step.At
		step = w.review(id)
	}
	if rounds != 6 {
		t.Errorf("%d rounds, want 6", rounds)
	}
	ctx := context.Background()
	w.want(step, dunning.DoFinalNotice, dunning.StageRetrying)
	step, err := w.FinalNotice(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageFinalNotice)
	w.now = step.At
	if step, err = w.ScheduleSuspension(ctx, id); err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageSuspensionScheduled)
	// S2: without the required notices delivered it is put off.
	w.now = step.At
	if step, err = w.Suspend(ctx, id); err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageSuspensionScheduled)
	w.delivered()
	// T1: delivered late, the final notice still leaves its three days.
	told := w.now
	w.now = step.At
	if step, err = w.Suspend(ctx, id); err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageSuspensionScheduled)
	if left := step.At.Sub(told); left != 3*24*time.Hour {
		t.Errorf("suspended %s after the final notice was delivered, want three days", left)
	}
	w.now = step.At
	if step, err = w.Suspend(ctx, id); err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageSuspended)
	if got := scan[string](w, `select standing from accounts`); got != "suspended" {
		t.Fatalf("standing is %s", got)
	}
	answer, err := w.Resolve(ctx, billing.Resolution{RequestID: "r-1", Kind: billing.PaidOutOfBand, Case: id, Actor: "ada", Reason: "cheque",
		Amount: ptr(money.New(5000, usd)), Reference: "CHQ 7", ReceivedOn: "2026-12-02"})
	if err != nil {
		t.Fatal(err)
	}
	if got := scan[string](w, `select standing from accounts`); got != "active" {
		t.Errorf("S1: standing is %s after payment (%s)", got, answer.Changed)
	}
	if got := scan[int64](w, `select -sum(amount_minor)::bigint from journal_entries where ledger_kind = 'unapplied_funds'`); got != 100 {
		t.Errorf("U4: unapplied funds are %d, want 100", got)
	}
	again, err := w.Resolve(ctx, billing.Resolution{RequestID: "r-1", Kind: billing.PaidOutOfBand, Case: id, Actor: "ada", Reason: "cheque",
		Amount: ptr(money.New(5000, usd)), Reference: "CHQ 7", ReceivedOn: "2026-12-02"})
	if err != nil || !again.Repeated {
		t.Errorf("R2: same request id again: %+v, %v", again, err)
	}
	calls := scan[string](w, `select string_agg(generation || ' ' || standing, ', ' order by generation) from standing_calls`)
	if calls != "1 suspended, 2 active" {
		t.Errorf("S3: calls of the hook: %s", calls)
	}
}

func ptr[T any](v T) *T { return &v }

func TestU1ProvedNegativeSendsTheSameAttemptAgain(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.charge(w.review(id), id, unknown)
	w.now = step.At
	step = w.review(id)
	step, err := w.RecordAnswer(context.Background(), id, step.Attempt, billing.Answer{State: billing.AttemptNotSent, Message: "no such payment"})
	if err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	if step.Then != dunning.DoCharge {
		t.Fatalf("then %s, want the same charge again", step.Then)
	}
	w.now = step.At
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if got := scan[int](w, `select count(*)::int from attempts`); got != 1 {
		t.Errorf("%d attempts, want 1", got)
	}
}

func TestAF1BalancesWaitForAnOpenAttemptAndGoBeforeTheNextMethod(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, unknown)
	w.deposit("d-1", "acme", 5000)
	w.review(id)
	if got := scan[int64](w, `select remaining_minor from deposits`); got != 5000 {
		t.Fatalf("U4: %d of the deposit left while the attempt may still take the money, want all of it", got)
	}
	step, err := w.RecordAnswer(context.Background(), id, billing.AttemptID(scan[string](w, `select id::text from attempts`)), declined)
	if err != nil {
		t.Fatal(err)
	}
	w.want(step, dunning.DoFinish, dunning.StageFinished)
	if got := scan[int64](w, `select remaining_minor from deposits`); got != 100 {
		t.Errorf("%d of the deposit left, want 100", got)
	}
}

func TestS2SecondInvoiceOfASuspendedAccountIsGuardedToo(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	w.invoice("inv-2", "acme", 50) // below the policy's minimum
	ctx := context.Background()
	for _, invoice := range []string{"inv-1", "inv-2"} {
		id := w.open(invoice)
		w.exec(`update cases set stage = 'suspension_scheduled', scheduled_rounds = 6, clock_started_at = $2 where id = $1`, id, noon.AddDate(0, 0, -40))
		for _, kind := range []string{"final_notice", "suspension_scheduled"} {
			w.exec(`insert into notices (id, account_id, case_id, kind, occasion, channel, recipient, state, sent_at)
				values (gen_random_uuid(), 'acme', $1, $2, 'x', 'email', 1, 'sent', $3)`, id, kind, noon.AddDate(0, 0, -5))
		}
		if _, err := w.Suspend(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	if got := scan[string](w, `select string_agg(stage, ' ' order by id) from cases`); got != "suspended suspension_scheduled" {
		t.Errorf("stages are %s: an invoice below the minimum must not block the account", got)
	}
}

// A gateway that is busy answers: its refusals are no sends in vain (A6).
func TestU1RefusedSendsAreNotSendsInVain(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	step := w.review(id)
	for _, answer := range []billing.Answer{throttled, throttled, unknown} {
		if step.Then == dunning.DoCharge {
			w.now = step.At
			step = w.review(id)
		}
		step = w.charge(step, id, answer)
	}
	w.now = step.At
	step, err := w.RecordAnswer(context.Background(), id, w.review(id).Attempt, billing.Answer{State: billing.AttemptNotSent, Message: "no such payment"})
	if err != nil {
		t.Fatal(err)
	}
	if step.Do != dunning.DoWait || step.Then != dunning.DoCharge || step.Attempt == "" {
		t.Errorf("next is %s then %s (%s), want the same attempt again", step.Do, step.Then, step.Why)
	}
}

// A6: under one key a gateway repeats what it stored, also an error of its own. When look-ups have proved again and again that nothing
// came of it, the attempt is given up, and another one, under another key, is tried.
func TestA6AKeyThatRepeatsAFailureIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	nothing := billing.Answer{State: billing.AttemptNotSent, Message: "neither search nor list know it"}
	step := w.review(id)
	for send := 1; send <= 3; send++ {
		w.charge(step, id, unknown)
		first := w.lastAttempt()
		var err error
		if step, err = w.RecordAnswer(context.Background(), id, first, nothing); err != nil {
			t.Fatal(err)
		}
		if n := scan[int](w, `select count(*)::int from attempts`); n != 1 {
			t.Fatalf("%d attempts after send %d, want the first alone", n, send)
		}
		w.now = w.now.Add(2 * time.Hour)
		if send < 3 {
			step = w.review(id)
		}
	}
	if got := scan[string](w, `select state || ' ' || class from attempts`); got != "not_sent transient" {
		t.Errorf("the attempt is %s", got)
	}
	// It was the gateway's failure, so the round is made up for: with another attempt on the same method.
	w.want(step, dunning.DoWait, dunning.StageCollecting)
	w.now = w.now.Add(24 * time.Hour)
	first := w.lastAttempt()
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	if w.lastAttempt() == first {
		t.Error("the same key went again")
	}
}
