package stripesim_test

import (
	"net/http"
	"testing"
	"time"

	"recoup/gateway/stripesim"
)

func TestChargeSucceeds(t *testing.T) {
	b := open(t, stripesim.Options{})
	a := b.charge("pm_card_visa", "k1")
	want(t, "status", a.at("status"), "succeeded")
	want(t, "amount_received", a.at("amount_received"), 1000.0)
	want(t, "metadata", a.at("metadata.recoup_attempt"), "k1")
	got := b.wantCharges(1)[0]
	want(t, "booked status", got.Status, "succeeded")
	want(t, "booked attempt", got.Attempt, "k1")
	want(t, "booked currency", got.Currency, "USD")
	want(t, "booked key", got.IdempotencyKey, "k1")

	full := b.get("/v1/payment_intents/"+a.at("id").(string), "expand[]", "latest_charge")
	want(t, "expanded charge's brand", full.at("latest_charge.payment_method_details.card.brand"), "visa")
}

func TestEveryDocumentedDeclineTellsItsCode(t *testing.T) {
	b := open(t, stripesim.Options{})
	for token, expect := range map[string]string{
		"pm_card_visa_chargeDeclined":                      "generic_decline",
		"pm_card_visa_chargeDeclinedInsufficientFunds":     "insufficient_funds",
		"pm_card_visa_chargeDeclinedLostCard":              "lost_card",
		"pm_card_visa_chargeDeclinedStolenCard":            "stolen_card",
		"pm_card_chargeDeclinedExpiredCard":                "expired_card",
		"pm_card_chargeDeclinedIncorrectCvc":               "incorrect_cvc",
		"pm_card_chargeDeclinedProcessingError":            "processing_error",
		"pm_card_visa_chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
		"pm_card_chargeCustomerFail":                       "generic_decline",
		"pm_card_radarBlock":                               "fraudulent",
		"pm_card_authenticationRequired":                   "authentication_required",
		"pm_sim_decline_code_do_not_honor":                 "do_not_honor",
	} {
		a := b.charge(token, "k_"+token)
		want(t, token+": HTTP status", a.status, http.StatusPaymentRequired)
		want(t, token+": type", a.at("error.type"), "card_error")
		want(t, token+": decline_code", a.at("error.decline_code"), expect)
		want(t, token+": intent", a.at("error.payment_intent.status"), "requires_payment_method")
	}
	b.wantCharges(0)
	if n := len(b.books("?failed=1").Charges); n != 12 {
		t.Errorf("the books with failed charges hold %d, want 12", n)
	}
}

func TestNetworkAdviceIsTold(t *testing.T) {
	b := open(t, stripesim.Options{})
	a := b.charge("pm_sim_mastercard_advice_03", "k1")
	want(t, "network_advice_code", a.at("error.network_advice_code"), "03")
	a = b.charge("pm_sim_advice_do_not_try_again", "k2")
	want(t, "advice_code", a.at("error.advice_code"), "do_not_try_again")
}

func TestDeclinesForAWhile(t *testing.T) {
	b := open(t, stripesim.Options{})
	for i, expect := range []int{402, 402, 200, 200} {
		a := b.charge("pm_sim_decline_then_ok_2", string(rune('a'+i)))
		want(t, "status", a.status, expect)
	}
	want(t, "at once", b.charge("pm_sim_decline_for_40s", "w1").status, 402)
	b.pass(39 * time.Second)
	want(t, "after 39 s", b.charge("pm_sim_decline_for_40s", "w2").status, 402)
	b.pass(time.Second)
	want(t, "after 40 s", b.charge("pm_sim_decline_for_40s", "w3").status, 200)
	want(t, "before the date", b.charge("pm_sim_decline_until_2026-03-02", "d1").status, 402)
	b.pass(12 * time.Hour)
	want(t, "on the date", b.charge("pm_sim_decline_until_2026-03-02", "d2").status, 200)
}

func TestBankDebitSettlesFailsReturnsAndIsCancelled(t *testing.T) {
	b := open(t, stripesim.Options{BankDelay: time.Minute})
	ids := map[string]string{}
	for _, token := range []string{"pm_usBankAccount_success", "pm_usBankAccount_accountClosed", "pm_usBankAccount_dispute", "pm_usBankAccount_processing"} {
		a := b.charge(token, token)
		want(t, token+" at first", a.at("status"), "processing")
		ids[token] = a.at("id").(string)
	}
	status := func(token string) any { return b.get("/v1/payment_intents/" + ids[token]).at("status") }
	b.pass(59 * time.Second)
	want(t, "too early", status("pm_usBankAccount_success"), "processing")
	b.pass(time.Second)
	want(t, "success", status("pm_usBankAccount_success"), "succeeded")
	want(t, "closed", status("pm_usBankAccount_accountClosed"), "requires_payment_method")
	failed := b.get("/v1/payment_intents/" + ids["pm_usBankAccount_accountClosed"])
	want(t, "reason", failed.at("last_payment_error.code"), "account_closed")
	want(t, "dispute, settled", status("pm_usBankAccount_dispute"), "succeeded")
	b.pass(time.Minute)
	want(t, "processing stays", status("pm_usBankAccount_processing"), "processing")
	want(t, "cancel it", b.post("/v1/payment_intents/"+ids["pm_usBankAccount_processing"]+"/cancel", "").at("status"), "canceled")
	late := b.post("/v1/payment_intents/"+ids["pm_usBankAccount_success"]+"/cancel", "")
	want(t, "cancel too late", late.at("error.code"), "payment_intent_unexpected_state")

	byStatus := map[string]int{}
	for _, c := range b.wantCharges(2) {
		byStatus[c.Status]++
	}
	want(t, "succeeded", byStatus["succeeded"], 1)
	want(t, "returned", byStatus["returned"], 1)
	total := b.books("").Totals[0]
	want(t, "taken", total.Taken, int64(2000))
	want(t, "kept", total.Kept, int64(1000))
}

func TestRefundsNeverExceedTheCharge(t *testing.T) {
	b := open(t, stripesim.Options{})
	id := b.charge("pm_card_visa", "k1").at("id").(string)
	want(t, "part", b.post("/v1/refunds", "r1", "payment_intent", id, "amount", "400").status, 200)
	want(t, "same key again", b.post("/v1/refunds", "r1", "payment_intent", id, "amount", "400").status, 200)
	want(t, "too much", b.post("/v1/refunds", "r2", "payment_intent", id, "amount", "601").status, 400)
	want(t, "rest", b.post("/v1/refunds", "r3", "payment_intent", id).at("amount"), 600.0)
	want(t, "nothing left", b.post("/v1/refunds", "r4", "payment_intent", id).at("error.code"), "charge_already_refunded")
	want(t, "booked", b.wantCharges(1)[0].Status, "refunded")
}

func TestCustomerAuthenticates(t *testing.T) {
	b := open(t, stripesim.Options{})
	for _, c := range []struct{ step, status string }{{"authenticate", "succeeded"}, {"refuse", "requires_payment_method"}} {
		a := b.charge("pm_sim_requires_action", c.step)
		want(t, "waits", a.at("status"), "requires_action")
		want(t, c.step, b.post("/sim/payment_intents/"+a.at("id").(string)+"/"+c.step, "").at("status"), c.status)
	}
	b.wantCharges(1)
}

func TestMethodsBelongToTheirCustomer(t *testing.T) {
	b := open(t, stripesim.Options{})
	anna := b.post("/v1/customers", "", "name", "A").at("id").(string)
	bert := b.post("/v1/customers", "", "name", "B").at("id").(string)
	pm := b.post("/v1/payment_methods/pm_card_visa/attach", "", "customer", anna).at("id").(string)
	if pm == "pm_card_visa" {
		t.Fatal("attaching a test token must make a method of its own")
	}
	list := b.get("/v1/customers/" + anna + "/payment_methods")
	want(t, "list", len(list.body["data"].([]any)), 1)
	pay := func(customer, key string) answer {
		v := chargeParams(pm, key)
		v.Set("customer", customer)
		return b.do(t.Context(), http.MethodPost, "/v1/payment_intents", key, v)
	}
	want(t, "the owner's", pay(anna, "k1").status, 200)
	want(t, "somebody else's", pay(bert, "k2").status, 400)
	want(t, "detach", b.post("/v1/payment_methods/"+pm+"/detach", "").status, 200)
	want(t, "after detaching", pay(anna, "k3").status, 400)
	b.wantCharges(1)
}

func TestKeysAndParametersAreChecked(t *testing.T) {
	b := open(t, stripesim.Options{Limits: true})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/balance", nil)
	if err != nil {
		t.Fatal(err)
	}
	for header, expect := range map[string]int{"": 401, "Bearer sk_live_x": 401, "Bearer sk_test_x": 200} {
		req.Header.Set("Authorization", header)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want(t, header, resp.StatusCode, expect)
	}
	for param, pairs := range map[string][]string{
		"amount":         {"currency", "usd"},
		"currency":       {"amount", "100"},
		"amont":          {"amount", "100", "currency", "usd", "amont", "1"},
		"payment_method": {"amount", "100", "currency", "usd", "confirm", "true", "payment_method", "pm_nobody"},
	} {
		a := b.post("/v1/payment_intents", "", pairs...)
		want(t, param+": status", a.status, 400)
		want(t, param+": param", a.at("error.param"), param)
	}
	want(t, "too small", b.post("/v1/payment_intents", "", "amount", "49", "currency", "usd").at("error.code"), "amount_too_small")
	want(t, "too large", b.post("/v1/payment_intents", "", "amount", "100000000", "currency", "usd").at("error.code"), "amount_too_large")
}
