package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// change carries one out for acme; the request id is the kind's unless given.
func (w *world) change(c billing.MethodChange) (billing.MethodsAnswer, error) {
	if c.Account == "" {
		c.Account = "acme"
	}
	if c.RequestID == "" {
		c.RequestID = fmt.Sprintf("%s-%s-%d", c.Kind, c.Method, w.now.UnixNano())
	}
	c.Actor, c.Reason = "olga", "as I like"
	return w.ChangeMethods(context.Background(), c)
}

func (w *world) changes(c billing.MethodChange) billing.MethodsAnswer {
	w.t.Helper()
	answer, err := w.change(c)
	if err != nil {
		w.t.Fatalf("%s: %v", c.Kind, err)
	}
	return answer
}

func (w *world) refusesChange(c billing.MethodChange, field, text string) {
	w.t.Helper()
	_, err := w.change(c)
	var refusal *billing.Refusal
	if !errors.As(err, &refusal) || refusal.Field != field || !strings.Contains(refusal.Message, text) {
		w.t.Errorf("%s: %v, want a refusal of %s that says %q", c.Kind, err, field, text)
	}
}

func (w *world) order() string {
	w.t.Helper()
	return scan[string](w, `select coalesce(string_agg(last4 || case when state = 'active' then '' else ' ' || state end, ', ' order by position), '')
		from payment_methods where account_id = 'acme' and removed_at is null`)
}

func card(token, last4 string) *billing.NewMethod {
	return &billing.NewMethod{Gateway: "stripe", Token: token, Kind: billing.MethodCard, Brand: "visa", Last4: last4, ExpiryMonth: 12, ExpiryYear: 2030}
}

// twoCards is acme with cards ···1111 and ···2222, of customer cus_1, and an invoice whose first round declined both.
func twoCards(t *testing.T) (*world, billing.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.exec(`update payment_methods set token = 'pm_1' || id, customer_token = 'cus_1', last4 = case id when 'pm-1' then '1111' else '2222' end`)
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	for range 2 {
		w.noFunds(id)
	}
	return w, id
}

// noFunds makes the attempt that comes next, and has it declined for want of money.
func (w *world) noFunds(id billing.CaseID) dunning.Step {
	w.t.Helper()
	return w.ends(id, billing.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", Reference: "pi_d"})
}

func (w *world) ends(id billing.CaseID, a billing.Answer) dunning.Step {
	w.t.Helper()
	ctx := context.Background()
	step, err := w.Review(ctx, id)
	if err != nil || step.Do != dunning.DoCharge {
		w.t.Fatalf("next is %s (%s), %v", step.Do, step.Why, err)
	}
	c, _, err := w.BeginAttempt(ctx, id, step.Method, 23*time.Hour)
	if err != nil || c == nil {
		w.t.Fatalf("begin: %v, %v", c, err)
	}
	if err := w.MarkSent(ctx, c.Attempt, 23*time.Hour); err != nil {
		w.t.Fatal(err)
	}
	if a.State == billing.AttemptSucceeded {
		a.Captured = c.Amount
	}
	step, err = w.RecordAnswer(ctx, id, c.Attempt, a)
	if err != nil {
		w.t.Fatal(err)
	}
	return step
}

func TestPM1AMethodThatIsAddedIsTriedAtOnce(t *testing.T) {
	w, id := twoCards(t)
	w.exec(`delete from pokes`)
	c := billing.MethodChange{Kind: billing.MethodAdd, RequestID: "add-1", New: card("pm_3", "3333")}
	c.New.Primary = true
	answer := w.changes(c)
	if w.order() != "3333, 1111, 2222" || answer.Changed != "visa ···3333 is added" || answer.Next != "open cases that try again: 1" || answer.Repeated {
		t.Errorf("the order is %s, the answer %+v", w.order(), answer)
	}
	if again := w.changes(c); !again.Repeated || again.Method != answer.Method || w.order() != "3333, 1111, 2222" {
		t.Errorf("R2: the same request: %+v, the order %s", again, w.order())
	}
	other := c
	other.New = card("pm_4", "4444")
	w.refusesChange(other, "request_id", "another change")
	if n := scan[int](w, `select count(*)::int from pokes where case_id = $1`, id); n != 1 {
		t.Error("R1: the case is not told")
	}
	if w.told("method_changed") != 1 {
		t.Error("PM10: nobody was told")
	}
	if got := scan[string](w, `select act || ' ' || actor || ' ' || reason || ' ' || (before -> 'methods' -> 0 ->> 'id') || ' ' || (after ->> 'changed')
		from audit_log where request_id = 'add-1'`); got != "methods_add olga as I like pm-1 visa ···3333 is added" {
		t.Errorf("the audit log says %q", got)
	}
	if n := scan[int](w, `select count(*)::int from audit_log a, method_changes m where a.after::text || m.answer::text like '%pm_3%'`); n != 0 {
		t.Error("I18: a token is in the audit log")
	}
	// D7: a person brought a new card, so nobody waits.
	step, err := w.Review(context.Background(), id)
	if err != nil || step.Do != dunning.DoCharge || step.Masked != "visa ···3333" {
		t.Errorf("next is %s on %s, %v", step.Do, step.Masked, err)
	}
}

func TestPM1AReplacedMethodKeepsItsAttemptAndItsPlace(t *testing.T) {
	w, id := twoCards(t)
	w.decide(billing.Resolution{Kind: billing.RetryNow, Case: id})
	step, err := w.Review(context.Background(), id)
	if err != nil || step.Do != dunning.DoCharge {
		t.Fatalf("next is %s, %v", step.Do, err)
	}
	c, _, err := w.BeginAttempt(context.Background(), id, step.Method, 23*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(context.Background(), c.Attempt, 23*time.Hour); err != nil {
		t.Fatal(err)
	}
	w.changes(billing.MethodChange{Kind: billing.MethodReplace, Method: "pm-1", New: card("pm_3", "3333")})
	if w.order() != "3333, 2222" {
		t.Errorf("the order is %s", w.order())
	}
	// The attempt that is under way is answered on the old one.
	if _, err := w.RecordAnswer(context.Background(), id, c.Attempt, billing.Answer{State: billing.AttemptSucceeded, Captured: c.Amount, Reference: "pi_1"}); err != nil {
		t.Fatal(err)
	}
	if got := scan[string](w, `select m.id || ' ' || i.state from attempts a join payment_methods m on m.id = a.method_id join invoices i on i.id = a.invoice_id
		where a.id = $1`, string(c.Attempt)); got != "pm-1 paid" {
		t.Errorf("charged and invoice: %s", got)
	}
	if got := scan[string](w, `select r.last4 from payment_methods m join payment_methods r on r.id = m.replaced_by where m.id = 'pm-1'`); got != "3333" {
		t.Errorf("replaced by %s", got)
	}
}

func TestPM6AnIntentOnARemovedMethodIsGivenUp(t *testing.T) {
	w, id := twoCards(t)
	w.decide(billing.Resolution{Kind: billing.RetryNow, Case: id})
	step, err := w.Review(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := w.BeginAttempt(context.Background(), id, step.Method, 23*time.Hour)
	if err != nil || c == nil {
		t.Fatal(c, err)
	}
	w.changes(billing.MethodChange{Kind: billing.MethodRemove, Method: "pm-1"})
	again, step, err := w.BeginAttempt(context.Background(), id, "pm-1", 23*time.Hour)
	if err != nil || again != nil {
		t.Fatalf("sent all the same: %v, %v", again, err)
	}
	if state := scan[string](w, `select state from attempts where id = $1`, string(c.Attempt)); state != "not_sent" || step.Masked == "visa ···1111" {
		t.Errorf("the attempt is %s, next %s on %s", state, step.Do, step.Masked)
	}
}

func TestPM8TheLastUsableMethodStays(t *testing.T) {
	w, _ := twoCards(t)
	w.exec(`update payment_methods set state = 'blocked' where id = 'pm-2'`)
	for _, kind := range []billing.MethodChangeKind{billing.MethodRemove, billing.MethodDisable} {
		w.refusesChange(billing.MethodChange{Kind: kind, Method: "pm-1"}, "method", "nothing would be left")
	}
	w.changes(billing.MethodChange{Kind: billing.MethodBackupsOff})
	// With backups off only the primary is charged.
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2", "pm-1"}}, "method", "nothing would be left")
	w.changes(billing.MethodChange{Kind: billing.MethodReplace, Method: "pm-1", New: card("pm_3", "3333")})
	w.changes(billing.MethodChange{Kind: billing.MethodRemove, Method: "pm-2"})
	if w.order() != "3333" {
		t.Errorf("the order is %s", w.order())
	}
	w.decide(billing.Resolution{Kind: billing.VoidInvoice, Case: "inv-1"})
	w.changes(billing.MethodChange{Kind: billing.MethodRemove, Method: billing.MethodID(scan[string](w, `select id from payment_methods where last4 = '3333'`))})
	if w.order() != "" {
		t.Errorf("the order is %s", w.order())
	}
}

func TestPM2ReorderTakesTheWholeOrderOrNothing(t *testing.T) {
	w, id := twoCards(t)
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2"}}, "order", "somebody changed them")
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2", "pm-9"}}, "order", "somebody changed them")
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2", "pm-2"}}, "order", "once")
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-1", "pm-2"}}, "order", "already")
	w.changes(billing.MethodChange{Kind: billing.MethodReorder, Order: []billing.MethodID{"pm-2", "pm-1"}})
	if w.order() != "2222, 1111" {
		t.Errorf("the order is %s", w.order())
	}
	// D7: an order alone brings nothing new, so its round comes at most once in 15 minutes.
	step, err := w.Review(context.Background(), id)
	if err != nil || step.Do != dunning.DoWait || step.Then != dunning.DoBeginRound || !step.At.Equal(noon.Add(dunning.MachineWakeEvery)) {
		t.Errorf("next is %s at %s, %v", step.Do, step.At, err)
	}
	w.now = step.At
	if step, err = w.Review(context.Background(), id); err != nil || step.Masked != "visa ···2222" {
		t.Errorf("next is %s on %s, %v", step.Do, step.Masked, err)
	}
}

func TestPM1BackupsOffTriesThePrimaryAlone(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1", "pm-2")
	w.exec(`update payment_methods set last4 = case id when 'pm-1' then '1111' else '2222' end`)
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	if _, err := w.Review(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	// The round has begun with both; the last look knows better.
	w.changes(billing.MethodChange{Kind: billing.MethodBackupsOff})
	step := w.noFunds(id)
	c, step2, err := w.BeginAttempt(context.Background(), id, step.Method, 23*time.Hour)
	if err != nil || c != nil {
		t.Fatalf("the backup is charged (%s): %v, %v", step.Masked, c, err)
	}
	if step2.Do != dunning.DoWait || w.told("payment_failed") != 1 {
		t.Errorf("next is %s on %s; told %d times", step2.Do, step2.Masked, w.told("payment_failed"))
	}
	w.now = w.now.Add(time.Hour)
	w.noFunds(id) // the early round that the change asked for, on the primary
	if got := scan[string](w, `select skip from round_methods where case_id = $1 and round = 2 and method_id = 'pm-2'`, string(id)); got != string(billing.SkipBackupsOff) {
		t.Errorf("the backup was skipped because %q", got)
	}
	// A person may choose it all the same.
	w.decide(billing.Resolution{Kind: billing.RetryNow, Case: id, Method: "pm-2"})
	if step := w.ends(id, billing.Answer{State: billing.AttemptSucceeded, Reference: "pi_1"}); step.Outcome != billing.InvoicePaid {
		t.Errorf("next is %s", step.Do)
	}
}

func TestD1WhatTheBankRefusedForGoodStaysRefused(t *testing.T) {
	w, id := twoCards(t)
	w.decide(billing.Resolution{Kind: billing.RetryNow, Case: id, Method: "pm-1"})
	step, err := w.Review(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := w.BeginAttempt(context.Background(), id, step.Method, 23*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.MarkSent(context.Background(), c.Attempt, 23*time.Hour); err != nil {
		t.Fatal(err)
	}
	// Switched off while the charge was under way: the answer blocks it all the same.
	w.changes(billing.MethodChange{Kind: billing.MethodDisable, Method: "pm-1"})
	if _, err := w.RecordAnswer(context.Background(), id, c.Attempt, billing.Answer{State: billing.AttemptDeclined, DeclineCode: "stolen_card", Reference: "pi_s"}); err != nil {
		t.Fatal(err)
	}
	w.refusesChange(billing.MethodChange{Kind: billing.MethodEnable, Method: "pm-1"}, "method", "replace or remove")
	w.refusesChange(billing.MethodChange{Kind: billing.MethodReplace, Method: "pm-1", New: card("pm_1pm-1", "1111")}, "token", "refused for good")
	w.changes(billing.MethodChange{Kind: billing.MethodRemove, Method: "pm-1"})
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, New: card("pm_1pm-1", "1111")}, "token", "refused for good")
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, New: card("pm_1pm-2", "2222")}, "token", "there already")
}

func TestD3AdviceStaysWithTheInstrument(t *testing.T) {
	w, _ := twoCards(t)
	w.exec(`update payment_methods set retry_not_before = $1 where id = 'pm-1'`, noon.Add(time.Hour))
	fresh := card("pm_1pm-1", "1111")
	fresh.ExpiryYear = 2033
	answer := w.changes(billing.MethodChange{Kind: billing.MethodReplace, Method: "pm-1", New: fresh})
	if at := scan[time.Time](w, `select retry_not_before from payment_methods where id = $1`, string(answer.Method)); !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("the network's advice is forgotten: %s", at)
	}
}

func TestI19MethodsOfOthers(t *testing.T) {
	w, _ := twoCards(t)
	w.account("other", "pm-9")
	w.exec(`update payment_methods set token = 'pm_9', customer_token = 'cus_9' where id = 'pm-9'`)
	for _, kind := range []billing.MethodChangeKind{billing.MethodReplace, billing.MethodRemove, billing.MethodDisable, billing.MethodEnable} {
		w.refusesChange(billing.MethodChange{Kind: kind, Method: "pm-9", New: card("pm_3", "3333")}, "method", "no payment method pm-9")
		w.refusesChange(billing.MethodChange{Kind: kind, Method: "pm-0", New: card("pm_3", "3333")}, "method", "no payment method pm-0")
	}
	// Whoever knows another's token or customer doesn't pay with them.
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, Own: true, New: card("pm_9", "9999")}, "token", "can't be used here")
	named := card("pm_3", "3333")
	named.CustomerToken = "cus_9"
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, Own: true, New: named}, "customer_token", "not this account's")
	answer := w.changes(billing.MethodChange{Kind: billing.MethodAdd, Own: true, New: card("pm_3", "3333")})
	if got := scan[string](w, `select customer_token from payment_methods where id = $1`, string(answer.Method)); got != "cus_1" {
		t.Errorf("added to customer %q", got)
	}
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, Account: "nobody", New: card("pm_3", "3333")}, "account", "no account nobody")
}

func TestI18CardNumbersAreRefusedByField(t *testing.T) {
	w, _ := twoCards(t)
	for field, change := range map[string]func(*billing.NewMethod){
		"token":          func(n *billing.NewMethod) { n.Token = "4242424242424242" },
		"customer_token": func(n *billing.NewMethod) { n.CustomerToken = "4242-4242-4242-4242" },
		"brand":          func(n *billing.NewMethod) { n.Brand = "4242 4242 4242 4242" },
		"last4":          func(n *billing.NewMethod) { n.Last4 = "42424" },
		"gateway":        func(n *billing.NewMethod) { n.Gateway = "paypal" },
		"kind":           func(n *billing.NewMethod) { n.Kind = "cash" },
		"expiry":         func(n *billing.NewMethod) { n.ExpiryYear = 2025 },
		"currency":       func(n *billing.NewMethod) { n.Currency = "dollars" },
	} {
		n := card("pm_3", "3333")
		change(n)
		w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, New: n}, field, "")
	}
	n := card("9999999999999", "3333") // no card by its digits, and yet a number
	w.refusesChange(billing.MethodChange{Kind: billing.MethodAdd, New: n}, "token", "never the number")
	if w.order() != "1111, 2222" {
		t.Errorf("the order is %s", w.order())
	}
}

func TestI15ChangesOfMethodsStay(t *testing.T) {
	w, _ := twoCards(t)
	w.changes(billing.MethodChange{Kind: billing.MethodBackupsOff})
	for _, sql := range []string{`update method_changes set actor = 'x'`, `delete from method_changes`} {
		if _, err := w.Pool().Exec(context.Background(), sql); err == nil {
			t.Errorf("%s: done", sql)
		}
	}
}
