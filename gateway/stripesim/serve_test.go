package stripesim_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"

	"recoup/gateway/stripesim"
	"recoup/store/privatepg/pgtest"
)

// TestServe starts the standalone server from environment variables alone, uses it and stops it.
func TestServe(t *testing.T) {
	var cfg stripesim.Config
	env := envconfig.MapLookuper(map[string]string{"RECOUP_SIMULATOR_ADDR": "127.0.0.1:0", "RECOUP_SIMULATOR_DATABASE_URL": pgtest.New(t), "RECOUP_SIMULATOR_LATENCY": "1ms"})
	if err := envconfig.ProcessWith(t.Context(), &envconfig.Config{Target: &cfg, Lookuper: env}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- stripesim.Serve(ctx, cfg, slog.New(slog.DiscardHandler), func(addr string) { ready <- addr })
	}()
	var b bench
	select {
	case addr := <-ready:
		b = bench{t: t, url: "http://" + addr}
	case err := <-done:
		t.Fatal(err)
	}
	want(t, "a charge", b.charge("pm_card_visa", "k1").status, 200)
	b.charge("pm_card_visa_chargeDeclined", "k2")
	for path, text := range map[string]string{"/": "pm_usBankAccount_success", "/healthz": "ok"} {
		resp, err := http.Get(b.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), text) {
			t.Errorf("%s: %s %v", path, resp.Status, err)
		}
	}
	hanging := make(chan answer, 1)
	go func() {
		hanging <- b.do(context.Background(), http.MethodPost, "/v1/payment_intents", "k3", chargeParams("pm_sim_timeout_before_effect", "k3"))
	}()
	eventually(t, "the request hangs", func() bool {
		injected, _ := b.get("/sim/faults").body["injected"].([]any)
		return len(injected) == 1
	})
	start := time.Now()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("stopping took %s although a request was hanging", took)
	}
	if a := <-hanging; a.err == nil {
		t.Errorf("the hanging request got an answer: %d", a.status)
	}
}

// TestAuthenticationPage is the customer's way through a waiting payment in a browser.
func TestAuthenticationPage(t *testing.T) {
	b := open(t, stripesim.Options{})
	id := b.charge("pm_sim_requires_action", "k1").at("id").(string)
	page := func(verb string) string {
		req, err := http.NewRequestWithContext(t.Context(), verb, b.url+"/sim/authenticate/"+id, strings.NewReader("answer=approve"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	want(t, "asks", strings.Contains(page(http.MethodGet), "Approve"), true)
	want(t, "approved", strings.Contains(page(http.MethodPost), "it is succeeded"), true)
	b.wantCharges(1)
}
