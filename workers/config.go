package workers

import (
	"context"
	"fmt"
	"log/slog"

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
}

// NewParts builds the parts from the configuration. The store and the Temporal client stay the caller's to close; Close gives back the
// rest.
func (c Config) NewParts(_ context.Context, s *store.Store, t client.Client, log *slog.Logger) (p Parts, closeParts func(), err error) {
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
	}, mailer.Close, nil
}
