package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/boundary"
)

// DueScan is one run of the scheduled due trigger: it opens a case for every invoice that fell due.
func DueScan(ctx workflow.Context) (activities.ScanReport, error) {
	return scan(ctx, scanning.ScanDueInvoices, "Open a case for every invoice that is due")
}

// LiveCheck is one run of the nightly check that every live case has a running workflow (I20).
func LiveCheck(ctx workflow.Context) (activities.ScanReport, error) {
	return scan(ctx, scanning.CheckLiveCases, "Start what is missing of the live cases")
}

func scan(ctx workflow.Context, activity any, summary string) (activities.ScanReport, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		// A scan heartbeats after each page; one that stops doing so is taken up by another worker where it was.
		StartToCloseTimeout: 6 * time.Hour, HeartbeatTimeout: boundary.Patience(time.Minute), RetryPolicy: patiently, Summary: summary,
	})
	var report activities.ScanReport
	err := workflow.ExecuteActivity(ctx, activity).Get(ctx, &report)
	return report, err
}

var scanning *activities.Scanning
