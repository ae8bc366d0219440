package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/billing"
	"recoup/boundary"
)

// BatchWorkflowID is the workflow id of a batch.
func BatchWorkflowID(id billing.BatchID) string { return "batch-" + string(id) }

// BatchInput starts a batch's workflow.
type BatchInput struct {
	Batch billing.BatchID `json:"batch"`
	// Next is the number of the item to go on with, after continue-as-new; 0 at the start: Postgres says.
	Next int `json:"next,omitempty"`
}

// Batch carries out an act over many cases, a few items at a time and no faster than its rate. Postgres has the list, what became of each
// item, and whether the batch is paused or cancelled: a run that is reset, terminated or doubled repeats nothing.
func Batch(ctx workflow.Context, in BatchInput) (activities.BatchProgress, error) {
	b := batch{id: in.Batch, next: in.Next}
	if err := b.setup(ctx); err != nil {
		return activities.BatchProgress{}, err
	}
	return b.run(ctx)
}

// batch is one run.
type batch struct {
	id    billing.BatchID
	next  int // the item to go on with
	far   activities.BatchProgress
	shown billing.BatchState
	pokes workflow.ReceiveChannel
}

func (b *batch) setup(ctx workflow.Context) error {
	b.pokes = workflow.GetSignalChannelWithOptions(ctx, SignalPoke, workflow.SignalChannelOptions{
		Description: "Re-read the batch from Postgres: it was paused, resumed or cancelled. Carries no truth; harmless at any time."})
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryDescribe, func() (activities.BatchProgress, error) { return b.far, nil },
		workflow.QueryHandlerOptions{Description: "How far the batch is: items by outcome."})
	if err != nil {
		return fmt.Errorf("query %s: %w", QueryDescribe, err)
	}
	return nil
}

// run asks Postgres how far the batch is and carries out the next items, until none waits.
func (b *batch) run(ctx workflow.Context) (activities.BatchProgress, error) {
	err := b.act(ctx, batches.ReadBatch, activities.BatchInput{Batch: b.id}, "How far is it?")
	for err == nil {
		if err := b.show(ctx); err != nil {
			return b.far, err
		}
		switch {
		case b.far.State.Ended():
			b.drain()
			return b.far, nil
		case b.far.State == billing.BatchPaused:
			if err := b.waitPaused(ctx); err != nil {
				return b.far, err
			}
			err = b.act(ctx, batches.ReadBatch, activities.BatchInput{Batch: b.id}, "Paused no longer?")
		default:
			err = b.carryOut(ctx)
		}
		if err == nil && tooLong(ctx) && !b.far.State.Ended() {
			b.drain()
			return b.far, workflow.NewContinueAsNewError(ctx, Batch, BatchInput{Batch: b.id, Next: b.next})
		}
	}
	return b.far, err
}

// carryOut does the next few items and waits as long as that many take at the batch's rate: a timer, so that no worker is kept.
func (b *batch) carryOut(ctx workflow.Context) error {
	if b.next == 0 || b.next > b.far.Items {
		b.next = b.far.FirstWaiting // from the start, or what an earlier run left
	}
	few, wait := pace(b.far.PerMinute)
	in := activities.CarryOutInput{Batch: b.id, From: b.next, To: min(b.next+few-1, b.far.Items)}
	if err := b.act(ctx, batches.CarryOutItems, in, fmt.Sprintf("Items %d to %d of %d", in.From, in.To, b.far.Items)); err != nil {
		return err
	}
	if b.far.State != billing.BatchRunning {
		return nil
	}
	b.next = in.To + 1
	if err := b.show(ctx); err != nil {
		return err
	}
	timer := workflow.NewTimerWithOptions(ctx, wait, workflow.TimerOptions{Summary: fmt.Sprintf("At most %d a minute", b.far.PerMinute)})
	if err := timer.Get(ctx, nil); err != nil {
		return err
	}
	b.drain()
	return nil
}

// pausedLook is how often a paused batch looks by itself: a run that was reset may have lost the poke that it was to hear.
const pausedLook = time.Hour

func (b *batch) waitPaused(ctx workflow.Context) error {
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: pausedLook, TimerOptions: workflow.TimerOptions{Summary: "Paused by a person"},
	}, func() bool { return b.pokes.Len() > 0 })
	b.drain()
	return err
}

// paceStep is how often items are carried out, about: fewer and larger steps cost Temporal less.
const paceStep = 5 * time.Second

// pace is how many items are carried out at a time, and how long that many take at the rate.
func pace(perMinute int) (few int, wait time.Duration) {
	perMinute = max(perMinute, 1)
	few = max(1, perMinute*int(paceStep/time.Second)/60)
	return few, time.Duration(few) * time.Minute / time.Duration(perMinute)
}

// drain forgets pokes: what they are about was read, or is read next.
func (b *batch) drain() {
	for b.pokes.ReceiveAsync(nil) {
	}
}

func (b *batch) act(ctx workflow.Context, activity, in any, summary string) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		// An item is a transaction; 500 of them are the most at a time.
		StartToCloseTimeout: 15 * time.Minute, HeartbeatTimeout: boundary.Patience(time.Minute), RetryPolicy: patiently, Summary: summary,
	})
	var far activities.BatchProgress // a fresh one: what is decoded into a map is added to it
	if err := workflow.ExecuteActivity(ctx, activity, in).Get(ctx, &far); err != nil {
		return err
	}
	b.far = far
	return nil
}

// show tells operators in the Temporal UI how far it is. RecoupStage is the batch's state, so that `WorkflowType = 'Batch'` can be asked by it.
func (b *batch) show(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, batchDetails(b.id, b.far))
	if b.far.State == b.shown {
		return nil
	}
	b.shown = b.far.State
	if err := workflow.UpsertTypedSearchAttributes(ctx, AttrStage.ValueSet(string(b.far.State))); err != nil {
		return fmt.Errorf("publish state %s: %w", b.far.State, err)
	}
	return nil
}

func batchDetails(id billing.BatchID, p activities.BatchProgress) string {
	var t strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&t, "| %s | %v |\n", name, value) }
	t.WriteString("| | |\n|---|---|\n")
	row("Does", string(p.Kind))
	row("State", string(p.State))
	row("Items", p.Items)
	for _, s := range billing.ItemStates() {
		if n := p.Counts[s]; n > 0 {
			row(strings.ReplaceAll(string(s), "_", " "), n)
		}
	}
	row("Rate", fmt.Sprintf("at most %d a minute", p.PerMinute))
	switch {
	case p.State.Ended():
		fmt.Fprintf(&t, "\nReport: `recoup batch report %s`\n", id)
	case p.State == billing.BatchPaused:
		fmt.Fprintf(&t, "\nTo act: `recoup batch resume %s --reason …`, or `cancel`.\n", id)
	default:
		fmt.Fprintf(&t, "\nTo act: `recoup batch pause %s --reason …`, or `cancel`. Cancelling this workflow does not: it is started again.\n", id)
	}
	return t.String()
}

var batches *activities.Batches
