package billing

import (
	"time"

	"recoup/money"
)

// Answer is what is known of an attempt after talking to the gateway.
type Answer struct {
	// State is one of the six outcomes of rules.md §0; never intent or sent.
	State AttemptState
	// Reference is the gateway's id of the payment object ("pi_…"), or "".
	Reference string
	// Captured is what the gateway says it took; only with AttemptSucceeded. It may differ from what was asked.
	Captured money.Amount
	// DeclineCode is the gateway's code ("insufficient_funds"), AdviceCode the network's advice ("try_again_later", "03", …),
	// NetworkCode the issuer's response code ("51"), when told.
	DeclineCode string
	AdviceCode  string
	NetworkCode string
	// Transient: with AttemptNotSent only: the same attempt may be sent again soon (429, connection refused). RetryAfter is the
	// gateway's wish, or 0.
	Transient  bool
	RetryAfter time.Duration
	// OurConfig: with AttemptNotSent: our credentials or configuration were refused; an operator is needed.
	OurConfig bool
	// Message is a short text for operators, without personal data or secrets (I18).
	Message string
}
