//go:build !canary_second_send_proves

package activities

import (
	"recoup/billing"
	"recoup/gateway"
)

// provedBy is what an answer proves of the whole attempt: "not processed" speaks of this send only, and an earlier one that was never
// answered may have charged (D2).
func provedBy(answer gateway.Answer, sentBefore bool) gateway.Answer {
	if sentBefore && answer.State == billing.AttemptNotSent {
		return gateway.Answer{State: billing.AttemptUnknown, Message: answer.Message}
	}
	return answer
}
