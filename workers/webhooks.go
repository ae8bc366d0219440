package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"recoup/billing"
	"recoup/gateway/stripe"
	"recoup/serving"
)

// WebhookConfig is where gateways' webhooks arrive. It is a listener of its own: nothing that people use is beside it (faults.md B8).
type WebhookConfig struct {
	Addr string `env:"RECOUP_WEBHOOKS_ADDR, default=127.0.0.1:8091"` // where it listens
}

// StripeWebhooks is the path that Stripe posts to.
const StripeWebhooks = "/stripe"

// EventStore is what webhooks need of Postgres.
type EventStore interface {
	TakeGatewayEvent(ctx context.Context, event billing.GatewayEvent) error
	Ping(ctx context.Context) error
}

// Webhooks takes the gateways' webhooks: the adapter checks the signature, the store keeps the event and has the attempt looked up.
// A gateway is answered 200 only when its event is stored; until then it sends it again.
func Webhooks(adapter *stripe.Adapter, events EventStore, log *slog.Logger) http.Handler {
	take := func(ctx context.Context, e billing.GatewayEvent) error {
		err := events.TakeGatewayEvent(ctx, e)
		if err != nil {
			log.Warn("event not stored; the gateway will send it again", "gateway", e.Gateway, "event", e.ID, "error", err)
			return err
		}
		log.Debug("event stored", "gateway", e.Gateway, "event", e.ID, "type", e.Type, "attempt", e.Attempt)
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle(StripeWebhooks, adapter.WebhookHandler(take))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := events.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return mux
}

// ErrNoWebhookSecret says what to set: without a secret every webhook would be refused, so the process does not start.
var ErrNoWebhookSecret = errors.New("RECOUP_STRIPE_WEBHOOK_SECRETS is empty: set the signing secret that Stripe shows for the endpoint (whsec_…)")

// ServeWebhooks listens until ctx ends. ready is called with the address once it answers; it may be nil.
func ServeWebhooks(ctx context.Context, c WebhookConfig, gateway stripe.Config, events EventStore, log *slog.Logger, ready func(addr string)) error {
	if len(gateway.WebhookSecrets) == 0 {
		return ErrNoWebhookSecret
	}
	adapter, err := stripe.New(gateway)
	if err != nil {
		return err
	}
	listener, err := serving.Listen(ctx, c.Addr)
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	server := &http.Server{
		Handler: Webhooks(adapter, events, log), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	if err := serving.Until(ctx, server, listener, stopWait, ready); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	return nil
}
