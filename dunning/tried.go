package dunning

import (
	"strings"

	"recoup/billing"
)

// TriedMax is how many attempts an operator is shown of a case, the last ones.
const TriedMax = 12

// Try is one attempt as an operator reads it in the Temporal UI: ids and codes only (I18).
type Try struct {
	Attempt billing.AttemptID `json:"attempt"`
	Round   int               `json:"round"`
	Masked  string            `json:"masked"`
	Outcome string            `json:"outcome"`
}

// OutcomeInWords is an outcome with the codes that explain it: "declined, insufficient_funds, network 51".
func OutcomeInWords(state billing.AttemptState, declineCode, networkCode, adviceCode string) string {
	words := []string{strings.ReplaceAll(string(state), "_", " ")}
	if declineCode != "" {
		words = append(words, declineCode)
	}
	if networkCode != "" {
		words = append(words, "network "+networkCode)
	}
	if adviceCode != "" {
		words = append(words, "advice "+adviceCode)
	}
	return strings.Join(words, ", ")
}

// AddTry notes what became of an attempt; a second word about the same attempt replaces the first. The oldest beyond TriedMax are dropped.
func AddTry(tried []Try, t Try) []Try {
	for n := range tried {
		if tried[n].Attempt == t.Attempt {
			tried[n].Outcome = t.Outcome
			return tried
		}
	}
	tried = append(tried, t)
	return tried[max(0, len(tried)-TriedMax):]
}
