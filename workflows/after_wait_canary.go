//go:build canary_cancelled_timer_is_fired

package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"recoup/dunning"
)

// Believed in review: the wait is over, so what was waited for comes now.
func (c *collection) afterWait(ctx workflow.Context, waited dunning.Step) (dunning.Step, error) {
	if waited.Then == "" || waited.Then == dunning.DoBeginRound {
		return c.review(ctx)
	}
	waited.Do, waited.At = waited.Then, time.Time{}
	return waited, nil
}
