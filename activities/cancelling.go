package activities

import (
	"context"
	"fmt"

	"recoup/billing"
	"recoup/boundary"
	"recoup/gateway"
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
	charge, err := c.Store.AttemptToLookUp(ctx, in.Attempt)
	if err != nil {
		return CaseResult{}, temporalError(err)
	}
	if charge == nil {
		return result(c.Store.Review(ctx, in.Case))
	}
	if charge.Case != in.Case {
		return CaseResult{}, temporalError(fmt.Errorf("attempt %s is not of case %s", in.Attempt, in.Case))
	}
	answer := gateway.Answer{State: billing.AttemptUnknown}
	if c.Gateway.Contract().CancelByReference {
		boundary.At(boundary.BeforeCancel, in.Case)
		callCtx, cancel := context.WithTimeout(ctx, c.Gateway.Contract().Timeout)
		answer = c.Gateway.Cancel(callCtx, gateway.LookUpRequest{Attempt: charge.Attempt, Reference: charge.Reference, FirstSentAt: charge.FirstSentAt, LastSentAt: charge.LastSentAt})
		cancel()
		boundary.At(boundary.AfterCancel, in.Case)
	}
	if answer.State == billing.AttemptUnknown {
		answer = c.lookUp(ctx, charge)
	}
	return c.record(ctx, charge, answer)
}
