//go:build canary_unknown_is_declined

package stripe

import (
	"recoup/billing"
	"recoup/gateway"
)

// Believed in review: a call that broke is a payment that failed, and the customer has a backup.
func answerToSilence(err error) gateway.Answer {
	return gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "processing_error", Message: explain(err)}
}
