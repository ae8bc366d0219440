package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/billing"
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
}

// setup registers the messages before anything else happens.
func (c *collection) setup(ctx workflow.Context) error {
	if c.in.Shown != nil {
		c.shown = *c.in.Shown
	}
	c.pokes = workflow.GetSignalChannelWithOptions(ctx, SignalPoke, workflow.SignalChannelOptions{
		Description: "Re-read the case from Postgres now. Carries no truth; harmless at any time."})
	resolutions := workflow.GetSignalChannelWithOptions(ctx, MessageResolve, workflow.SignalChannelOptions{
		Description: "Apply a resolution (rules: who, why, request id). Prefer the Update of the same name: it answers."})
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var r billing.Resolution
			if more := resolutions.Receive(ctx, &r); !more {
				return
			}
			if _, err := c.applyResolution(ctx, r); err != nil {
				workflow.GetLogger(ctx).Warn("resolution refused", "case", c.in.Case, "request", r.RequestID, "error", err)
			}
		}
	})
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryDescribe, func() (Description, error) {
		return Description{Case: c.in.Case, Next: c.next}, nil
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

// applyResolution takes a person's decision through the same transaction as every other door (R1), then lets the case re-read itself.
func (c *collection) applyResolution(ctx workflow.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	r.Case = c.in.Case
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: factTimeout, RetryPolicy: patiently, Summary: "Resolution " + string(r.Kind),
	})
	var out activities.ResolveResult
	if err := workflow.ExecuteActivity(ctx, acts.ApplyResolution, activities.ResolveInput{Resolution: r}).Get(ctx, &out); err != nil {
		return billing.ResolutionAnswer{}, err
	}
	c.resolved = true
	return out.Answer, nil
}
