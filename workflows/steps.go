package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/boundary"
	"recoup/dunning"
)

// Limits on the activities. Business retries are timers of the case, never these policies: they only bridge a Postgres or a worker that
// is away for a moment.
const (
	localTimeout  = 5 * time.Second
	factTimeout   = 30 * time.Second
	chargeTimeout = 90 * time.Second // above every gateway's timeout plus the time to record its answer
)

var patiently = &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute}

// fact establishes something that only touches Postgres: as a local activity, because it costs next to nothing then, and as an ordinary
// one when Postgres doesn't answer at once, because that waits without holding a workflow task.
func (c *collection) fact(ctx workflow.Context, activity any, summary string) (dunning.Step, error) {
	in := activities.CaseInput{Case: c.in.Case}
	var out activities.CaseResult
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: localTimeout, Summary: summary,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, MaximumAttempts: 3},
	})
	err := workflow.ExecuteLocalActivity(local, activity, in).Get(ctx, &out)
	if err == nil || temporal.IsCanceledError(err) || isRefusal(err) {
		return out.Next, err
	}
	ordinary := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: boundary.Patience(factTimeout), RetryPolicy: patiently, Summary: summary})
	err = workflow.ExecuteActivity(ordinary, activity, in).Get(ctx, &out)
	return out.Next, err
}

func isRefusal(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == activities.RefusalError
}

// charge makes one attempt on the gateway's own queue.
func (c *collection) charge(ctx workflow.Context, next dunning.Step) (dunning.Step, error) {
	summary := fmt.Sprintf("Charge %s: %s (round %d, method %d)", next.Masked, next.Due, next.Round, next.Position)
	in := activities.ChargeInput{Case: c.in.Case, Method: next.Method}
	var out activities.CaseResult
	err := workflow.ExecuteActivity(onQueueOf(ctx, next.Gateway, summary), charging.ChargeMethod, in).Get(ctx, &out)
	c.note(next, out)
	return out.Next, err
}

// lookUp asks the gateway what became of an attempt.
func (c *collection) lookUp(ctx workflow.Context, next dunning.Step) (dunning.Step, error) {
	summary := fmt.Sprintf("Look up the attempt on %s (round %d)", next.Masked, next.Round)
	in := activities.LookUpInput{Case: c.in.Case, Attempt: next.Attempt}
	var out activities.CaseResult
	err := workflow.ExecuteActivity(onQueueOf(ctx, next.Gateway, summary), charging.LookUpAttempt, in).Get(ctx, &out)
	c.note(next, out)
	return out.Next, err
}

// cancel makes sure that an attempt whose time is up can no longer succeed, before another method is tried.
func (c *collection) cancel(ctx workflow.Context, next dunning.Step) (dunning.Step, error) {
	summary := fmt.Sprintf("Cancel the attempt on %s: its time is up (round %d)", next.Masked, next.Round)
	in := activities.CancelInput{Case: c.in.Case, Attempt: next.Attempt}
	var out activities.CaseResult
	err := workflow.ExecuteActivity(onQueueOf(ctx, next.Gateway, summary), charging.CancelAttempt, in).Get(ctx, &out)
	c.note(next, out)
	return out.Next, err
}

func onQueueOf(ctx workflow.Context, gateway, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: ChargeQueue(gateway), StartToCloseTimeout: boundary.Patience(chargeTimeout), RetryPolicy: patiently, Summary: summary,
	})
}

// waitMin keeps a case whose clock and Postgres' differ a little from spinning.
const waitMin = 500 * time.Millisecond

// wait sleeps until the step's date or a message. A cancelled timer is not a fired one: whatever ended the wait, the case is re-read.
func (c *collection) wait(ctx workflow.Context, next dunning.Step) error {
	woken := false
	selector := workflow.NewSelector(ctx)
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	if !next.At.IsZero() {
		d := max(next.At.Sub(workflow.Now(ctx)), waitMin)
		timer := workflow.NewTimerWithOptions(timerCtx, d, workflow.TimerOptions{Summary: "Wait for " + next.Why})
		selector.AddFuture(timer, func(workflow.Future) { woken = true })
	}
	selector.AddReceive(c.pokes, func(ch workflow.ReceiveChannel, _ bool) {
		// A flood of pokes is one: the case is re-read once.
		for ch.ReceiveAsync(nil) {
		}
		woken = true
	})
	signalled := func() bool { return c.resolved || c.resolutions.Len() > 0 }
	for !woken && !signalled() {
		if err := workflow.Await(ctx, func() bool { return selector.HasPending() || signalled() }); err != nil {
			return err
		}
		if selector.HasPending() {
			selector.Select(ctx)
		}
	}
	c.resolved = false
	return ctx.Err()
}

// historyMax is when a long case continues as a new run, well below Temporal's limits and its 10,000 signals.
const historyMax = 4000

func tooLong(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > historyMax
}

func (c *collection) continueAsNew(ctx workflow.Context) error {
	if err := c.settleMessages(ctx); err != nil {
		return err
	}
	in := c.in
	in.Shown, in.Tried = &c.shown, c.tried
	return workflow.NewContinueAsNewError(ctx, Case, in)
}
