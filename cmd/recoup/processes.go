package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"recoup/billing"
	"recoup/console"
	"recoup/gateway/stripesim"
	"recoup/starter"
	"recoup/store"
	"recoup/workers"
	"recoup/workers/metrics"
)

func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "run the workers: cases, charges, notices, calls of the suspension hook", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			config, err := process[workers.Config](ctx)
			if err != nil {
				return err
			}
			log, err := newLogger(ctx)
			if err != nil {
				return err
			}
			s, err := openStore(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			return observed(ctx, s, log, func(ctx context.Context, m *metrics.Metrics) error { return work(ctx, config, s, m, log) })
		},
	}
}

func work(ctx context.Context, config workers.Config, s *store.Store, m *metrics.Metrics, log *slog.Logger) error {
	sdk := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: m.Meter(), OnError: func(err error) { log.Warn("a metric of Temporal's SDK is not told", "error", err) },
	})
	temporal, namespace, err := dialTemporal(ctx, log, func(o *client.Options) { o.MetricsHandler = sdk })
	if err != nil {
		return err
	}
	defer temporal.Close()
	parts, closeParts, err := config.NewParts(ctx, s, temporal, log)
	if err != nil {
		return err
	}
	defer closeParts()
	parts.Watch.Meter = m.Meter()
	return parts.Run(ctx, namespace, func() { log.Info("workers are up", "namespace", namespace, "gateway", config.Stripe.URL) })
}

func starterCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use: "starter", Short: "find invoices that fell due and start their cases", Args: cobra.NoArgs,
		Long: `Without flags it makes sure that the Temporal schedules of the due scan and the nightly check exist (the worker does so too)
and returns. With --once it scans now, in this process, and says what it started.`,
		RunE: func(c *cobra.Command, _ []string) error {
			return withStarter(c, func(s *starter.Starter, config starter.Config) error {
				if !once {
					if err := starter.EnsureSchedules(c.Context(), s.Temporal, config); err != nil {
						return err
					}
					fmt.Fprintf(c.OutOrStdout(), "Schedules are set: due scan every %s, check of live cases every %s.\n", config.ScanEvery, config.CheckEvery)
					return nil
				}
				report, err := s.Scan(c.Context(), store.DueInvoice{}, func(store.DueInvoice) {})
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%d invoices due, %d cases started, %d failed.\n", report.Found, report.Started, report.Failed)
				if report.Failed > 0 {
					return errors.New("some cases did not start: the log above says why; run it again when that is mended")
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&once, "once", false, "scan now and return")
	c.AddCommand(&cobra.Command{
		Use: "start INVOICE", Short: "open the case of one due invoice and start its workflow", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withStarter(c, func(s *starter.Starter, _ starter.Config) error {
				opened, err := s.Start(c.Context(), billing.InvoiceID(args[0]))
				switch {
				case err != nil:
					return err
				case opened.Settled:
					fmt.Fprintf(c.OutOrStdout(), "Invoice %s has nothing to collect.\n", args[0])
				case opened.Existing:
					fmt.Fprintf(c.OutOrStdout(), "Case %s is open already; its workflow runs. Next: recoup case show %[1]s\n", opened.ID)
				default:
					fmt.Fprintf(c.OutOrStdout(), "Case %s started: %s due. Next: recoup case show %[1]s\n", opened.ID, opened.Due)
				}
				return nil
			})
		},
	})
	return c
}

func withStarter(c *cobra.Command, f func(*starter.Starter, starter.Config) error) error {
	ctx := c.Context()
	config, err := process[starter.Config](ctx)
	if err != nil {
		return err
	}
	log, err := newLogger(ctx)
	if err != nil {
		return err
	}
	s, err := openStore(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	temporal, namespace, err := dialTemporal(ctx, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	if err := starter.RegisterSearchAttributes(ctx, temporal, namespace); err != nil {
		return err
	}
	return f(&starter.Starter{Store: s, Temporal: temporal, Log: log}, config)
}

func consoleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "console", Short: "serve the pages for staff and the JSON API", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			config, err := process[console.Config](ctx)
			if err != nil {
				return err
			}
			options, err := config.Options()
			if err != nil {
				return err
			}
			if options.Log, err = newLogger(ctx); err != nil {
				return err
			}
			s, err := openStore(ctx)
			if err != nil {
				return err
			}
			defer s.Close()
			options.Store, options.Resolver, options.Policies, options.Batches, options.Own = s, s, s, s, s
			return observed(ctx, s, options.Log, func(ctx context.Context, _ *metrics.Metrics) error {
				return console.Serve(ctx, config.Addr, options, func(addr string) {
					options.Log.Info("the console is up", "address", "http://"+addr)
				})
			})
		},
	}
}

func simulatorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "simulator", Short: "run the simulated gateway, which speaks Stripe's wire format (never for real money)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			config, err := process[stripesim.Config](ctx)
			if err != nil {
				return err
			}
			log, err := newLogger(ctx)
			if err != nil {
				return err
			}
			return stripesim.Serve(ctx, config, log, func(addr string) { log.Info("the simulated gateway is up", "address", "http://"+addr) })
		},
	}
}
