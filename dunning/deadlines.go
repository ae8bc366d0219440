package dunning

import (
	"time"

	"recoup/billing"
)

// How long an attempt may wait for somebody else before it is cancelled at the gateway and the case goes on (U3). They count from the
// first send, in the policy's unit: a demonstration waits for seconds.
const (
	// AuthenticateWithin is how long a customer has to confirm a payment; at Stripe an intent would wait for ever.
	AuthenticateWithin = 24 * time.Hour
	// SettleWithin is how long a bank debit may take: ACH needs up to four business days, with holidays and weekends less than ten
	// days (docs.stripe.com/payments/ach-direct-debit).
	SettleWithin = 10 * 24 * time.Hour

	demoAuthenticateWithin = 40 * time.Second
	demoSettleWithin       = 90 * time.Second
)

// DeadlineOf is when an attempt that waits for the customer or a bank is cancelled; zero when the state has no deadline.
func (u Unit) DeadlineOf(state billing.AttemptState, kind billing.MethodKind, firstSent time.Time) time.Time {
	authenticate, settle := AuthenticateWithin, SettleWithin
	if u == UnitSecond {
		authenticate, settle = demoAuthenticateWithin, demoSettleWithin
	}
	switch {
	case firstSent.IsZero():
		return time.Time{}
	case state == billing.AttemptActionRequired, state == billing.AttemptPending && kind == billing.MethodCard:
		return firstSent.Add(authenticate)
	case state == billing.AttemptPending:
		return firstSent.Add(settle)
	}
	return time.Time{}
}
