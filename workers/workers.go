// Package workers wires Temporal's workers: one for cases and the facts that only touch Postgres, one per gateway for its charges, and
// beside them the loops that deliver what transactions left in outboxes: notices, calls of the suspension hook, pokes, questions about
// money that may have been taken back.
// One of all workers also watches the database for dashboards and alerts. It holds no rules of its own.
package workers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"recoup/activities"
	"recoup/boundary"
	"recoup/gateway"
	"recoup/notify"
	"recoup/starter"
	"recoup/store"
	"recoup/workflows"
)

// Parts are what the workers are made of.
type Parts struct {
	Store      *store.Store
	Temporal   client.Client
	Gateways   []gateway.Gateway
	Dispatcher *notify.Dispatcher
	Hook       *notify.Hook
	Log        *slog.Logger
	Schedule   starter.Config
	// Watch measures and audits; nil: not in this process.
	Watch *Watch
}

const (
	// stopWait lets a charge that is on its way come back before the process ends.
	stopWait = 12 * time.Second
	// stickyWait is how long a workflow task waits for the worker that has the case in its cache; Temporal's 5 s wastes work when
	// many timers fire at once.
	stickyWait = 30 * time.Second
)

// Run registers the search attributes and schedules, runs all workers and loops until ctx ends, and stops them gracefully. ready is
// called once they poll.
func (p Parts) Run(ctx context.Context, namespace string, ready func()) error {
	if err := starter.RegisterSearchAttributes(ctx, p.Temporal, namespace); err != nil {
		return err
	}
	trigger := &starter.Starter{Store: p.Store, Temporal: p.Temporal, Log: p.Log}
	started, err := p.startWorkers(trigger)
	defer func() {
		for _, w := range started {
			w.Stop()
		}
	}()
	if err != nil {
		return err
	}
	if err := starter.EnsureSchedules(ctx, p.Temporal, p.Schedule); err != nil {
		return err
	}
	if ready != nil {
		ready()
	}
	loops, loopCtx := errgroup.WithContext(ctx)
	loops.Go(func() error { return p.Dispatcher.Run(loopCtx) })
	loops.Go(func() error { return p.Hook.Run(loopCtx) })
	loops.Go(func() error { return trigger.Poke(loopCtx) })
	loops.Go(func() error {
		return (&activities.Reversals{Store: p.Store, Gateways: p.Gateways, Log: p.Log}).Run(loopCtx)
	})
	if p.Watch != nil {
		loops.Go(func() error { return p.Watch.Run(loopCtx) })
	}
	if err := loops.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (p Parts) startWorkers(trigger *starter.Starter) ([]worker.Worker, error) {
	var started []worker.Worker
	cases := worker.New(p.Temporal, workflows.CaseQueue, worker.Options{
		WorkerStopTimeout: stopWait, StickyScheduleToStartTimeout: boundary.Patience(stickyWait),
	})
	cases.RegisterWorkflow(workflows.Case)
	cases.RegisterWorkflow(workflows.DueScan)
	cases.RegisterWorkflow(workflows.LiveCheck)
	cases.RegisterWorkflow(workflows.Reconcile)
	cases.RegisterWorkflow(workflows.Batch)
	cases.RegisterActivity(&activities.Case{Store: p.Store})
	cases.RegisterActivity(&activities.Batches{Store: p.Store, Log: p.Log})
	cases.RegisterActivity(&activities.Scanning{Trigger: trigger})
	cases.RegisterActivity(&activities.Reconciling{Books: p.Store, Gateways: p.Gateways, Log: p.Log})
	if err := cases.Start(); err != nil {
		return started, fmt.Errorf("start the worker of cases: %w", err)
	}
	started = append(started, cases)
	for _, g := range p.Gateways {
		charges := worker.New(p.Temporal, workflows.ChargeQueue(g.Name()), worker.Options{
			WorkerStopTimeout: stopWait, DisableWorkflowWorker: true,
			// The server keeps the rate over all workers, so that a burst never becomes a gateway's 429s.
			TaskQueueActivitiesPerSecond: g.Contract().ChargesPerSecond,
		})
		charges.RegisterActivity(&activities.Charging{Store: p.Store, Gateway: g})
		if err := charges.Start(); err != nil {
			return started, fmt.Errorf("start the worker of %s: %w", g.Name(), err)
		}
		started = append(started, charges)
	}
	return started, nil
}
