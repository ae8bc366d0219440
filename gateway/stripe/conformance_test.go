package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/conformance"
	"recoup/gateway/stripe"
	"recoup/gateway/stripesim"
	"recoup/money"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, stripesim.Migrate, stripesim.Migrations) }

// TestConformance runs the suite over real HTTP against the simulator on a Postgres of its own (U6, D2, PM4, PM5).
func TestConformance(t *testing.T) { conformance.Run(t, newStand(t).harness(t)) }

// stand is an adapter and a simulated gateway that share a clock which the test moves.
type stand struct {
	sim     *stripesim.Simulator
	url     string
	adapter *stripe.Adapter
	delay   time.Duration

	mu      sync.Mutex
	now     time.Time
	arrived []conformance.Delivery
}

func (s *stand) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func testConfig(url string) stripe.Config {
	return stripe.Config{URL: url, Key: "sk_test_conformance", Timeout: time.Second, LookUpLag: 15 * time.Minute, ChargesPerSecond: 100,
		WebhookSecrets: []string{"whsec_new", "whsec_old"}}
}

func newStand(tb testing.TB) *stand {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), pgtest.New(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	s := &stand{delay: time.Minute, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	inbox := httptest.NewServer(http.HandlerFunc(s.takeWebhook))
	tb.Cleanup(inbox.Close)
	if s.sim, err = stripesim.New(tb.Context(), pool, stripesim.Options{BankDelay: s.delay, SearchLag: 2 * time.Second, Now: s.clock,
		WebhookURL: inbox.URL, WebhookSecret: "whsec_old"}); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(s.sim)
	tb.Cleanup(server.Close)
	tb.Cleanup(s.sim.Stop)
	s.url = server.URL
	if s.adapter, err = stripe.New(testConfig(s.url), stripe.WithClock(s.clock)); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *stand) harness(t *testing.T) conformance.Harness {
	t.Helper()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	unreachable, err := stripe.New(testConfig("http://"+closed.Addr().String()), stripe.WithClock(s.clock))
	if err != nil {
		t.Fatal(err)
	}
	return conformance.Harness{
		Gateway: s.adapter, Unreachable: unreachable, Now: s.clock, BankDelay: s.delay, Instruments: instruments(),
		Books: s.books, Struck: s.struck, Elapse: s.elapse, Deliveries: s.deliveries,
		CustomerActs: func(t *testing.T, reference string) {
			t.Helper()
			s.admin(t, http.MethodPost, "/sim/payment_intents/"+reference+"/authenticate", nil, nil)
		},
		Break: func(t *testing.T, read conformance.Read, way int) int {
			t.Helper()
			s.admin(t, http.MethodDelete, "/sim/faults", nil, nil)
			if way > 0 {
				for _, script := range broken[read][way-1] {
					s.admin(t, http.MethodPost, "/sim/faults", script, nil)
				}
			}
			return len(broken[read])
		},
		BreakWebhook: func(t *testing.T, fault conformance.WebhookFault, attempt billing.AttemptID) {
			t.Helper()
			s.admin(t, http.MethodPost, "/sim/faults", stripesim.Script{Endpoint: "webhook", Token: "payment_intent.succeeded", Key: string(attempt),
				Fault: brokenWebhooks[fault]}, nil)
		},
	}
}

func (s *stand) elapse(t *testing.T, d time.Duration) {
	t.Helper()
	s.mu.Lock()
	s.now = s.now.Add(d)
	s.mu.Unlock()
	if err := s.sim.Step(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// takeWebhook keeps what the simulator delivers, for the suite to read.
func (s *stand) takeWebhook(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, conformance.Delivery{Body: body, Signature: r.Header.Get("Stripe-Signature")})
}

// deliveries lets the simulator deliver, also what a script holds back for a while.
func (s *stand) deliveries(t *testing.T) []conformance.Delivery {
	t.Helper()
	s.elapse(t, 0)
	s.elapse(t, 10*time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.arrived
	s.arrived = nil
	return got
}

func (s *stand) books(t *testing.T) []conformance.Booked {
	t.Helper()
	var books struct{ Charges []stripesim.BookedCharge }
	s.admin(t, http.MethodGet, "/books", nil, &books)
	var out []conformance.Booked
	for _, c := range books.Charges {
		currency, err := money.ParseCurrency(c.Currency)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, conformance.Booked{Attempt: billing.AttemptID(c.Attempt), Key: c.IdempotencyKey, Amount: money.New(c.Amount, currency), Pending: c.Status == "pending"})
	}
	return out
}

func (s *stand) struck(t *testing.T, attempt billing.AttemptID) bool {
	t.Helper()
	var faults struct{ Injected []stripesim.InjectedFault }
	s.admin(t, http.MethodGet, "/sim/faults", nil, &faults)
	for _, f := range faults.Injected {
		if f.IdempotencyKey == string(attempt) {
			return true
		}
	}
	return false
}

// admin talks to the simulator's own controls.
func (s *stand) admin(t *testing.T, verb, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), verb, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", verb, path, resp.Status)
	}
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
}

// A19: an attempt that was sent again may be on its way again, however long ago it was sent first.
func TestA19AMissSoonAfterAResendProvesNothing(t *testing.T) {
	s := newStand(t)
	sent := s.clock().Add(-time.Hour)
	again := gateway.LookUpRequest{Attempt: tenDollars.Attempt, FirstSentAt: sent, LastSentAt: s.clock().Add(-time.Minute)}
	if got := s.adapter.LookUp(t.Context(), again); got.State != billing.AttemptUnknown {
		t.Errorf("a minute after the second send a miss is %s, want unknown", got.State)
	}
	if got := s.adapter.LookUp(t.Context(), gateway.LookUpRequest{Attempt: tenDollars.Attempt, FirstSentAt: sent}); got.State != billing.AttemptNotSent {
		t.Errorf("an hour after the only send a miss is %s, want not_sent", got.State)
	}
}

// Where the customer is known at Stripe, its own payments are read and nobody else's.
func TestU1TheCustomersOwnListIsRead(t *testing.T) {
	const found = `{"object":"list","has_more":false,"data":[{"id":"pi_1","object":"payment_intent","status":"succeeded","amount":1000,
		"amount_received":1000,"currency":"usd","metadata":{"recoup_attempt":"att-1"}}]}`
	holds, asked := found, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/search") {
			_, _ = w.Write([]byte(`{"object":"search_result","has_more":false,"data":[]}`))
			return
		}
		asked = r.URL.Query().Get("customer")
		_, _ = w.Write([]byte(holds))
	}))
	defer server.Close()
	a, err := stripe.New(testConfig(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	req := gateway.LookUpRequest{Attempt: "att-1", CustomerToken: "cus_1", FirstSentAt: time.Now().Add(-time.Hour)}
	if got := a.LookUp(t.Context(), req); got.State != billing.AttemptSucceeded || got.Reference != "pi_1" || asked != "cus_1" {
		t.Errorf("found: %+v, asked for customer %q", got, asked)
	}
	holds = `{"object":"list","has_more":false,"data":[]}`
	if got := a.LookUp(t.Context(), req); got.State != billing.AttemptNotSent {
		t.Errorf("an hour later neither holds it: %+v", got)
	}
	req.FirstSentAt = time.Now()
	if got := a.LookUp(t.Context(), req); got.State != billing.AttemptUnknown {
		t.Errorf("just sent and not found: %+v", got)
	}
}
