//go:build canary_second_send_proves

package activities

import "recoup/gateway"

// Believed in review: the gateway says that it did not process the attempt, and it should know.
func provedBy(answer gateway.Answer, _ bool) gateway.Answer { return answer }
