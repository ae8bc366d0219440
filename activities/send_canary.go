//go:build canary_timeout_new_key

package activities

import (
	"context"

	"recoup/billing"
	"recoup/gateway"
	"recoup/store"
)

// Believed in review: a timeout deserves one more try, and with the old key the gateway would only repeat its failure.
func (c *Charging) send(ctx context.Context, charge *store.Charge) gateway.Answer {
	ctx, cancel := context.WithTimeout(ctx, 2*c.Gateway.Contract().Timeout)
	defer cancel()
	answer := c.Gateway.Charge(ctx, requestFor(charge))
	if answer.State == billing.AttemptUnknown {
		again := requestFor(charge)
		again.Attempt += "-2"
		answer = c.Gateway.Charge(ctx, again)
	}
	return answer
}
