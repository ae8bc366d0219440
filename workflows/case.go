// Package workflows is the process of a case as an operator reads it in the Temporal UI: plain Go that holds timers, order and
// visibility. Postgres decides every step (package store through activities); a run can be reset, terminated or replaced at any moment
// and no money moves twice. Histories carry ids, amounts and codes only (I18).
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/billing"
	"recoup/dunning"
)

// CaseInput starts a case's workflow.
type CaseInput struct {
	Case    billing.CaseID    `json:"case"`
	Invoice billing.InvoiceID `json:"invoice"`
	Account billing.AccountID `json:"account"`
	Due     string            `json:"due"`
	// Shown is what the run before continue-as-new had published, so that the next one doesn't publish it again.
	Shown *shown `json:"shown,omitempty"`
	// Tried is what earlier runs tried, for operators.
	Tried []dunning.Try `json:"tried,omitempty"`
}

// CaseResult is how a case ended.
type CaseResult struct {
	Outcome billing.InvoiceState `json:"outcome"`
	Rounds  int                  `json:"rounds"`
}

// Case collects one invoice: balances first, then rounds over the payment methods, notices, suspension, until the invoice is settled.
func Case(ctx workflow.Context, in CaseInput) (CaseResult, error) {
	c := collection{in: in}
	if err := c.setup(ctx); err != nil {
		return CaseResult{}, err
	}
	return c.run(ctx)
}

// collection is one run of a case.
type collection struct {
	in          CaseInput
	next        dunning.Step
	shown       shown
	tried       []dunning.Try
	pokes       workflow.ReceiveChannel
	resolutions workflow.ReceiveChannel // those that come as signals
	// resolved is set by a resolution that was applied while the run waits.
	resolved bool
}

// run drives the case: each step says what comes next, and Postgres decides it.
func (c *collection) run(ctx workflow.Context) (CaseResult, error) {
	next, err := c.review(ctx)
	for err == nil {
		if c.applySignalled(ctx) {
			next, err = c.review(ctx)
			continue
		}
		c.next = next
		if err := c.show(ctx, next); err != nil {
			return CaseResult{}, err
		}
		switch next.Do {
		case dunning.DoCharge:
			next, err = c.charge(ctx, next)
		case dunning.DoLookUp:
			next, err = c.lookUp(ctx, next)
		case dunning.DoCancel:
			next, err = c.cancel(ctx, next)
		case dunning.DoFinalNotice:
			next, err = c.fact(ctx, acts.SendFinalNotice, "Final notice")
		case dunning.DoScheduleSuspension:
			next, err = c.fact(ctx, acts.ScheduleSuspension, "Notice of suspension")
		case dunning.DoSuspend:
			next, err = c.fact(ctx, acts.SuspendAccount, "Suspend the account")
		case dunning.DoCloseAccount:
			next, err = c.fact(ctx, acts.CloseAccount, "Close the account")
		case dunning.DoFinish:
			return c.finish(ctx, next)
		default:
			if err := c.wait(ctx, next); err != nil {
				return CaseResult{}, err
			}
			if tooLong(ctx) {
				return CaseResult{}, c.continueAsNew(ctx)
			}
			next, err = c.afterWait(ctx, next)
		}
	}
	return CaseResult{}, err
}

// review re-reads the case: balances are applied and the next step is decided.
func (c *collection) review(ctx workflow.Context) (dunning.Step, error) {
	return c.fact(ctx, acts.ReviewCase, "Credits and funds, then what comes next")
}

// finish lets every message be answered before the run ends.
func (c *collection) finish(ctx workflow.Context, last dunning.Step) (CaseResult, error) {
	if err := c.settleMessages(ctx); err != nil {
		return CaseResult{}, err
	}
	return CaseResult{Outcome: last.Outcome, Rounds: last.Round}, nil
}

var acts *activities.Case
var charging *activities.Charging
