package workers_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/notify"
	"recoup/starter"
	"recoup/workers"
)

// TestA22ARefusedKeyIsSaidAtTheStart: a worker whose key is wrong does not start and says which variable to set; one whose gateway is
// down starts all the same.
func TestA22ARefusedKeyIsSaidAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		refused bool
		logged  bool
	}{
		"good key":      {200, `{"object":"balance","livemode":false}`, false, false},
		"refused key":   {401, `{"error":{"type":"invalid_request_error"}}`, true, false},
		"other mode":    {200, `{"object":"balance","livemode":true}`, true, false},
		"gateway down":  {503, `{"error":{"type":"api_error"}}`, false, true},
		"no permission": {403, `{"error":{"type":"invalid_request_error"}}`, false, true}, // restricted keys need not read balances
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer api.Close()
			var log bytes.Buffer
			config := workers.Config{
				Schedule: starter.Config{ScanEvery: time.Minute, CheckEvery: time.Hour, ReconcileEvery: time.Hour},
				Stripe:   stripe.Config{URL: api.URL, Key: "sk_test_start", Timeout: time.Second, LookUpLag: time.Minute, ChargesPerSecond: 1},
				Mail:     notify.MailConfig{Addr: "127.0.0.1:25", TLS: "none", From: "billing@example.com", Timeout: time.Second, Connections: 1},
				Links:    notify.Links{BaseURL: "https://billing.example.com"},
			}
			_, closeParts, err := config.NewParts(t.Context(), nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				closeParts()
			}
			if c.refused && (!errors.Is(err, gateway.ErrRefused) || !strings.Contains(err.Error(), "RECOUP_STRIPE_KEY")) || !c.refused && err != nil {
				t.Errorf("started with %v", err)
			}
			if got := strings.Contains(log.String(), "does not answer yet"); got != c.logged {
				t.Errorf("logged %q", log.String())
			}
			if strings.Contains(log.String(), "sk_test") || err != nil && strings.Contains(err.Error(), "sk_test") {
				t.Errorf("the key is told: %s %v", log.String(), err)
			}
		})
	}
}
