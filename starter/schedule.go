package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"recoup/workflows"
)

// Ids of the schedules, as an operator sees them in the Temporal UI.
const (
	dueScanSchedule   = "recoup-due-scan"
	liveCheckSchedule = "recoup-live-check"
	reconcileSchedule = "recoup-reconcile"
)

// Config says how often the schedules run.
type Config struct {
	ScanEvery  time.Duration `env:"RECOUP_SCAN_EVERY, default=1m"`        // how often due invoices are looked for
	CheckEvery time.Duration `env:"RECOUP_LIVE_CHECK_EVERY, default=24h"` // how often live cases are checked for a running workflow
	// ReconcileEvery is how often the gateways' lists are compared with attempts and receipts.
	ReconcileEvery time.Duration `env:"RECOUP_RECONCILE_EVERY, default=24h"`
}

// Check reports intervals that Temporal's schedules can't keep.
func (c Config) Check() error {
	if c.ScanEvery < time.Second || c.CheckEvery < time.Second {
		return errors.New("RECOUP_SCAN_EVERY and RECOUP_LIVE_CHECK_EVERY: must be at least 1s")
	}
	if c.ReconcileEvery != 0 && c.ReconcileEvery < time.Second {
		return errors.New("RECOUP_RECONCILE_EVERY: must be at least 1s")
	}
	return nil
}

// reconcileDaily is how often is reconciled where nothing is said.
const reconcileDaily = 24 * time.Hour

// EnsureSchedules creates the schedules of the due scan, the nightly check and the reconciliation, or brings them to the configured intervals.
func EnsureSchedules(ctx context.Context, c client.Client, config Config) error {
	if err := config.Check(); err != nil {
		return err
	}
	if err := ensureSchedule(ctx, c, dueScanSchedule, workflows.DueScan, config.ScanEvery, "Opens a case for every invoice that is due"); err != nil {
		return err
	}
	if err := ensureSchedule(ctx, c, liveCheckSchedule, workflows.LiveCheck, config.CheckEvery, "Starts what is missing of the live cases (I20)"); err != nil {
		return err
	}
	every := config.ReconcileEvery
	if every == 0 {
		every = reconcileDaily
	}
	return ensureSchedule(ctx, c, reconcileSchedule, workflows.Reconcile, every, "Compares the gateways' lists with attempts and receipts (I1, I2)")
}

func ensureSchedule(ctx context.Context, c client.Client, id string, workflow any, every time.Duration, summary string) error {
	note := fmt.Sprintf("%s; every %s", summary, every)
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}}
	action := &client.ScheduleWorkflowAction{ID: id, Workflow: workflow, TaskQueue: workflows.CaseQueue, StaticSummary: summary}
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: spec, Action: action, Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP, TriggerImmediately: true,
		// A missed scan needs no catching up: the next one finds everything, because it looks at state and not at events.
		CatchupWindow: time.Minute, Note: note,
	})
	if err == nil {
		return nil
	}
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("create schedule %s: %w", id, err)
	}
	err = c.ScheduleClient().GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			schedule := in.Description.Schedule
			if schedule.State != nil && schedule.State.Note == note {
				// Every worker that starts comes here; writing the same again would cost the server more than the start does.
				return nil, temporal.ErrSkipScheduleUpdate
			}
			schedule.Spec, schedule.Action = &spec, action
			if schedule.State != nil {
				schedule.State.Note = note
			}
			return &client.ScheduleUpdate{Schedule: &schedule}, nil
		},
	})
	if err != nil && !errors.Is(err, temporal.ErrSkipScheduleUpdate) {
		return fmt.Errorf("update schedule %s: %w", id, err)
	}
	return nil
}
