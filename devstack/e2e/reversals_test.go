package e2e

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestU5BankReturnReopens: a debit settles, the invoice is paid, and weeks later the bank takes the money back. The old case stays ended, a
// linked one collects again, by another method, and the customer is told (U3, U5, A14).
func TestU5BankReturnReopens(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	id := s.owe(t, "returned", "standard", "pm_usBankAccount_dispute")
	s.until(t, time.Minute, id, "waits for the bank", func(c shownCase) bool { return len(c.Attempts) == 1 && c.Attempts[0].State == "pending" })
	s.atGateway(t, id, "settle")
	s.endsPaidOnce(t, id, 1, actDue)
	s.addMethod(t, "returned", 2, "pm_card_visa")
	s.atGateway(t, id, "return")
	s.collectedAgain(t, id)
	if got := one[string](t, s, `select state from payment_methods where id = 'pm-returned-1'`); got != "blocked" {
		t.Error("a bank account whose debit was not authorized may be debited again")
	}
}

// TestU5ChargebackReopens: the holder of a card disputes a payment. The same, and the card is never charged again for it (U5, A26).
func TestU5ChargebackReopens(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	id := s.owe(t, "disputed", "standard", "pm_card_visa", "pm_card_mastercard")
	s.endsPaidOnce(t, id, 1, actDue)
	s.atGateway(t, id, "dispute")
	s.collectedAgain(t, id)
	if n := one[int](t, s, `select count(*) from tasks where case_id like $1 || '%' and kind = 'chargeback'`, id); n != 1 {
		t.Errorf("%d tasks ask a person about the chargeback, want 1", n)
	}
}

// collectedAgain: the reversal is booked once, a linked case brings the money from the second method, the first one is not touched, and the
// customer got one notice of the return.
func (s *stack) collectedAgain(t *testing.T, id string) {
	t.Helper()
	again := id + "/2"
	eventually(t, time.Minute, "the case "+again+" is paid", func() error {
		found, err := column[string](t, s, `select stage from cases where id = $1 and reopens = $2`, again, id)
		if err == nil && !slices.Equal(found, []string{"finished"}) {
			err = errors.New("it is " + strings.Join(found, " "))
		}
		return err
	})
	account := strings.TrimSuffix(strings.TrimPrefix(id, "inv-"), "-1")
	tried, err := column[string](t, s, `select case_id || ' ' || method_id || ' ' || state from attempts where invoice_id = $1 order by created_at`, id)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{id + " pm-" + account + "-1 succeeded", again + " pm-" + account + "-2 succeeded"}; !slices.Equal(tried, want) {
		t.Errorf("attempts %q, want %q", tried, want)
	}
	if got := one[string](t, s, `select i.state || ' ' || i.allocated_minor || ' ' || (select count(*) from reversals r join attempts a on a.id = r.attempt_id where a.invoice_id = i.id)
		|| ' ' || (select count(distinct (kind, occasion)) from notices where invoice_id = i.id and kind = 'payment_returned') from invoices i where i.id = $1`, id); got != "paid 5000 1 1" {
		t.Errorf("the invoice, what is allocated, reversals, occasions of a notice: %s", got)
	}
	var kept, taken int
	theirs, err := getJSON[books](s.env["RECOUP_STRIPE_URL"] + "/books")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range theirs.Charges {
		if b.Invoice == id {
			if taken++; b.Status == "succeeded" {
				kept++
			}
		}
	}
	if taken != 2 || kept != 1 {
		t.Errorf("the gateway charged %d times and keeps %d, want 2 and 1", taken, kept)
	}
}

// atGateway lets the bank or the cardholder move the last payment of an invoice.
func (s *stack) atGateway(t *testing.T, id, step string) {
	t.Helper()
	reference := one[string](t, s, `select gateway_reference from attempts where invoice_id = $1 order by created_at desc limit 1`, id)
	res, body := fetch(t, func() (*http.Response, error) { //nolint:bodyclose // fetch closes it
		return http.Post(s.env["RECOUP_STRIPE_URL"]+"/sim/payment_intents/"+reference+"/"+step, "application/json", nil)
	})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s of %s: %s %s", step, reference, res.Status, body)
	}
}
