package workers_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"recoup/activities"
	"recoup/audit"
	"recoup/billing"
	"recoup/dunning"
	"recoup/gateway"
)

func (y *yard) lookForReversals() {
	y.t.Helper()
	r := &activities.Reversals{Store: y.Store, Gateways: []gateway.Gateway{y.charges.Gateway}, Log: slog.New(slog.DiscardHandler)}
	if _, err := r.Look(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
}

// tell moves one payment at the gateway: settle, return, dispute.
func (y *yard) tell(step string) {
	y.t.Helper()
	resp, err := http.Post(y.api+"/sim/payment_intents/"+y.read(`select gateway_reference from attempts order by created_at desc limit 1`)+"/"+step, "", nil)
	if err != nil || resp.StatusCode/100 != 2 {
		y.t.Fatalf("%s: %v %v", step, resp, err)
	}
	resp.Body.Close()
	y.pass(0)
}

// TestU5ReturnArrivesByWebhook: a settled debit comes back; what the gateway says when it is asked is booked, and the invoice is collected
// again by a case of its own.
func TestU5ReturnArrivesByWebhook(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
	y.charge(id, step)
	y.tell("settle")
	if step = y.lookUp(id, y.review(id)); step.Do != dunning.DoFinish {
		t.Fatalf("next is %s", step.Do)
	}
	y.tell("return")
	if got := y.read(`select state from invoices`); got != "paid" {
		t.Fatalf("the event was believed: the invoice is %s", got)
	}
	for range 2 {
		y.lookForReversals()
	}
	if got := y.read(`select state || ' ' || total_minor - allocated_minor from invoices`); got != "open 4900" {
		t.Errorf("the invoice is %s", got)
	}
	if got := y.read(`select sum(amount_minor)::text from journal_entries where ledger_kind = 'gateway_clearing'`); got != "0" {
		t.Errorf("the gateway holds %s", got)
	}
	if got := y.read(`select string_agg(id || ' ' || coalesce(reopens, ''), ',' order by episode) from cases`); got != "inv-1 ,inv-1/2 inv-1" {
		t.Errorf("cases: %s", got)
	}
	y.audit()
}

// audit checks every invariant that stored facts can show.
func (y *yard) audit() {
	y.t.Helper()
	report, err := audit.Run(y.t.Context(), y.Pool(), audit.Options{})
	if err != nil {
		y.t.Fatal(err)
	}
	for _, r := range report.Invariants {
		for _, b := range r.Breaches {
			y.t.Errorf("%s: %+v", r.ID, b)
		}
	}
}

// TestA26ChargebackBlocksTheCard: the dispute of a card takes the money when it opens.
func TestA26ChargebackBlocksTheCard(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodCard, "pm_card_visa")
	y.charge(id, step)
	y.tell("dispute")
	y.lookForReversals()
	if step := y.review("inv-1/2"); step.Do == dunning.DoCharge {
		t.Error("a disputed card would be charged again")
	}
	if got := y.read(`select count(*)::text from tasks where kind = 'chargeback'`); got != "1" {
		t.Errorf("%s tasks, want a person asked", got)
	}
}

// TestU5RefundOfOursIsNoReversal: what we give back ourselves reopens nothing.
func TestU5RefundOfOursIsNoReversal(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodCard, "pm_card_visa")
	y.charge(id, step)
	req, err := http.NewRequest(http.MethodPost, y.api+"/v1/refunds?payment_intent="+y.read(`select gateway_reference from attempts`), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_yard")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("refund: %v %v", resp, err)
	}
	resp.Body.Close()
	y.pass(0)
	if got := y.read(`select count(*)::text from gateway_events where type = 'charge.refunded'`); got != "1" {
		t.Fatalf("%s events of the refund", got)
	}
	y.lookForReversals()
	if got := y.read(`select count(*)::text from cases`); got != "1" {
		t.Errorf("%s cases", got)
	}
}

// TestB5ReturnIsFoundWithoutWebhooks: weeks later the debit is looked at all the same.
func TestB5ReturnIsFoundWithoutWebhooks(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
	y.charge(id, step)
	y.tell("settle")
	y.lookUp(id, y.review(id))
	y.script("webhook_lost", "charge.dispute.created")
	y.tell("return")
	y.SetNow(func() time.Time { return time.Now().Add(10 * 24 * time.Hour) })
	y.lookForReversals()
	if got := y.read(`select state from invoices`); got != "open" {
		t.Errorf("the invoice is %s", got)
	}
}

// TestU4LateMoneyOfAnEndedAttemptIsFound: an attempt was taken for ended, and a webhook tells that it took money after all.
func TestU4LateMoneyOfAnEndedAttemptIsFound(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
	y.charge(id, step)
	y.exec(`update attempts set state = 'unknown', first_sent_at = first_sent_at - interval '25 hours', gateway_reference = ''`)
	_, err := y.Resolve(t.Context(), billing.Resolution{RequestID: "r-1", Kind: billing.ResolveUnknown, Case: id, Actor: "ada", Reason: "asked",
		Verdict: billing.NotCaptured, Evidence: "looked in the wrong place"})
	if err != nil {
		t.Fatal(err)
	}
	y.pass(2 * time.Hour) // the bank settles all the same
	y.exec(`update attempts set first_sent_at = first_sent_at + interval '25 hours'`)
	y.lookForReversals()
	// Nothing else was paid meanwhile, so it covers the invoice (U4), and a person looks.
	if got := y.read(`select state from invoices`); got != "paid" {
		t.Errorf("the invoice is %s", got)
	}
	if got := y.read(`select count(*)::text from tasks where kind = 'late_success'`); got != "1" {
		t.Errorf("%s tasks", got)
	}
}
