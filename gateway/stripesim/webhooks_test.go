package stripesim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"recoup/gateway/stripesim"
)

// inbox is a webhook receiver that checks signatures with Stripe's own library.
type inbox struct {
	mu    sync.Mutex
	good  []string // types, in order of arrival
	bad   int
	fails int // so many answers are 500 first
	url   string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.fails > 0 {
			in.fails--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		// The test's clock is not the machine's, so only the signature and, in one case, the age relative to it are checked.
		event, err := webhook.ConstructEventIgnoringTolerance(body, r.Header.Get("Stripe-Signature"), "whsec_test")
		if err != nil || strings.Contains(r.Header.Get("Stripe-Signature"), "t=1772362800,") { // 11:00, an hour before the test's noon
			in.bad++
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		in.good = append(in.good, string(event.Type))
	}))
	t.Cleanup(server.Close)
	in.url = server.URL
	return in
}

func (in *inbox) take() (good string, bad int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	good, bad = strings.Join(in.good, " "), in.bad
	in.good, in.bad = nil, 0
	return good, bad
}

func TestWebhooksAreSignedAndTellEveryStep(t *testing.T) {
	in := newInbox(t)
	b := open(t, stripesim.Options{WebhookURL: in.url, WebhookSecret: "whsec_test", BankDelay: time.Minute})
	step := func(expect string) {
		t.Helper()
		b.pass(0)
		good, bad := in.take()
		want(t, "events", good, expect)
		want(t, "bad ones", bad, 0)
	}
	id := b.charge("pm_card_visa", "k1").at("id").(string)
	step("payment_intent.succeeded")
	b.charge("pm_card_visa_chargeDeclined", "k2")
	step("payment_intent.payment_failed")
	b.post("/v1/refunds", "r1", "payment_intent", id)
	step("charge.refunded")
	waiting := b.charge("pm_sim_requires_action", "k3").at("id").(string)
	step("payment_intent.requires_action")
	b.post("/v1/payment_intents/"+waiting+"/cancel", "c1")
	step("payment_intent.canceled")
	b.charge("pm_usBankAccount_dispute", "k4")
	step("payment_intent.processing")
	b.pass(time.Minute)
	step("payment_intent.succeeded")
	b.pass(time.Minute)
	step("charge.dispute.created")
	b.charge("pm_card_visa", "k1") // a replay tells nothing anew
	step("")
}

func TestWebhooksAreRetriedUntilTaken(t *testing.T) {
	in := newInbox(t)
	in.fails = 2
	b := open(t, stripesim.Options{WebhookURL: in.url, WebhookSecret: "whsec_test"})
	b.charge("pm_card_visa", "k1")
	for _, pause := range []time.Duration{0, time.Second, 4 * time.Second} {
		b.pass(pause)
		good, _ := in.take()
		want(t, "not yet", good, "")
	}
	b.pass(time.Second)
	good, _ := in.take()
	want(t, "third try", good, "payment_intent.succeeded")
	b.pass(time.Hour)
	good, _ = in.take()
	want(t, "once", good, "")
}

func TestWebhookFaults(t *testing.T) {
	in := newInbox(t)
	b := open(t, stripesim.Options{WebhookURL: in.url, WebhookSecret: "whsec_test"})
	n := 0
	try := func(fault string) (string, int) {
		t.Helper()
		resp, err := http.Post(b.url+"/sim/faults", "application/json", strings.NewReader(`{"fault":"`+fault+`","endpoint":"webhook"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		n++
		b.charge("pm_card_visa", fault)
		b.pass(0)
		return in.take()
	}
	const ok = "payment_intent.succeeded"
	for _, c := range []struct {
		fault, good string
		bad         int
	}{
		{"webhook_old", ok, 1}, // first, while the clock stands at noon
		{"webhook_duplicate", ok + " " + ok, 0},
		{"webhook_forged", ok, 1},
		{"webhook_lost", "", 0},
		{"webhook_delayed", "", 0},
	} {
		good, bad := try(c.fault)
		want(t, c.fault, good, c.good)
		want(t, c.fault+" refused", bad, c.bad)
	}
	b.pass(5 * time.Second)
	good, _ := in.take()
	want(t, "delayed, later", good, ok)
}

func TestUndeliveredWebhooksSurviveARestart(t *testing.T) {
	in := newInbox(t)
	in.fails = 1
	opt := stripesim.Options{WebhookURL: in.url, WebhookSecret: "whsec_test"}
	b := open(t, opt)
	b.charge("pm_card_visa", "k1")
	b.pass(0)
	opt.Now = b.clock
	sim, err := stripesim.New(t.Context(), b.pool, opt)
	if err != nil {
		t.Fatal(err)
	}
	b.sim = sim
	b.pass(time.Second)
	good, _ := in.take()
	want(t, "after the restart", good, "payment_intent.succeeded")
}
