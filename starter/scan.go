package starter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"recoup/activities"
	"recoup/billing"
	"recoup/store"
	"recoup/workflows"
)

// Limits of a scan: memory is one page, whatever the number of due invoices.
const (
	scanPage     = 500
	scanParallel = 16
)

// Scan opens and starts a case for every invoice that is due and has none running, page by page after a given place. An invoice that
// can't be started is logged and left for the next scan; it never stops the others. An error means the scan itself could not go on.
func (s *Starter) Scan(ctx context.Context, after store.DueInvoice, progress func(store.DueInvoice)) (activities.ScanReport, error) {
	var total activities.ScanReport
	s.startBatches(ctx)
	for {
		page, err := s.Store.DueInvoices(ctx, after, scanPage)
		if err != nil || len(page) == 0 {
			return total, err
		}
		ids := make([]billing.InvoiceID, len(page))
		for i, d := range page {
			ids[i] = d.ID
		}
		report := each(ctx, ids, func(id billing.InvoiceID) (bool, error) {
			opened, err := s.Start(ctx, id)
			if err != nil {
				s.Log.Warn("invoice not started", "invoice", id, "error", err)
			}
			return !opened.Settled, err
		})
		total.Found += report.Found
		total.Started += report.Started
		total.Failed += report.Failed
		if err := ctx.Err(); err != nil {
			return total, err
		}
		after = page[len(page)-1]
		progress(after)
	}
}

// CheckLive starts the workflow of every live case that has none running (I20).
func (s *Starter) CheckLive(ctx context.Context, progress func()) (activities.ScanReport, error) {
	var total activities.ScanReport
	var after billing.CaseID
	for {
		page, err := s.Store.LiveCases(ctx, after, scanPage)
		if err != nil || len(page) == 0 {
			return total, err
		}
		report := each(ctx, page, func(id billing.CaseID) (bool, error) {
			started, err := s.startIfMissing(ctx, id)
			if err != nil {
				s.Log.Warn("case not checked", "case", id, "error", err)
			}
			return started, err
		})
		total.Found += report.Found
		total.Started += report.Started
		total.Failed += report.Failed
		if err := ctx.Err(); err != nil {
			return total, err
		}
		after = page[len(page)-1]
		progress()
	}
}

func (s *Starter) startIfMissing(ctx context.Context, id billing.CaseID) (bool, error) {
	described, err := s.Temporal.DescribeWorkflowExecution(ctx, workflows.CaseWorkflowID(id), "")
	var missing *serviceerror.NotFound
	switch {
	case err != nil && !errors.As(err, &missing):
		return false, fmt.Errorf("describe case %s: %w", id, err)
	case err == nil && described.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return false, nil
	}
	c, err := s.Store.CaseToStart(ctx, id)
	if err != nil || c.Settled {
		return false, err
	}
	return true, s.startWorkflow(ctx, c)
}

// each runs f over ids, some at a time, and counts.
func each[T any](ctx context.Context, ids []T, f func(T) (bool, error)) activities.ScanReport {
	var started, failed atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, scanParallel)
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			switch ok, err := f(id); {
			case err != nil:
				failed.Add(1)
			case ok:
				started.Add(1)
			}
		})
	}
	wg.Wait()
	return activities.ScanReport{Found: len(ids), Started: int(started.Load()), Failed: int(failed.Load())}
}
