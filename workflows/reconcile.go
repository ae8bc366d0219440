package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"recoup/activities"
)

// A scheduled reconciliation looks back over three days, so that each payment is compared on several of them, and leaves out the last
// hour, whose answers may still be on the way.
const (
	reconcileBack = 73 * time.Hour
	reconcileLag  = time.Hour
)

// Reconcile is one scheduled comparison of what gateways say they took with what is booked.
func Reconcile(ctx workflow.Context) (activities.ReconcileReport, error) {
	now := workflow.Now(ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 6 * time.Hour, HeartbeatTimeout: 2 * time.Minute, RetryPolicy: patiently,
		Summary: "Compare the gateways' lists with attempts and receipts",
	})
	in := activities.ReconcileInput{From: now.Add(-reconcileBack), To: now.Add(-reconcileLag)}
	var report activities.ReconcileReport
	err := workflow.ExecuteActivity(ctx, reconciling.Reconcile, in).Get(ctx, &report)
	return report, err
}

var reconciling *activities.Reconciling
