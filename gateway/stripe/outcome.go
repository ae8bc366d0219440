package stripe

import (
	"fmt"
	"strings"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// CodeCanceled is the decline code of an attempt whose intent was cancelled before it took money.
const CodeCanceled = "canceled"

// answerToIntent says what a PaymentIntent tells of an attempt. An object that is not unmistakably this attempt's, or whose status
// is none we know, proves nothing (D2).
func answerToIntent(i *stripe.PaymentIntent, attempt billing.AttemptID) gateway.Answer {
	switch {
	case i == nil || i.Object != "payment_intent" || !strings.HasPrefix(i.ID, "pi_"):
		return unknown("", "the answer holds no payment intent")
	case i.Metadata[MetaAttempt] != string(attempt):
		return unknown(i.ID, "the answer holds the payment intent of another attempt")
	}
	answer := gateway.Answer{Reference: i.ID}
	switch i.Status {
	case stripe.PaymentIntentStatusSucceeded:
		return captured(answer, i)
	case stripe.PaymentIntentStatusProcessing:
		answer.State = billing.AttemptPending
	case stripe.PaymentIntentStatusRequiresAction:
		answer.State, answer.Message = billing.AttemptActionRequired, "the customer must act"
		if i.NextAction != nil {
			answer.Message += ": " + string(i.NextAction.Type)
		}
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		if i.LastPaymentError == nil {
			return unknown(i.ID, "the payment intent was never confirmed")
		}
		answer.State = billing.AttemptDeclined
		fillCodes(&answer, i.LastPaymentError, nil)
		fillFromCharge(&answer, i.LatestCharge)
	case stripe.PaymentIntentStatusCanceled:
		if i.AmountReceived > 0 {
			return unknown(i.ID, "the payment intent is canceled but received money")
		}
		answer.State, answer.DeclineCode, answer.Message = billing.AttemptDeclined, CodeCanceled, "the payment was canceled before it took money"
	default: // requires_confirmation, requires_capture, and whatever Stripe adds
		return unknown(i.ID, fmt.Sprintf("the payment intent has the status %q", clip(string(i.Status))))
	}
	return answer
}

// captured reports what was really taken, which may differ from what was asked (faults.md A23, A24).
func captured(answer gateway.Answer, i *stripe.PaymentIntent) gateway.Answer {
	took, err := fromStripe(i.AmountReceived, string(i.Currency))
	if err != nil || i.AmountReceived <= 0 {
		return unknown(i.ID, "the payment intent succeeded, but says not how much it took")
	}
	answer.State, answer.Captured = billing.AttemptSucceeded, took
	if i.AmountReceived != i.Amount {
		answer.Message = fmt.Sprintf("%d minor units were taken instead of %d", i.AmountReceived, i.Amount)
	}
	return answer
}

// fillFromCharge completes the codes from an expanded charge, which look-ups ask for.
func fillFromCharge(answer *gateway.Answer, c *stripe.Charge) {
	if c == nil || c.Outcome == nil {
		return
	}
	advice := strictestAdvice(string(c.Outcome.AdviceCode), c.Outcome.NetworkAdviceCode)
	if answer.AdviceCode == "" {
		answer.AdviceCode = advice
	}
	if answer.NetworkCode == "" {
		answer.NetworkCode = c.Outcome.NetworkDeclineCode
	}
}

// strictestAdvice picks the one advice that is passed on: "do not try again" from whoever says it, else the network's own code, which
// also tells how long to wait (D3), else Stripe's summary.
func strictestAdvice(summary, network string) string {
	if network == "" || summary == "do_not_try_again" {
		return summary
	}
	return network
}

// clip bounds text that came from outside.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
