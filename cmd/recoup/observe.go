package main

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"recoup/store"
	"recoup/workers/metrics"
)

// observed runs a process with its metrics beside it, where RECOUP_METRICS_ADDR says; when either ends, so does the other.
func observed(ctx context.Context, s *store.Store, log *slog.Logger, run func(context.Context, *metrics.Metrics) error) error {
	config, err := process[metrics.Config](ctx)
	if err != nil {
		return err
	}
	m, err := metrics.New()
	if err != nil {
		return err
	}
	if err := m.Watch(s.Pool()); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return m.Serve(ctx, config, func(addr string) { log.Info("metrics are told", "address", "http://"+addr+"/metrics") })
	})
	both.Go(func() error {
		defer stop()
		return run(ctx, m)
	})
	return both.Wait()
}
