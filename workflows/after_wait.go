//go:build !canary_cancelled_timer_is_fired

package workflows

import (
	"go.temporal.io/sdk/workflow"

	"recoup/dunning"
)

// afterWait re-reads the case, whatever ended the wait: a cancelled timer is not a fired one, and a fired one may be out of date.
func (c *collection) afterWait(ctx workflow.Context, _ dunning.Step) (dunning.Step, error) {
	return c.review(ctx)
}
