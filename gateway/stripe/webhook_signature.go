//go:build !canary_webhook_unsigned

package stripe

import (
	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"
)

// signed reads an event whose signature is right, by any of the secrets, and at most five minutes old (faults.md B4).
func (a *Adapter) signed(body []byte, signature string) (stripe.Event, error) {
	signedAt, ok := signedAt(signature)
	if !ok || a.now().Sub(signedAt) > webhook.DefaultTolerance {
		return stripe.Event{}, ErrWebhook
	}
	for _, secret := range a.cfg.WebhookSecrets {
		event, err := webhook.ConstructEventWithOptions(body, signature, secret, webhook.ConstructEventOptions{
			IgnoreTolerance: true, // the age is checked above, by our clock
			// The account's API version may be newer than the SDK's; we read three fields that every version has.
			IgnoreAPIVersionMismatch: true,
		})
		if err == nil {
			return event, nil
		}
	}
	return stripe.Event{}, ErrWebhook
}
