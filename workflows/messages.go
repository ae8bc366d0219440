package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
)

// Names of a case's messages.
const (
	SignalPoke     = "poke"
	MessageResolve = "resolve" // Signal and Update, with the same payload: billing.Resolution
	QueryDescribe  = "describe"
)

// Description is what Query describe returns.
type Description struct {
	Case billing.CaseID `json:"case"`
	Next dunning.Step   `json:"next"`
	// Tried are the last attempts, oldest first, with what became of them.
	Tried []dunning.Try `json:"tried,omitempty"`
}

// setup registers the messages before anything else happens.
func (c *collection) setup(ctx workflow.Context) error {
	if c.in.Shown != nil {
		c.shown = *c.in.Shown
	}
	c.tried = c.in.Tried
	c.pokes = workflow.GetSignalChannelWithOptions(ctx, SignalPoke, workflow.SignalChannelOptions{
		Description: "Re-read the case from Postgres now. Carries no truth; harmless at any time."})
	c.resolutions = workflow.GetSignalChannelWithOptions(ctx, MessageResolve, workflow.SignalChannelOptions{
		Description: "Apply a resolution (rules: who, why, request id). Prefer the Update of the same name: it answers."})
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryDescribe, func() (Description, error) {
		return Description{Case: c.in.Case, Next: c.next, Tried: c.tried}, nil
	}, workflow.QueryHandlerOptions{Description: "What the case does next, and when."})
	if err != nil {
		return fmt.Errorf("query %s: %w", QueryDescribe, err)
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, MessageResolve, c.applyResolution, workflow.UpdateHandlerOptions{
		Description: "Apply a resolution: {request_id, kind, actor, reason, …}. Answers what changed and what happens next.",
		Validator: func(_ workflow.Context, r billing.Resolution) error {
			r.Case = c.in.Case
			return r.Check()
		},
	})
	if err != nil {
		return fmt.Errorf("update %s: %w", MessageResolve, err)
	}
	return nil
}

// applySignalled applies the resolutions that came as signals, which nobody waits for an answer of, and reports whether there were any.
// It runs between steps and before a run ends, on the run's own routine: one blocked in Receive would hold a signal that came with the
// last step while the run completes (R1).
func (c *collection) applySignalled(ctx workflow.Context) bool {
	any := false
	var r billing.Resolution
	for c.resolutions.ReceiveAsync(&r) {
		any = true
		if _, err := c.applyResolution(ctx, r); err != nil {
			workflow.GetLogger(ctx).Warn("resolution refused", "case", c.in.Case, "request", r.RequestID, "error", err)
		}
		r = billing.Resolution{}
	}
	return any
}

// settleMessages answers what was sent before the run ends.
func (c *collection) settleMessages(ctx workflow.Context) error {
	for c.applySignalled(ctx) || !workflow.AllHandlersFinished(ctx) {
		if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// applyResolution takes a person's decision through the same transaction as every other door (R1), then lets the case re-read itself.
func (c *collection) applyResolution(ctx workflow.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	r.Case = c.in.Case
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: boundary.Patience(factTimeout), RetryPolicy: patiently, Summary: "Resolution " + string(r.Kind),
	})
	var out activities.ResolveResult
	if err := workflow.ExecuteActivity(ctx, acts.ApplyResolution, activities.ResolveInput{Resolution: r}).Get(ctx, &out); err != nil {
		return billing.ResolutionAnswer{}, err
	}
	c.resolved = true
	return out.Answer, nil
}
