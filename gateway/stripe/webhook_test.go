package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/stripe/stripe-go/v85/webhook"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/gateway/stripesim"
	"recoup/store/privatepg/pgtest"
)

func signed(body, secret string, at time.Time) string {
	return fmt.Sprintf("t=%d,v1=%x", at.Unix(), sdk.ComputeSignature(at, []byte(body), secret))
}

const succeededEvent = `{"id":"evt_1","object":"event","created":1772366400,"type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","object":"payment_intent","metadata":{"recoup_attempt":"att-1"}}}}`

// TestWebhookSignatures: forged, old, altered and unsigned webhooks are refused; both secrets are good while one is rolled (faults.md B4).
func TestWebhookSignatures(t *testing.T) {
	a, err := stripe.New(testConfig("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, c := range map[string]struct {
		body, signature string
		good            bool
	}{
		"new secret":     {succeededEvent, signed(succeededEvent, "whsec_new", now), true},
		"old secret":     {succeededEvent, signed(succeededEvent, "whsec_old", now), true},
		"other secret":   {succeededEvent, signed(succeededEvent, "whsec_other", now), false},
		"ten minutes":    {succeededEvent, signed(succeededEvent, "whsec_new", now.Add(-10*time.Minute)), false},
		"altered":        {strings.Replace(succeededEvent, "att-1", "att-2", 1), signed(succeededEvent, "whsec_new", now), false},
		"unsigned":       {succeededEvent, "", false},
		"nonsense":       {succeededEvent, "t=x,v1=y", false},
		"not an event":   {`[1]`, signed(`[1]`, "whsec_new", now), false},
		"without object": {`{"id":"evt_1"}`, signed(`{"id":"evt_1"}`, "whsec_new", now), false},
	} {
		event, err := a.ParseWebhook([]byte(c.body), c.signature)
		switch {
		case (err == nil) != c.good:
			t.Errorf("%s: %v", name, err)
		case !c.good && !errors.Is(err, stripe.ErrWebhook):
			t.Errorf("%s: the error says too much: %v", name, err)
		case c.good && event != (gateway.Event{Gateway: "stripe", ID: "evt_1", Type: "payment_intent.succeeded", About: billing.EventCapture, Attempt: "att-1", Reference: "pi_1", At: time.Unix(1772366400, 0).UTC()}):
			t.Errorf("%s: %+v", name, event)
		}
	}
}

// TestWebhooksOfOtherObjects: charges and disputes point to their intent; strange metadata is no attempt of ours.
func TestWebhooksOfOtherObjects(t *testing.T) {
	a, err := stripe.New(testConfig("http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	for object, want := range map[string]gateway.Event{
		`{"id":"du_1","object":"dispute","payment_intent":"pi_2"}`:                                                  {Reference: "pi_2"},
		`{"id":"ch_1","object":"charge","payment_intent":"pi_3","metadata":{"recoup_attempt":"att-3"}}`:             {Reference: "pi_3", Attempt: "att-3"},
		`{"id":"ch_1","object":"charge","payment_intent":null}`:                                                     {},
		`{"id":"pi_4","object":"payment_intent","metadata":{"recoup_attempt":"4242 4242 4242 4242"}}`:               {Reference: "pi_4"},
		`{"id":"pi_5","object":"payment_intent","metadata":{"recoup_attempt":"` + strings.Repeat("x", 1000) + `"}}`: {Reference: "pi_5"},
	} {
		body := `{"id":"evt_1","object":"event","created":0,"type":"t","data":{"object":` + object + `}}`
		got, err := a.ParseWebhook([]byte(body), signed(body, "whsec_new", time.Now()))
		if err != nil || got.Reference != want.Reference || got.Attempt != want.Attempt {
			t.Errorf("%s: %+v %v, want %+v", object, got, err, want)
		}
	}
}

// TestWebhooksArriveFromTheSimulator sends real deliveries into the handler: taken once stored, sent again when not.
func TestWebhooksArriveFromTheSimulator(t *testing.T) {
	var mu sync.Mutex
	var events []gateway.Event
	refuse := true
	cfg := testConfig("http://127.0.0.1:1")
	receiver, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inbox := httptest.NewServer(receiver.WebhookHandler(func(_ context.Context, e gateway.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			refuse = false
			return errors.New("the store is down")
		}
		events = append(events, e)
		return nil
	}))
	defer inbox.Close()
	pool, err := pgxpool.New(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ahead := time.Duration(0)
	sim, err := stripesim.New(t.Context(), pool, stripesim.Options{WebhookURL: inbox.URL, WebhookSecret: "whsec_old", Now: func() time.Time { return time.Now().Add(ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(sim)
	defer api.Close()
	cfg.URL = api.URL
	a, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	req := tenDollars
	req.CustomerToken = ""
	answer := a.Charge(t.Context(), req)
	for range 2 { // the first delivery is refused
		if err := sim.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		ahead += 2 * time.Second
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 1 || events[0].Attempt != billing.AttemptID("att-1") || events[0].Reference != answer.Reference || events[0].Type != "payment_intent.succeeded" {
		t.Errorf("events = %+v, want the success of att-1 once; the charge was %+v", events, answer)
	}
	resp, err := http.Get(inbox.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET = %s, want 405", resp.Status)
	}
}
