package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

func own(request string) store.OwnAct {
	return store.OwnAct{Account: "acme", Invoice: "inv-1", RequestID: request, Actor: "Olga (customer)"}
}

// saysNo fails unless the error is a refusal of that field that says so, and none of staff's words.
func saysNo(t *testing.T, err error, field, text string) {
	t.Helper()
	var refusal *billing.Refusal
	if !errors.As(err, &refusal) || refusal.Field != field || !strings.Contains(refusal.Message, text) {
		t.Errorf("%v, want a refusal of %q that says %q", err, field, text)
		return
	}
	for _, word := range []string{"supervisor", "staff", "reverse", "release", "override", "case", "fraud", "stolen", "lost"} {
		if strings.Contains(refusal.Message, word) {
			t.Errorf("%q says %s to a customer", refusal.Message, word)
		}
	}
}

func TestD7ACustomerPaysAtOnce(t *testing.T) {
	w, id := twoCards(t)
	ctx := context.Background()
	act := own("click-1")
	act.Method = "pm-2"
	answer, err := w.PayNow(ctx, act)
	if err != nil || answer.RequestID != "click-1" || answer.Repeated {
		t.Fatalf("%+v, %v", answer, err)
	}
	if again, err := w.PayNow(ctx, act); err != nil || !again.Repeated || again.Changed != answer.Changed {
		t.Errorf("R2: the same click again: %+v, %v", again, err)
	}
	if got := scan[string](w, `select actor || ' ' || kind from resolutions where case_id = $1`, string(id)); got != "Olga (customer) retry_now" {
		t.Errorf("recorded %q", got)
	}
	if step := w.ends(id, billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_1"}); step.Outcome != billing.InvoicePaid {
		t.Errorf("next is %s", step.Do)
	}
	if got := scan[string](w, `select m.id from attempts a join payment_methods m on m.id = a.method_id where a.state = 'succeeded'`); got != "pm-2" {
		t.Errorf("charged %s", got)
	}
	_, err = w.PayNow(ctx, own("click-2"))
	saysNo(t, err, "", "is paid")
	if again, err := w.PayNow(ctx, act); err != nil || !again.Repeated {
		t.Errorf("R2: the first click after it was paid: %+v, %v", again, err)
	}
}

func TestD7WhyACustomerCantPayNow(t *testing.T) {
	w, id := twoCards(t)
	ctx := context.Background()
	pay := func(method billing.MethodID) error {
		act := own("click-" + string(method) + "-" + w.now.String()[:19])
		act.RequestID, act.Method = strings.ReplaceAll(act.RequestID, " ", "-"), method
		_, err := w.PayNow(ctx, act)
		return err
	}
	saysNo(t, pay("pm-9"), "method", "no such payment method")
	w.exec(`update payment_methods set state = 'blocked', state_reason = 'stolen card' where id = 'pm-1'`)
	saysNo(t, pay("pm-1"), "method", "can't be used any more")
	w.exec(`update payment_methods set retry_not_before = $1 where id = 'pm-2'`, w.now.Add(2*time.Hour))
	saysNo(t, pay(""), "method", "until 2 November 2026, 14:00 (UTC)")
	w.exec(`update payment_methods set retry_not_before = null, state = 'active'`)
	w.decide(billing.Resolution{Kind: billing.Hold, Case: id, Until: w.now.Add(72 * time.Hour)})
	saysNo(t, pay(""), "", "halted until 5 November")
	w.decide(billing.Resolution{Kind: billing.Release, Case: id})
	w.decide(billing.Resolution{Kind: billing.RetryNow, Case: id})
	step, err := w.Review(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	saysNo(t, pay(""), "", "tried right now")
	c, _, err := w.BeginAttempt(ctx, id, step.Method, 23*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	saysNo(t, pay(""), "", "still under way")
	if err := w.MarkSent(ctx, c.Attempt, 23*time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RecordAnswer(ctx, id, c.Attempt, billing.Answer{State: billing.AttemptUnknown, Message: "timeout"}); err != nil {
		t.Fatal(err)
	}
	saysNo(t, pay(""), "", "look again after 2 November")
	w.exec(`update cases set parked_why = 'fraud is suspected' where id = $1`, string(id))
	saysNo(t, pay(""), "", "still under way")
	w.exec(`update attempts set state = 'declined', ended_at = now(), next_at = null`)
	saysNo(t, pay(""), "", "looking at this invoice ourselves")
	if n := scan[int](w, `select count(*)::int from resolutions where actor like '%customer%'`); n != 0 {
		t.Errorf("%d refused requests were recorded", n)
	}
}

func TestI19OnlyOnesOwnInvoice(t *testing.T) {
	w, _ := twoCards(t)
	w.account("other", "pm-9")
	ctx := context.Background()
	texts := map[string]bool{}
	for _, act := range []store.OwnAct{
		{Account: "other", Invoice: "inv-1", RequestID: "r", Actor: "Eve"}, {Account: "other", Invoice: "inv-none", RequestID: "r", Actor: "Eve"},
	} {
		for _, do := range []func(context.Context, store.OwnAct) (billing.ResolutionAnswer, error){w.PayNow, w.AskForTime} {
			_, err := do(ctx, act)
			saysNo(t, err, "", "no such invoice")
			texts[err.Error()] = true
		}
		if v, err := w.OwnInvoice(ctx, act.Account, act.Invoice); v != nil || err != nil {
			t.Errorf("shown: %+v, %v", v, err)
		}
	}
	if len(texts) != 1 {
		t.Errorf("another's and a missing one differ: %v", texts)
	}
	// Another's request id is neither met nor found out.
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: "inv-1", Amount: dollars(100), RequestID: "known"})
	if answer, err := w.PayNow(ctx, own("known")); err != nil || answer.Repeated {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestPromisesThatCustomersMake(t *testing.T) {
	w, id := twoCards(t)
	ctx := context.Background()
	ask := func(request string, until time.Time) (billing.ResolutionAnswer, error) {
		act := own(request)
		act.Until = until
		return w.AskForTime(ctx, act)
	}
	_, err := ask("a", w.now.Add(-time.Hour))
	saysNo(t, err, "until", "future")
	_, err = ask("b", w.now.Add(31*24*time.Hour))
	saysNo(t, err, "until", "until 2 December 2026")
	answer, err := ask("c", w.now.Add(7*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	w.decide(billing.Resolution{Kind: billing.GrantCredit, Case: id, Amount: dollars(900)})
	if again, err := ask("c", w.now.Add(7*24*time.Hour)); err != nil || !again.Repeated || again.Changed != answer.Changed {
		t.Errorf("R2: asked again, with less due: %+v, %v", again, err)
	}
	if got := scan[int](w, `select amount_minor::int from promises where state = 'open'`); got != 4900 {
		t.Errorf("promised %d", got)
	}
	if w.told("promise_recorded") != 1 {
		t.Error("nobody was told")
	}
	_, err = ask("d", w.now.Add(8*24*time.Hour))
	saysNo(t, err, "", "asked for time already")
	// Who pays now needs no more time: it is over, it counts, and the stage clock has back what was not needed.
	shifted := scan[int](w, `select clock_shift_seconds::int from cases where id = $1`, string(id))
	w.exec(`update payment_methods set state = 'disabled'`)
	_, err = w.PayNow(ctx, own("e"))
	saysNo(t, err, "method", "None of your payment methods")
	if state := scan[string](w, `select state from promises`); state != "open" {
		t.Errorf("a refused payment made the promise %s", state)
	}
	w.exec(`update payment_methods set state = 'active'`)
	if _, err = w.PayNow(ctx, own("e2")); err != nil {
		t.Fatal(err)
	}
	after := scan[int](w, `select clock_shift_seconds::int from cases where id = $1`, string(id))
	if state := scan[string](w, `select state from promises`); state != "waived" || shifted-after < 7*24*3600 {
		t.Errorf("the promise is %s, the clock went from %d to %d", state, shifted, after)
	}
	if step := w.noFunds(id); step.Do != dunning.DoCharge {
		t.Errorf("next is %s", step.Do)
	}
	w.noFunds(id)
	_, err = ask("f", w.now.Add(7*24*time.Hour))
	saysNo(t, err, "", "last 12 months")
	w.invoice("inv-2", "acme", 500)
	w.exec(`update invoices set collect_at = $1 where id = 'inv-2'`, w.now.Add(time.Hour))
	act := own("g")
	act.Invoice = "inv-2"
	_, err = w.PayNow(ctx, act)
	saysNo(t, err, "", "not due yet")
}

func TestAskingForTimeComesTooLateOnceSuspended(t *testing.T) {
	w, id := declinedOnce(t)
	w.suspendedFor(id)
	invoice := scan[string](w, `select invoice_id from cases where id = $1`, string(id))
	_, err := w.AskForTime(context.Background(), store.OwnAct{Account: "acme", Invoice: billing.InvoiceID(invoice), RequestID: "r", Actor: "Olga (customer)",
		Until: w.now.Add(72 * time.Hour)})
	saysNo(t, err, "", "is suspended")
	if stage := scan[string](w, `select stage from cases where id = $1`, string(id)); stage != string(dunning.StageSuspended) {
		t.Errorf("stage %s", stage)
	}
}
