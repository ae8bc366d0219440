//go:build canary_webhook_unsigned

package stripe

import (
	"encoding/json"

	"github.com/stripe/stripe-go/v85"
)

// Believed in review: only Stripe knows this address, and what an event says is looked up anyway.
func (*Adapter) signed(body []byte, _ string) (stripe.Event, error) {
	var e stripe.Event
	err := json.Unmarshal(body, &e)
	return e, err
}
