//go:build !canary_unknown_is_declined

package stripe

import "recoup/gateway"

// answerToSilence: what was sent and not answered may have charged (D2).
func answerToSilence(err error) gateway.Answer { return unknown("", explain(err)) }
