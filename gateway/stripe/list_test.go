package stripe_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/stripe"
)

// listed reads a gateway's list to its end.
func listed(t *testing.T, g gateway.ChargeLister, from, to time.Time) (all []billing.ListedCharge, pages int) {
	t.Helper()
	for cursor, more := "", true; more; pages++ {
		page, err := g.ListCharges(t.Context(), from, to, cursor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Charges...)
		cursor, more = page.Next, page.Next != ""
	}
	return all, pages
}

func TestI1EveryPaymentThatTookMoneyIsListedOnce(t *testing.T) {
	s := newStand(t)
	const n = 105 // more than a page
	for i := range n {
		req := tenDollars
		req.CustomerToken, req.Attempt = "", billing.AttemptID(fmt.Sprint("attempt-", i))
		if i == 50 {
			req.Token = "pm_card_visa_chargeDeclined"
		}
		s.adapter.Charge(t.Context(), req)
	}
	all, pages := listed(t, s.adapter, s.clock().Add(-time.Hour), s.clock().Add(time.Hour))
	seen := map[billing.AttemptID]bool{}
	for _, c := range all {
		seen[c.Attempt] = true
		if c.Taken != tenDollars.Amount || c.Reference == "" || !c.At.Equal(s.clock()) {
			t.Errorf("listed %+v", c)
		}
	}
	if len(all) != n-1 || len(seen) != n-1 || seen["attempt-50"] || pages != 2 {
		t.Errorf("%d listed, %d attempts, on %d pages; want each of the %d that took money", len(all), len(seen), pages, n-1)
	}
	if before, _ := listed(t, s.adapter, s.clock().Add(-2*time.Hour), s.clock()); len(before) != 0 {
		t.Errorf("%d listed that are not in [from, to)", len(before))
	}
}

func TestI1APaymentWithoutOurMarkIsListedUnlessOthersUseTheAccount(t *testing.T) {
	s := newStand(t)
	form := url.Values{"amount": {"100"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "confirm": {"true"}, "off_session": {"true"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/payment_intents", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer sk_test_conformance")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if all, _ := listed(t, s.adapter, s.clock().Add(-time.Hour), s.clock().Add(time.Hour)); len(all) != 1 || all[0].Attempt != "" {
		t.Fatalf("listed %+v", all)
	}
	config := testConfig(s.url)
	config.SharedAccount = true
	shared, err := stripe.New(config, stripe.WithClock(s.clock))
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := listed(t, shared, s.clock().Add(-time.Hour), s.clock().Add(time.Hour)); len(all) != 0 {
		t.Errorf("listed %+v", all)
	}
}

func TestD2AListThatCanNotBeReadIsAnError(t *testing.T) {
	gone, err := stripe.New(testConfig("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if page, err := gone.ListCharges(t.Context(), time.Unix(0, 0), time.Now(), ""); err == nil {
		t.Errorf("listed %+v", page)
	}
}
