package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/billing"
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

	mu  sync.Mutex
	now time.Time
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
	if s.sim, err = stripesim.New(tb.Context(), pool, stripesim.Options{BankDelay: s.delay, SearchLag: 2 * time.Second, Now: s.clock}); err != nil {
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

// tokens gives the instrument of each behaviour.
var tokens = map[conformance.Behaviour]string{
	conformance.Succeeds:            "pm_card_visa",
	conformance.DeclinedFunds:       "pm_card_visa_chargeDeclinedInsufficientFunds",
	conformance.DeclinedLost:        "pm_card_visa_chargeDeclinedLostCard",
	conformance.DeclinedAdvice:      "pm_sim_mastercard_advice_03",
	conformance.NeedsAuthentication: "pm_card_authenticationRequired",
	conformance.WaitsForCustomer:    "pm_sim_requires_action",
	conformance.TakesAPart:          "pm_sim_partial_60",
	conformance.TakesTooMuch:        "pm_sim_off_by_one",
	conformance.UnknownMethod:       "pm_nobody",
	conformance.BankSettles:         "pm_usBankAccount_success",
	conformance.BankFails:           "pm_usBankAccount_insufficientFunds",
	conformance.BankStays:           "pm_usBankAccount_processing",
	conformance.TimeoutBefore:       "pm_sim_timeout_before_effect",
	conformance.TimeoutAfter:        "pm_sim_timeout_after_effect",
	conformance.LateEffect:          "pm_sim_late_effect_2s",
	conformance.ServerErrBefore:     "pm_sim_error_500_before",
	conformance.ServerErrAfter:      "pm_sim_error_500_after",
	conformance.ServerErrKept:       "pm_sim_error_500_stored",
	conformance.ServerErrPaid:       "pm_sim_error_500_stored_paid",
	conformance.ProxyErrBefore:      "pm_sim_error_503_before",
	conformance.ResetBefore:         "pm_sim_reset_before",
	conformance.ResetAfter:          "pm_sim_reset",
	conformance.Slow:                "pm_sim_slow_200ms",
	conformance.Truncated:           "pm_sim_malformed",
	conformance.HTMLAnswer:          "pm_sim_malformed_html",
	conformance.UnknownStatus:       "pm_sim_malformed_enum",
	conformance.WrongType:           "pm_sim_malformed_type",
	conformance.EmptyAnswer:         "pm_sim_malformed_empty",
	conformance.HugeAnswer:          "pm_sim_huge_body",
	conformance.RateLimited:         "pm_sim_rate_limited_429",
	conformance.InProgress:          "pm_sim_conflict_409_then_ok",
	conformance.Unauthorized:        "pm_sim_unauthorized_401",
}

// brokenLookUps are the ways a look-up can fail, each a set of fault scripts.
var brokenLookUps = [][]stripesim.Script{
	{{Endpoint: "payment_intents.search", Fault: stripesim.Error500Before}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.Error503Before}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.TimeoutBefore}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.Malformed}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.MalformedHTML}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.RateLimited429}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.Unauthorized401}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.Reset}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}}, // the index lags; the list knows
	{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.Error500Before}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.TimeoutBefore}},
	{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.Malformed}},
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
		Gateway: s.adapter, Unreachable: unreachable, Now: s.clock, BankDelay: s.delay,
		Instrument: func(t *testing.T, b conformance.Behaviour) conformance.Instrument {
			t.Helper()
			token, ok := tokens[b]
			if !ok {
				t.Fatalf("no instrument %q", b)
			}
			i := conformance.Instrument{Token: token, Kind: billing.MethodCard}
			if b == conformance.BankSettles || b == conformance.BankFails || b == conformance.BankStays {
				i.Kind = billing.MethodUSBankAccount
			}
			return i
		},
		Books:  s.books,
		Struck: s.struck,
		Elapse: s.elapse,
		CustomerActs: func(t *testing.T, reference string) {
			t.Helper()
			s.admin(t, http.MethodPost, "/sim/payment_intents/"+reference+"/authenticate", nil, nil)
		},
		BreakLookUps: func(t *testing.T, way int) int {
			t.Helper()
			s.admin(t, http.MethodDelete, "/sim/faults", nil, nil)
			if way > 0 {
				for _, script := range brokenLookUps[way-1] {
					s.admin(t, http.MethodPost, "/sim/faults", script, nil)
				}
			}
			return len(brokenLookUps)
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
