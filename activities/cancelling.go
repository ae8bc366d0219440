package activities

import (
	"context"

	"recoup/billing"
	"recoup/boundary"
	"recoup/gateway"
	"recoup/store"
)

// CancelInput names an attempt whose time is up.
type CancelInput struct {
	Case    billing.CaseID    `json:"case"`
	Attempt billing.AttemptID `json:"attempt"`
}

// CancelAttempt makes sure that an attempt which waits for the customer or a bank can no longer succeed, so that another method may be
// tried (U3, faults.md A16). "Too late, it succeeded" is a success. A gateway that can't or won't cancel is asked how the attempt
// stands: it stays open then, and a person is told.
func (c *Charging) CancelAttempt(ctx context.Context, in CancelInput) (CaseResult, error) {
	return c.ask(ctx, in.Case, in.Attempt, c.cancel)
}

func (c *Charging) cancel(ctx context.Context, charge *store.Charge) gateway.Answer {
	answer := gateway.Answer{State: billing.AttemptUnknown}
	if c.Gateway.Contract().CancelByReference {
		boundary.At(boundary.BeforeCancel, charge.Case)
		callCtx, cancel := context.WithTimeout(ctx, c.Gateway.Contract().Timeout)
		answer = c.Gateway.Cancel(callCtx, lookUpFor(charge))
		cancel()
		boundary.At(boundary.AfterCancel, charge.Case)
	}
	if answer.State == billing.AttemptUnknown {
		answer = c.lookUp(ctx, charge)
	}
	return answer
}
