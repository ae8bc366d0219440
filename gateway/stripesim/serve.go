package stripesim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Config is the simulator's configuration from the environment (go-envconfig).
type Config struct {
	Addr          string        `env:"RECOUP_SIMULATOR_ADDR, default=127.0.0.1:8090"`             // where it listens
	DatabaseURL   string        `env:"RECOUP_SIMULATOR_DATABASE_URL, required"`                   // Postgres; it uses its own schema, stripesim
	WebhookURL    string        `env:"RECOUP_SIMULATOR_WEBHOOK_URL"`                              // receives signed events; empty sends none
	WebhookSecret string        `env:"RECOUP_SIMULATOR_WEBHOOK_SECRET, default=whsec_recoup_dev"` // signs them
	Latency       time.Duration `env:"RECOUP_SIMULATOR_LATENCY, default=30ms"`                    // added to every API answer; 0 for none
	BankDelay     time.Duration `env:"RECOUP_SIMULATOR_BANK_DELAY, default=20s"`                  // until bank debits settle, and until returns follow
	SearchLag     time.Duration `env:"RECOUP_SIMULATOR_SEARCH_LAG, default=1s"`                   // until search finds a new intent
	KeyWindow     time.Duration `env:"RECOUP_SIMULATOR_KEY_WINDOW, default=24h"`                  // how long idempotency keys are kept
	Limits        bool          `env:"RECOUP_SIMULATOR_LIMITS, default=false"`                    // enforce Stripe's smallest and largest amounts
}

func (c Config) options(log *slog.Logger) Options {
	return Options{WebhookURL: c.WebhookURL, WebhookSecret: c.WebhookSecret, Latency: c.Latency, BankDelay: c.BankDelay, SearchLag: c.SearchLag,
		KeyWindow: c.KeyWindow, Limits: c.Limits, Log: log}
}

// Serve runs a simulator until ctx is done, then stops within five seconds. ready is called with the address once it answers; it may
// be nil.
func Serve(ctx context.Context, c Config, log *slog.Logger, ready func(addr string)) error {
	pool, err := pgxpool.New(ctx, c.DatabaseURL)
	if err != nil {
		return fmt.Errorf("gateway simulator: database: %w", err)
	}
	defer pool.Close()
	sim, err := New(ctx, pool, c.options(log))
	if err != nil {
		return fmt.Errorf("gateway simulator: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("gateway simulator: listen on %s: %w", c.Addr, err)
	}
	sim.Start()
	defer sim.Stop()
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr().String())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("gateway simulator: %w", err)
	case <-ctx.Done():
	}
	sim.close() // hanging requests let go first
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("gateway simulator: stop: %w", err)
	}
	return nil
}
