package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// CodeUnusableMethod is the decline code where Stripe refuses a payment method without giving a code (detached, another customer's).
const CodeUnusableMethod = "unusable_payment_method"

// answerToError says what a failed call tells of an attempt. Not sent is only what is proved: the request never left, or Stripe
// refused it before executing anything (429, 401, 403, 400 of validation). All else is unknown (D2).
func answerToError(err error, attempt billing.AttemptID, sent bool) gateway.Answer {
	var refused *stripe.Error
	if !errors.As(err, &refused) {
		return answerToBrokenCall(err, sent)
	}
	answer := gateway.Answer{Message: explain(err)}
	fillCodes(&answer, refused, rawCodes(refused))
	switch {
	case refused.HTTPStatusCode >= http.StatusInternalServerError:
		return unknownWith(answer)
	case refused.Type == stripe.ErrorTypeIdempotency || refused.HTTPStatusCode == http.StatusConflict:
		// In use: the first send is still being executed. Other parameters: the first send was another. Either way it exists.
		return unknownWith(answer)
	case refused.PaymentIntent != nil:
		return answerToRefusal(answer, refused, attempt)
	case refused.Type == stripe.ErrorTypeCard:
		answer.State = billing.AttemptDeclined
	case refused.HTTPStatusCode == http.StatusTooManyRequests:
		answer.State, answer.Transient, answer.RetryAfter = billing.AttemptNotSent, true, retryAfter(refused)
	case refused.HTTPStatusCode == http.StatusUnauthorized, refused.HTTPStatusCode == http.StatusForbidden, refused.HTTPStatusCode == http.StatusNotFound:
		answer.State, answer.OurConfig = billing.AttemptNotSent, true
	case refused.HTTPStatusCode == http.StatusBadRequest && refused.Type == stripe.ErrorTypeInvalidRequest:
		answerToValidation(&answer, refused)
	default:
		return unknownWith(answer)
	}
	return answer
}

// answerToBrokenCall handles what isn't an answer of Stripe's at all.
func answerToBrokenCall(err error, sent bool) gateway.Answer {
	if errors.Is(err, errNotOurs) {
		return gateway.Answer{State: billing.AttemptNotSent, OurConfig: true, Message: errNotOurs.Error()}
	}
	if !sent {
		return gateway.Answer{State: billing.AttemptNotSent, Transient: true, Message: "not sent: " + explain(err)}
	}
	return answerToSilence(err)
}

// answerToRefusal handles an error that shows the intent: the intent's own state counts.
func answerToRefusal(answer gateway.Answer, refused *stripe.Error, attempt billing.AttemptID) gateway.Answer {
	byIntent := answerToIntent(refused.PaymentIntent, attempt)
	if byIntent.State == billing.AttemptDeclined {
		if byIntent.DeclineCode == CodeCanceled {
			return byIntent
		}
		answer.State, answer.Reference = billing.AttemptDeclined, byIntent.Reference
		return answer
	}
	return byIntent
}

// answerToValidation handles a 400 that was never executed: the method's fault, so that another may be tried, or ours.
func answerToValidation(answer *gateway.Answer, refused *stripe.Error) {
	code := string(refused.Code)
	ofMethod := refused.Param == "payment_method" || refused.Param == "customer" ||
		strings.HasPrefix(code, "payment_method_") || strings.HasPrefix(code, "bank_account_")
	if !ofMethod {
		answer.State, answer.OurConfig = billing.AttemptNotSent, true
		return
	}
	answer.State = billing.AttemptDeclined
	if answer.DeclineCode == "" {
		answer.DeclineCode = CodeUnusableMethod
	}
}

func unknownWith(answer gateway.Answer) gateway.Answer {
	answer.State, answer.AdviceCode = billing.AttemptUnknown, ""
	return answer
}

// codes are the parts of Stripe's error envelope that the SDK has no fields for.
type codes struct {
	AdviceCode         string `json:"advice_code"`
	NetworkAdviceCode  string `json:"network_advice_code"`
	NetworkDeclineCode string `json:"network_decline_code"`
}

func rawCodes(refused *stripe.Error) *codes {
	if refused.LastResponse == nil {
		return nil
	}
	var envelope struct{ Error codes }
	if err := json.Unmarshal(refused.LastResponse.RawJSON, &envelope); err != nil {
		return nil
	}
	return &envelope.Error
}

// fillCodes takes over the raw codes: the decline code, or the error code where there is none.
func fillCodes(answer *gateway.Answer, refused *stripe.Error, more *codes) {
	answer.DeclineCode = clip(string(refused.DeclineCode))
	if answer.DeclineCode == "" {
		answer.DeclineCode = clip(string(refused.Code))
	}
	if more != nil {
		answer.AdviceCode = clip(strictestAdvice(more.AdviceCode, more.NetworkAdviceCode))
		answer.NetworkCode = clip(more.NetworkDeclineCode)
	}
}

// retryAfter reads Retry-After in seconds; 0 when it is not told.
func retryAfter(refused *stripe.Error) time.Duration {
	if refused.LastResponse == nil {
		return 0
	}
	seconds, err := strconv.Atoi(refused.LastResponse.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// explain is a short text for operators: status, type, code and request id, never Stripe's message, which may name a customer (I18).
func explain(err error) string {
	var refused *stripe.Error
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("HTTP %d %s %s (request %s)", refused.HTTPStatusCode, clip(string(refused.Type)), clip(string(refused.Code)), clip(refused.RequestID))
	case errors.Is(err, errTooLarge), errors.Is(err, errUnreadable), errors.Is(err, errNoList), errors.Is(err, errNotOurs),
		errors.Is(err, errStillReading):
		return strings.TrimSpace(err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the call was canceled"
	}
	return "the connection failed: " + clip(cause(err))
}

// cause is the innermost error's text, without the URL that net/http puts around it.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
