package audit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/gateway/stripesim"
	"recoup/money"
)

// simulated is a world whose charges go through the real adapter to the real simulator.
type simulated struct {
	*world
	adapter *stripe.Adapter
	url     string
}

func newSimulated(t *testing.T) *simulated {
	t.Helper()
	w := newWorld(t, time.Date(2026, 7, 6, 12, 0, 0, 0, time.UTC))
	clock := func() time.Time { return w.now }
	sim, err := stripesim.New(context.Background(), w.Pool(), stripesim.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	t.Cleanup(sim.Stop)
	adapter, err := stripe.New(stripe.Config{URL: server.URL, Key: "sk_test_audit", Timeout: 10 * time.Second, LookUpLag: time.Minute, ChargesPerSecond: 100},
		stripe.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	return &simulated{world: w, adapter: adapter, url: server.URL}
}

// charge makes one attempt through the gateway.
func (s *simulated) charge(step dunning.Step, id billing.CaseID) (billing.Answer, dunning.Step) {
	s.t.Helper()
	ctx := context.Background()
	c, _, err := s.BeginAttempt(ctx, id, step.Method, window)
	s.must(err)
	s.must(s.MarkSent(ctx, c.Attempt, window))
	answer := s.adapter.Charge(ctx, gateway.ChargeRequest{Attempt: c.Attempt, Invoice: c.Invoice, Case: c.Case, InvoiceNumber: c.InvoiceNumber,
		Kind: c.Kind, Token: c.Token, Amount: c.Amount})
	next, err := s.RecordAnswer(ctx, id, c.Attempt, answer)
	s.must(err)
	return answer, next
}

func (s *simulated) post(path string, form url.Values) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	s.must(err)
	req.Header.Set("Authorization", "Bearer sk_test_audit")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("POST %s answered %s", path, resp.Status)
	}
}

func (s *simulated) audit() Report {
	s.t.Helper()
	report, err := Run(context.Background(), s.Pool(), Options{Now: s.now, Books: []Books{SimulatorBooks{URL: s.url}}})
	s.must(err)
	return report
}

func TestTheSimulatorsBooksEqualTheLedger(t *testing.T) {
	s := newSimulated(t)
	s.account("acme", "pm-1", "pm-2")
	s.exec(`update payment_methods set token = 'pm_card_visa_chargeDeclinedInsufficientFunds' where id = 'pm-1'`)
	s.account("beta", "pm-3")
	paid := s.invoice("inv-1", "acme", 4900)
	_, step := s.charge(s.review(paid), paid)
	s.charge(step, paid)
	returned := s.invoice("inv-2", "beta", 7000)
	answer, _ := s.charge(s.review(returned), returned)
	s.post("/sim/payment_intents/"+answer.Reference+"/dispute", nil)

	if broken := s.audit().Broken(); len(broken) != 1 || broken[0].ID != "I2" || broken[0].Total != 1 {
		t.Fatalf("a return that nobody recorded: %+v", broken)
	}
	_, err := s.RecordReversal(t.Context(), billing.AttemptID(s.scan(`select id::text from attempts where invoice_id = 'inv-2'`)),
		billing.Reversal{Reference: "dp_1", Code: "fraudulent", Amount: money.New(7000, usd)})
	s.must(err)
	report := s.audit()
	if !report.OK() {
		t.Fatalf("broken: %+v", report.Broken())
	}
	want := "USD: the gateway took 11,900 in 2 charges, banks took back 7,000 (a return is booked as an event of its own, U5)"
	if notes := report.Invariants[1].Notes; !slices.Contains(notes, want) {
		t.Errorf("notes of I2: %q", notes)
	}

	// Someone charges past Recoup.
	s.post("/v1/payment_intents", url.Values{"amount": {"100"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
		"confirm": {"true"}, "off_session": {"true"}, "metadata[recoup_attempt]": {aStranger}})
	broken := s.audit().Broken()
	if len(broken) != 1 || broken[0].ID != "I1" || broken[0].Total != 1 || !strings.Contains(broken[0].Breaches[0].Says, aStranger) {
		t.Errorf("after a charge past Recoup: %+v", broken)
	}
}

// TestM1BooksCountAsISO4217: Stripe counts some currencies otherwise.
func TestM1BooksCountAsISO4217(t *testing.T) {
	body := `{"totals":[{"currency":"ISK"}],"charges":[{"id":"ch_1","amount":500000,"amount_refunded":100000,"currency":"ISK","status":"succeeded"},
		{"id":"ch_2","amount":1230,"currency":"KWD","status":"pending"},{"id":"ch_3","amount":500,"currency":"JPY","status":"refunded"},
		{"id":"ch_4","amount":70,"currency":"MGA","status":"returned","idempotency_key":"k","invoice":"inv-1","attempt":"a"}],"next":null}`
	var got []Charge
	if err := decodeBooks(strings.NewReader(body), func(c Charge) error { got = append(got, c); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []Charge{{ID: "ch_1", Minor: 5000, RefundedMinor: 1000, Currency: "ISK", Status: ChargeSucceeded}, {ID: "ch_2", Minor: 1230, Currency: "KWD", Status: ChargePending},
		{ID: "ch_3", Minor: 500, Currency: "JPY", Status: ChargeRefunded},
		{ID: "ch_4", Minor: 7000, Currency: "MGA", Status: ChargeReturned, Key: "k", Invoice: "inv-1", Attempt: "a"}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestBooksThatCannotBeReadAreAnError(t *testing.T) {
	for _, body := range []string{
		``, `[]`, `{}`, `{"charges":1}`, `{"charges":[`, `{"charges":[]`, `{"charges":[],"totals":[`, `{"charges":[{"id":1}]}`,
		`{"charges":[{"id":"ch_1","currency":"USD","status":"stolen"}]}`, `{"charges":[{"id":"ch_1","amount":1,"currency":"ISK","status":"succeeded"}]}`,
	} {
		if err := decodeBooks(strings.NewReader(body), func(Charge) error { return nil }); err == nil {
			t.Errorf("%q is taken for books", body)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	err := SimulatorBooks{URL: server.URL}.EachCharge(context.Background(), func(Charge) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "only the simulated gateway has books") {
		t.Errorf("from a server without books: %v", err)
	}
}
