//go:build !canary_timeout_new_key

package activities

import (
	"context"

	"recoup/gateway"
	"recoup/store"
)

// send calls the gateway once. Silence is an answer (D2): a second try is a decision of Postgres, not of this call.
func (c *Charging) send(ctx context.Context, charge *store.Charge) gateway.Answer {
	ctx, cancel := context.WithTimeout(ctx, c.Gateway.Contract().Timeout)
	defer cancel()
	return c.Gateway.Charge(ctx, requestFor(charge))
}
