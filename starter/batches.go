package starter

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"recoup/store"
	"recoup/workflows"
)

// wakeBatches starts the workflows of batches that were recorded, and tells those that were paused, resumed or cancelled. What can't be
// told now is told later: a batch recorded while Temporal is down begins when it is back (R1).
func (s *Starter) wakeBatches(ctx context.Context) {
	due, err := s.Store.DueBatchWakes(ctx, pokePage)
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("batches to wake not read", "error", err)
	}
	for _, b := range due {
		done := s.Store.BatchWoken
		if err := s.wakeBatch(ctx, b); err != nil {
			s.Log.Warn("batch not woken", "batch", b.ID, "error", err)
			done = s.Store.BatchNotWoken
		}
		if err := done(ctx, b); err != nil && ctx.Err() == nil {
			s.Log.Warn("waking a batch not forgotten", "batch", b.ID, "error", err)
		}
	}
}

func (s *Starter) wakeBatch(ctx context.Context, b store.WakingBatch) error {
	id := workflows.BatchWorkflowID(b.ID)
	if b.Live {
		_, err := s.Temporal.SignalWithStartWorkflow(ctx, id, workflows.SignalPoke, "", batchStart(b), workflows.Batch, workflows.BatchInput{Batch: b.ID})
		if err != nil {
			return fmt.Errorf("start batch %s: %w", b.ID, err)
		}
		return nil
	}
	err := s.Temporal.SignalWorkflow(ctx, id, "", workflows.SignalPoke, "")
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return nil // it ended by itself, or never began
	}
	return err
}

// startBatches starts the workflow of every live batch that has none: after a termination, or a restored Temporal.
func (s *Starter) startBatches(ctx context.Context) {
	live, err := s.Store.LiveBatches(ctx)
	if err != nil {
		s.Log.Warn("live batches not read", "error", err)
	}
	for _, b := range live {
		options := batchStart(b)
		options.WorkflowExecutionErrorWhenAlreadyStarted = true
		_, err := s.Temporal.ExecuteWorkflow(ctx, options, workflows.Batch, workflows.BatchInput{Batch: b.ID})
		if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			s.Log.Warn("batch not started", "batch", b.ID, "error", err)
		}
	}
}

func batchStart(b store.WakingBatch) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: workflows.BatchWorkflowID(b.ID), TaskQueue: workflows.CaseQueue,
		StaticSummary: fmt.Sprintf("Batch %s: %s for %d invoices", b.ID, b.Kind, b.Items),
		StaticDetails: fmt.Sprintf("Carries out `%s` for %d invoices, no faster than its rate.\n\nPostgres has the list and what became of each item; this run may "+
			"be reset or terminated at any moment without repeating one. To act: `recoup batch pause|resume|cancel %s`.", b.Kind, b.Items, b.ID),
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.AttrStage.ValueSet("running")),
	}
}
