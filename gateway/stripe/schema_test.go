package stripe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/stripe"
)

// published is Stripe's own mock, which checks every request against the published OpenAPI schema, and what it answered.
type published struct {
	stub     http.HandlerFunc
	requests []string // "POST /v1/payment_intents 200"
	bodies   []string
}

func newPublished(t *testing.T) *published {
	t.Helper()
	spec, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := server.NewStubServer(fixtures, spec, false, false)
	if err != nil {
		t.Fatal(err)
	}
	return &published{stub: stub.HandleRequest}
}

func (p *published) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := httptest.NewRecorder()
	p.stub(recorder, r)
	p.requests = append(p.requests, r.Method+" "+r.URL.Path+" "+http.StatusText(recorder.Code))
	p.bodies = append(p.bodies, recorder.Body.String())
	for k, v := range recorder.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}

// TestRequestsFitStripesPublishedSchema sends every kind of request that the adapter makes to stripe-mock.
func TestRequestsFitStripesPublishedSchema(t *testing.T) {
	p := newPublished(t)
	httpServer := httptest.NewServer(p)
	defer httpServer.Close()
	cfg := testConfig(httpServer.URL)
	cfg.OfflineMandates = true
	cfg.Timeout = cfg.LookUpLag // the mock is slow on its first requests
	a, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	bank := tenDollars
	bank.Kind, bank.Token = billing.MethodUSBankAccount, "pm_usBankAccount_success"
	a.Charge(ctx, tenDollars)
	a.Charge(ctx, bank)
	a.LookUp(ctx, gateway.LookUpRequest{Attempt: "att-1", Reference: "pi_1", FirstSentAt: time.Now()})
	a.LookUp(ctx, gateway.LookUpRequest{Attempt: "att-1", FirstSentAt: time.Now()})
	a.Cancel(ctx, gateway.LookUpRequest{Attempt: "att-1", Reference: "pi_1"})
	if err := a.SelfTest(ctx); err != nil {
		t.Error(err)
	}
	want := []string{"POST /v1/payment_intents OK", "POST /v1/payment_intents OK", "GET /v1/payment_intents/pi_1 OK", "GET /v1/payment_intents/search OK",
		"GET /v1/payment_intents OK", "GET /v1/payment_intents/pi_1 OK", "POST /v1/payment_intents/pi_1/cancel OK", "GET /v1/balance OK"}
	if got := strings.Join(p.requests, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("requests:\n%s\nwant:\n%s\nanswers:\n%s", got, strings.Join(want, "\n"), strings.Join(p.bodies, "\n"))
	}
}

// TestStripeMockRefusesWhatIsNotInTheSchema shows that the test above can fail.
func TestStripeMockRefusesWhatIsNotInTheSchema(t *testing.T) {
	p := newPublished(t)
	for _, form := range []url.Values{
		{"amount": {"1000"}, "currency": {"usd"}, "colour": {"red"}},
		{"amount": {"many"}, "currency": {"usd"}},
		{"currency": {"usd"}},
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/payment_intents", strings.NewReader(form.Encode()))
		r.Header.Set("Authorization", "Bearer sk_test_123")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%v: HTTP %d, want 400", form, w.Code)
		}
	}
}
