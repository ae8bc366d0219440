package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.temporal.io/sdk/client"

	"recoup/gateway"
	"recoup/gateway/stripe"
	"recoup/notify"
	"recoup/starter"
	"recoup/store"
)

// Config is the worker's part of the environment.
type Config struct {
	Schedule starter.Config
	Stripe   stripe.Config
	Mail     notify.MailConfig
	Links    notify.Links
	Hook     notify.HookConfig
	Watch    WatchConfig
}

// WatchConfig is how often the worker audits.
type WatchConfig struct {
	AuditEvery time.Duration `env:"RECOUP_AUDIT_EVERY, default=5m"` // incremental; a full audit runs once a day; 0s: none
}

// NewParts builds the parts from the configuration. The store and the Temporal client stay the caller's to close; Close gives back the
// rest. A gateway that refuses the configuration is an error; one that can't be asked now is logged and waited for.
func (c Config) NewParts(ctx context.Context, s *store.Store, t client.Client, log *slog.Logger) (p Parts, closeParts func(), err error) {
	if err := c.Schedule.Check(); err != nil {
		return p, nil, err
	}
	if err := c.Links.Check(); err != nil {
		return p, nil, err
	}
	adapter, err := stripe.New(c.Stripe)
	if err != nil {
		return p, nil, err
	}
	if err := selfTest(ctx, adapter.Name(), adapter, log); err != nil {
		return p, nil, err
	}
	mailer, err := notify.NewMailer(c.Mail)
	if err != nil {
		return p, nil, fmt.Errorf("mail: %w", err)
	}
	hook, err := notify.NewHook(c.Hook, s, log)
	if err != nil {
		mailer.Close()
		return p, nil, err
	}
	return Parts{
		Store: s, Temporal: t, Gateways: []gateway.Gateway{adapter}, Hook: hook, Log: log,
		Dispatcher: &notify.Dispatcher{Notices: s, Mailer: mailer, Links: c.Links, Log: log},
		Schedule:   c.Schedule,
		Watch:      &Watch{Store: s, Meter: noop.Meter{}, Log: log, AuditEvery: c.Watch.AuditEvery},
	}, mailer.Close, nil
}

// selfTest says a wrong key at the start and not by the first charge (faults.md A22). An outage of the gateway stops no worker: cases
// wait for it, and what needs no gateway goes on.
func selfTest(ctx context.Context, name string, g gateway.SelfTester, log *slog.Logger) error {
	err := g.SelfTest(ctx)
	if errors.Is(err, gateway.ErrRefused) {
		return err
	}
	if err != nil {
		log.Warn("the gateway does not answer yet: its self-test failed, charges wait until it does", "gateway", name, "error", err)
	}
	return nil
}
