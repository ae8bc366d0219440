package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/sethvargo/go-envconfig"
	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	temporalconfig "go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"recoup/console"
	"recoup/gateway/stripesim"
	"recoup/store"
	"recoup/workers"
	"recoup/workers/metrics"
)

// databaseConfig is where Recoup's truth is.
type databaseConfig struct {
	URL string `env:"DATABASE_URL, default=postgres://recoup@localhost:5433/recoup?sslmode=disable"` // Postgres, the primary
}

// logConfig is how processes log: JSON lines with ids, never names, mails or tokens (I18).
type logConfig struct {
	Level slog.Level `env:"RECOUP_LOG_LEVEL, default=info"` // debug, info, warn or error
}

// process reads a configuration from the environment.
func process[T any](ctx context.Context) (T, error) {
	var c T
	if err := envconfig.Process(ctx, &c); err != nil {
		return c, fmt.Errorf("configuration: %w (recoup config lists every variable)", err)
	}
	return c, nil
}

func newLogger(ctx context.Context) (*slog.Logger, error) {
	c, err := process[logConfig](ctx)
	if err != nil {
		return nil, err
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.Level})), nil
}

func openStore(ctx context.Context) (*store.Store, error) {
	c, err := process[databaseConfig](ctx)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, c.URL)
	if err != nil {
		return nil, fmt.Errorf("%w\nStart Postgres (make run starts everything) or set DATABASE_URL, then recoup migrate", err)
	}
	return s, nil
}

// dialTemporal connects as Temporal's own configuration says: profiles, TLS, API key (TEMPORAL_…).
func dialTemporal(ctx context.Context, logger *slog.Logger, more ...func(*client.Options)) (client.Client, string, error) {
	options, err := temporalconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, "", fmt.Errorf("temporal configuration: %w", err)
	}
	if options.Namespace == "" || os.Getenv("TEMPORAL_NAMESPACE") == "" && options.Namespace == "default" {
		options.Namespace = "recoup"
	}
	options.Logger = log.NewStructuredLogger(logger)
	for _, set := range more {
		set(&options)
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, "", fmt.Errorf("connect to Temporal at %s: %w\nStart it (make run starts everything) or set TEMPORAL_ADDRESS", options.HostPort, err)
	}
	return c, options.Namespace, nil
}

func stripeURL() string {
	c, err := process[workers.Config](context.Background())
	if err != nil {
		return os.Getenv("RECOUP_STRIPE_URL")
	}
	return c.Stripe.URL
}

func configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "print every environment variable with its default and its meaning", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, s := range configSections() {
				fmt.Fprintf(out, "\n%s\n", s.name)
				for _, v := range variables(reflect.TypeOf(s.config)) {
					fmt.Fprintf(out, "  %s\t%s\t%s\n", v.name, v.fallback, meanings[v.name])
				}
			}
			fmt.Fprintf(out, "\nTemporal (its own names; see docs.temporal.io/develop/environment-configuration)\n")
			for _, v := range temporalVariables {
				fmt.Fprintf(out, "  %s\t%s\t%s\n", v.name, v.fallback, meanings[v.name])
			}
			return out.Flush()
		},
	}
}

type configSection struct {
	name   string
	config any
}

func configSections() []configSection {
	return []configSection{
		{"Every process", databaseConfig{}}, {"", logConfig{}}, {"worker, console, webhooks", metrics.Config{}}, {"migrate", ownerConfig{}}, {"worker, starter", workers.Config{}},
		{"console", console.Config{}}, {"webhooks (with RECOUP_STRIPE_…)", workers.WebhookConfig{}}, {"simulator", stripesim.Config{}},
	}
}

type variable struct{ name, fallback string }

var temporalVariables = []variable{
	{"TEMPORAL_ADDRESS", "localhost:7233"}, {"TEMPORAL_NAMESPACE", "recoup"}, {"TEMPORAL_API_KEY", ""}, {"TEMPORAL_TLS", ""},
	{"TEMPORAL_PROFILE", ""}, {"TEMPORAL_CONFIG_FILE", ""},
}

// variables reads names and defaults from the struct tags, so that the list can't differ from what is read.
func variables(t reflect.Type) []variable {
	var all []variable
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("env")
		if !ok {
			if f.Type.Kind() == reflect.Struct {
				all = append(all, variables(f.Type)...)
			}
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		v := variable{name: name}
		if _, fallback, ok := strings.Cut(rest, "default="); ok {
			v.fallback = fallback
		} else if strings.Contains(rest, "required") {
			v.fallback = "(required)"
		}
		all = append(all, v)
	}
	return all
}
