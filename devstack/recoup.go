package devstack

import (
	"context"
	"fmt"
	"time"

	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"recoup/console"
	"recoup/console/identitysim"
	"recoup/gateway/stripe"
	"recoup/gateway/stripesim"
	"recoup/store"
	"recoup/workers"
)

// Settings of Recoup's own parts that differ from production's defaults: a demonstration wants to be seen now.
const (
	gatewayDatabase = "gateway"
	devKey          = "sk_test_recoup_dev"
	devScanEvery    = "2s"
	devCheckEvery   = "30s"
	devLookUpLag    = "5s"
	// devLease is how long a dead stack's notices wait for the next one; it must be longer than a mail may take.
	devLease  = 20 * time.Second
	devSecret = "whsec_recoup_dev"
	// devClient is the console at the identity provider.
	devClient       = "recoup-console"
	devClientSecret = "recoup-dev-only"
)

// configure reads a part's configuration as the binary would, from what the stack has exported so far and then the environment.
func configure[T any](ctx context.Context, s *Stack) (T, error) {
	var c T
	err := envconfig.ProcessWith(ctx, &envconfig.Config{
		Target: &c, Lookuper: envconfig.MultiLookuper(envconfig.MapLookuper(s.Env()), envconfig.OsLookuper()),
	})
	return c, err
}

func startMigrate(ctx context.Context, s *Stack) (Running, error) {
	applied, err := store.Migrate(ctx, s.DatabaseURL())
	if err != nil {
		return Running{}, err
	}
	if err := store.GrantApp(ctx, s.DatabaseURL(), appRole, s.Postgres.Password()); err != nil {
		return Running{}, err
	}
	if err := s.Postgres.EnsureDatabase(ctx, gatewayDatabase); err != nil {
		return Running{}, err
	}
	return Running{Addr: fmt.Sprintf("schema is up to date, %d migrations applied", len(applied))}, nil
}

func startGateway(ctx context.Context, s *Stack) (Running, error) {
	addr := local(s.Ports.Gateway)
	s.Export("RECOUP_SIMULATOR_ADDR", addr)
	s.Export("RECOUP_SIMULATOR_DATABASE_URL", s.Postgres.URL(gatewayDatabase))
	s.Export("RECOUP_STRIPE_URL", "http://"+addr)
	s.Export("RECOUP_STRIPE_KEY", devKey)
	s.Export("RECOUP_STRIPE_LOOKUP_LAG", devLookUpLag)
	s.Export("RECOUP_STRIPE_TIMEOUT", "4s")
	s.Export("RECOUP_STRIPE_OFFLINE_MANDATES", "true")
	s.Export("RECOUP_SIMULATOR_WEBHOOK_URL", "http://"+local(s.Ports.Webhooks)+workers.StripeWebhooks)
	s.Export("RECOUP_SIMULATOR_WEBHOOK_SECRET", devSecret)
	s.Export("RECOUP_STRIPE_WEBHOOK_SECRETS", devSecret)
	c, err := configure[stripesim.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		return stripesim.Serve(ctx, c, s.Log, func(addr string) { ready("http://" + addr) })
	})
}

// startWebhooks comes after the gateway, which sends what it could not deliver again.
func startWebhooks(ctx context.Context, s *Stack) (Running, error) {
	s.Export("RECOUP_WEBHOOKS_ADDR", local(s.Ports.Webhooks))
	c, err := configure[workers.WebhookConfig](ctx, s)
	if err != nil {
		return Running{}, err
	}
	gateway, err := configure[stripe.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		db, err := store.Open(ctx, s.AppURL())
		if err != nil {
			return err
		}
		defer db.Close()
		return workers.ServeWebhooks(ctx, c, gateway, db, s.Log, func(addr string) { ready("http://" + addr) })
	})
}

func startWorkers(ctx context.Context, s *Stack) (Running, error) {
	s.Export("RECOUP_SCAN_EVERY", devScanEvery)
	s.Export("RECOUP_LIVE_CHECK_EVERY", devCheckEvery)
	c, err := configure[workers.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		db, err := store.Open(ctx, s.AppURL())
		if err != nil {
			return err
		}
		defer db.Close()
		temporal, err := client.DialContext(ctx, client.Options{
			HostPort: local(s.Ports.Temporal), Namespace: namespace, Logger: log.NewStructuredLogger(s.Log),
		})
		if err != nil {
			return err
		}
		defer temporal.Close()
		parts, closeParts, err := c.NewParts(ctx, db, temporal, s.Log)
		if err != nil {
			return err
		}
		defer closeParts()
		parts.Dispatcher.Lease = devLease
		return parts.Run(ctx, namespace, func() {
			ready(fmt.Sprintf("cases, charges, notices; looking for due invoices every %s", devScanEvery))
		})
	})
}

// startIdentity gives the console somebody to ask who people are: a click signs in, without a password.
func startIdentity(ctx context.Context, s *Stack) (Running, error) {
	options := identitysim.Options{ClientID: devClient, ClientSecret: devClientSecret, People: identitysim.People()}
	running, err := untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		return identitysim.Serve(ctx, local(s.Ports.Identity), options, ready)
	})
	if err != nil {
		return running, err
	}
	s.Export("RECOUP_OIDC_ISSUER", running.Addr)
	s.Export("RECOUP_OIDC_CLIENT_ID", devClient)
	s.Export("RECOUP_OIDC_CLIENT_SECRET", devClientSecret)
	running.Addr += ", one click signs in"
	return running, nil
}

func startConsole(ctx context.Context, s *Stack) (Running, error) {
	s.Export("RECOUP_CONSOLE_URL", fmt.Sprintf("http://localhost:%d", s.Ports.Console))
	s.Export("RECOUP_CONSOLE_ADDR", local(s.Ports.Console))
	c, err := configure[console.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	options, err := c.Options()
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		db, err := store.Open(ctx, s.AppURL())
		if err != nil {
			return err
		}
		defer db.Close()
		options.Store, options.Resolver, options.Policies, options.Batches, options.Own, options.Log = db, db, db, db, db, s.Log
		return console.Serve(ctx, c.Addr, options, func(string) { ready(c.URL) })
	})
}
