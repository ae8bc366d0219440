package stripe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/money"
)

// canned is a server that answers everything with one status, header and body, and remembers what it was asked.
type canned struct {
	status int
	header map[string]string
	body   string
	asked  []*http.Request
	forms  []string
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	c.asked, c.forms = append(c.asked, r), append(c.forms, r.PostForm.Encode())
	w.Header().Set("Content-Type", "application/json")
	for k, v := range c.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(c.status)
	_, _ = w.Write([]byte(c.body))
}

func adapterTo(tb testing.TB, h http.Handler) *stripe.Adapter {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	a, err := stripe.New(testConfig(server.URL))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

var tenDollars = gateway.ChargeRequest{Attempt: "att-1", Invoice: "inv-1", Case: "case-1", InvoiceNumber: "2026-0001", Kind: billing.MethodCard,
	Token: "pm_card_visa", CustomerToken: "cus_1", Amount: money.New(1000, money.MustCurrency("USD"))}

// intent is a payment intent of attempt att-1 with a status and more fields.
func intent(status, more string) string {
	return fmt.Sprintf(`{"id":"pi_1","object":"payment_intent","amount":1000,"currency":"usd","metadata":{"recoup_attempt":"att-1"},"status":%q%s}`, status, more)
}

func refusal(fields string) string { return `{"error":{` + fields + `}}` }

// TestD2EveryAnswerFindsItsOutcome holds raw answers against the outcome they prove; what proves nothing is unknown.
func TestD2EveryAnswerFindsItsOutcome(t *testing.T) {
	const card = `"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"x"`
	for name, c := range map[string]struct {
		canned
		want gateway.Answer
	}{
		"succeeded":                  {canned{status: 200, body: intent("succeeded", `,"amount_received":1000`)}, gateway.Answer{State: billing.AttemptSucceeded, Captured: tenDollars.Amount}},
		"succeeded, other currency":  {canned{status: 200, body: strings.Replace(intent("succeeded", `,"amount_received":1000`), "usd", "eur", 1)}, gateway.Answer{State: billing.AttemptSucceeded, Captured: money.New(1000, money.MustCurrency("EUR"))}},
		"succeeded, a part":          {canned{status: 200, body: intent("succeeded", `,"amount_received":600`)}, gateway.Answer{State: billing.AttemptSucceeded, Captured: money.New(600, money.MustCurrency("USD"))}},
		"succeeded, no amount":       {canned{status: 200, body: intent("succeeded", "")}, gateway.Answer{State: billing.AttemptUnknown}},
		"succeeded, no currency":     {canned{status: 200, body: strings.Replace(intent("succeeded", `,"amount_received":1000`), "usd", "", 1)}, gateway.Answer{State: billing.AttemptUnknown}},
		"processing":                 {canned{status: 200, body: intent("processing", "")}, gateway.Answer{State: billing.AttemptPending}},
		"requires_action":            {canned{status: 200, body: intent("requires_action", "")}, gateway.Answer{State: billing.AttemptActionRequired}},
		"requires_capture":           {canned{status: 200, body: intent("requires_capture", "")}, gateway.Answer{State: billing.AttemptUnknown}},
		"requires_confirmation":      {canned{status: 200, body: intent("requires_confirmation", "")}, gateway.Answer{State: billing.AttemptUnknown}},
		"never confirmed":            {canned{status: 200, body: intent("requires_payment_method", "")}, gateway.Answer{State: billing.AttemptUnknown}},
		"failed":                     {canned{status: 200, body: intent("requires_payment_method", `,"last_payment_error":{"type":"invalid_request_error","code":"account_closed"}`)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "account_closed"}},
		"canceled":                   {canned{status: 200, body: intent("canceled", "")}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: stripe.CodeCanceled}},
		"canceled with money":        {canned{status: 200, body: intent("canceled", `,"amount_received":5`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"status nobody knows":        {canned{status: 200, body: intent("entangled", "")}, gateway.Answer{State: billing.AttemptUnknown}},
		"another attempt's intent":   {canned{status: 200, body: strings.Replace(intent("succeeded", `,"amount_received":1000`), "att-1", "att-2", 1)}, gateway.Answer{State: billing.AttemptUnknown}},
		"another object":             {canned{status: 200, body: strings.Replace(intent("succeeded", `,"amount_received":1000`), "payment_intent", "setup_intent", 1)}, gateway.Answer{State: billing.AttemptUnknown}},
		"status given twice":         {canned{status: 200, body: intent("canceled", `,"status":"succeeded","amount_received":1000`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"broken UTF-8":               {canned{status: 200, body: intent("succeeded", `,"amount_received":1000,"description":"`+"\xff"+`"`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"null":                       {canned{status: 200, body: "null"}, gateway.Answer{State: billing.AttemptUnknown}},
		"nothing":                    {canned{status: 200}, gateway.Answer{State: billing.AttemptUnknown}},
		"redirect":                   {canned{status: 307, header: map[string]string{"Location": "http://127.0.0.1:1/"}, body: intent("succeeded", `,"amount_received":1000`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"declined":                   {canned{status: 402, body: refusal(card)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds"}},
		"declined, with codes":       {canned{status: 402, body: refusal(card + `,"advice_code":"try_again_later","network_advice_code":"24","network_decline_code":"51"`)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", AdviceCode: "24", NetworkCode: "51"}},
		"declined, never again":      {canned{status: 402, body: refusal(card + `,"advice_code":"do_not_try_again","network_advice_code":"24"`)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "insufficient_funds", AdviceCode: "do_not_try_again"}},
		"declined, intent succeeded": {canned{status: 402, body: refusal(card + `,"payment_intent":` + intent("succeeded", `,"amount_received":1000`))}, gateway.Answer{State: billing.AttemptSucceeded, Captured: tenDollars.Amount}},
		"declined, intent pending":   {canned{status: 402, body: refusal(card + `,"payment_intent":` + intent("processing", ""))}, gateway.Answer{State: billing.AttemptPending}},
		"402 of another kind":        {canned{status: 402, body: refusal(`"type":"api_error","code":"","message":"x"`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"rate limited":               {canned{status: 429, header: map[string]string{"Retry-After": "7"}, body: refusal(`"type":"invalid_request_error","code":"rate_limit"`)}, gateway.Answer{State: billing.AttemptNotSent, DeclineCode: "rate_limit", Transient: true, RetryAfter: 7 * time.Second}},
		"locked":                     {canned{status: 429, body: refusal(`"type":"invalid_request_error","code":"lock_timeout"`)}, gateway.Answer{State: billing.AttemptNotSent, DeclineCode: "lock_timeout", Transient: true}},
		"wrong key":                  {canned{status: 401, body: refusal(`"type":"invalid_request_error","code":"api_key_expired"`)}, gateway.Answer{State: billing.AttemptNotSent, DeclineCode: "api_key_expired", OurConfig: true}},
		"not allowed":                {canned{status: 403, body: refusal(`"type":"invalid_request_error"`)}, gateway.Answer{State: billing.AttemptNotSent, OurConfig: true}},
		"wrong parameter":            {canned{status: 400, body: refusal(`"type":"invalid_request_error","code":"parameter_unknown","param":"colour"`)}, gateway.Answer{State: billing.AttemptNotSent, DeclineCode: "parameter_unknown", OurConfig: true}},
		"too small":                  {canned{status: 400, body: refusal(`"type":"invalid_request_error","code":"amount_too_small","param":"amount"`)}, gateway.Answer{State: billing.AttemptNotSent, DeclineCode: "amount_too_small", OurConfig: true}},
		"no such method":             {canned{status: 400, body: refusal(`"type":"invalid_request_error","code":"resource_missing","param":"payment_method"`)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "resource_missing"}},
		"detached method":            {canned{status: 400, body: refusal(`"type":"invalid_request_error","param":"payment_method"`)}, gateway.Answer{State: billing.AttemptDeclined, DeclineCode: stripe.CodeUnusableMethod}},
		"other parameters":           {canned{status: 400, body: refusal(`"type":"idempotency_error"`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"key in use":                 {canned{status: 409, body: refusal(`"type":"invalid_request_error","code":"idempotency_key_in_use"`)}, gateway.Answer{State: billing.AttemptUnknown, DeclineCode: "idempotency_key_in_use"}},
		"server error":               {canned{status: 500, body: refusal(`"type":"api_error"`)}, gateway.Answer{State: billing.AttemptUnknown}},
		"server error as a decline":  {canned{status: 503, body: refusal(card)}, gateway.Answer{State: billing.AttemptUnknown, DeclineCode: "insufficient_funds"}},
		"429 of a proxy":             {canned{status: 429, body: "<html>slow down</html>"}, gateway.Answer{State: billing.AttemptUnknown}},
		"401 without an envelope":    {canned{status: 401, body: `{"detail":"who are you"}`}, gateway.Answer{State: billing.AttemptUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			got := adapterTo(t, &c.canned).Charge(context.Background(), tenDollars)
			if len(c.asked) != 1 {
				t.Errorf("%d requests were sent, want 1", len(c.asked))
			}
			message := got.Message
			got.Message, got.Reference = "", ""
			if got != c.want {
				t.Errorf("got  %+v (%s)\nwant %+v", got, message, c.want)
			}
		})
	}
}

// TestPM5TheKeyIsTheAttempt looks at the request itself: key, metadata, off-session, no retries, no telemetry.
func TestPM5TheKeyIsTheAttempt(t *testing.T) {
	c := &canned{status: 200, body: intent("succeeded", `,"amount_received":1000`)}
	a := adapterTo(t, c)
	for range 2 { // telemetry of the first request would ride on the second
		a.Charge(context.Background(), tenDollars)
	}
	for i, r := range c.asked {
		if got := r.Header.Values("Idempotency-Key"); len(got) != 1 || got[0] != "att-1" {
			t.Errorf("Idempotency-Key = %q, want the attempt's id", got)
		}
		if got := r.Header.Get("X-Stripe-Client-Telemetry"); got != "" {
			t.Errorf("telemetry was sent: %s", got)
		}
		const want = "amount=1000&confirm=true&currency=usd&customer=cus_1&description=Invoice+2026-0001&metadata%5Brecoup_attempt%5D=att-1&metadata%5Brecoup_case%5D=case-1" +
			"&metadata%5Brecoup_invoice%5D=inv-1&off_session=true&payment_method=pm_card_visa&payment_method_types%5B0%5D=card"
		if c.forms[i] != want {
			t.Errorf("form = %s\nwant   %s", c.forms[i], want)
		}
	}
}

// TestI18MessagesNameNobody: what is logged never holds Stripe's texts, which can name a customer, nor the key.
func TestI18MessagesNameNobody(t *testing.T) {
	for _, status := range []int{400, 401, 402, 409, 429, 500} {
		c := &canned{status: status, body: refusal(`"type":"invalid_request_error","message":"No such customer: anna@example.com sk_test_conformance","param":"customer"`)}
		got := adapterTo(t, c).Charge(context.Background(), tenDollars)
		if text := fmt.Sprintf("%+v", got); strings.Contains(text, "anna") || strings.Contains(text, "sk_test") || strings.Contains(text, "pm_card") {
			t.Errorf("HTTP %d: %s", status, text)
		}
	}
}

// FuzzD2NeverSuccessFromGarbage feeds the decoder any answer. Whatever it is, success needs an intent of this very attempt that says
// succeeded and how much.
func FuzzD2NeverSuccessFromGarbage(f *testing.F) {
	f.Add(200, intent("succeeded", `,"amount_received":1000`))
	f.Add(200, `{"id":"pi_1","status":"succeeded"}`)
	f.Add(402, refusal(`"type":"card_error","payment_intent":`+intent("succeeded", `,"amount_received":7`)))
	f.Add(500, "<html>")
	f.Add(429, `{"error":{"type":"card_error","payment_intent":null}}`)
	c := &canned{}
	a := adapterTo(f, c)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 204 || status == 304 {
			return
		}
		c.status, c.body, c.asked, c.forms = status, body, nil, nil
		got := a.Charge(context.Background(), tenDollars)
		shown := shownIntent(body)
		ours := shown.Object == "payment_intent" && shown.Metadata["recoup_attempt"] == "att-1"
		switch got.State {
		case billing.AttemptSucceeded:
			if status >= 500 || !ours || shown.Status != "succeeded" || shown.Received <= 0 || !got.Captured.IsPositive() {
				t.Errorf("success from HTTP %d %q: %+v", status, body, got)
			}
		case billing.AttemptNotSent:
			if status < 400 || status >= 500 || shown.ID != "" {
				t.Errorf("not sent from HTTP %d %q", status, body)
			}
		case billing.AttemptDeclined:
			if status >= 500 || shown.ID != "" && !ours || shown.Status == "succeeded" || shown.Status == "processing" {
				t.Errorf("declined from HTTP %d %q", status, body)
			}
		case billing.AttemptPending, billing.AttemptActionRequired:
			if status >= 500 || !ours {
				t.Errorf("%s from HTTP %d %q", got.State, status, body)
			}
		case billing.AttemptUnknown:
		default:
			t.Errorf("state %q", got.State)
		}
	})
}

// shown is a payment intent as a reader apart from the adapter sees it.
type shown struct {
	ID, Object, Status string
	Received           int64 `json:"amount_received"`
	Metadata           map[string]string
}

// shownIntent reads the intent of an answer, or the one inside its error.
func shownIntent(body string) shown {
	var answer struct {
		shown
		Error *struct {
			Intent shown `json:"payment_intent"`
		}
	}
	_ = json.Unmarshal([]byte(body), &answer)
	if answer.Error != nil {
		return answer.Error.Intent
	}
	return answer.shown
}
