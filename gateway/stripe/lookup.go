package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// skew is how far Stripe's clock and ours may differ.
const skew = 5 * time.Minute

// LookUp asks what became of an attempt: by its intent's id where that is known, else by search on our metadata and, because the
// search index lags, by the list of intents around its sends. AttemptNotSent needs both to miss, and the last send to lie
// further back than Contract().LookUpLag (U6, faults.md A19).
func (a *Adapter) LookUp(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	ctx, _ = withCall(ctx, "")
	if req.Attempt == "" {
		return unknown(req.Reference, "the look-up names no attempt")
	}
	if req.Reference != "" {
		return a.retrieve(ctx, req)
	}
	found, complete, err := a.find(ctx, req)
	switch {
	case err != nil:
		return unknown("", "look-up: "+explain(err))
	case len(found) > 0:
		return answerToAll(found, req.Attempt)
	case req.FirstSentAt.IsZero():
		return unknown("", "not found, but it is not known when it was sent")
	case !complete:
		return unknown("", "not found among the newest payments of its time; too many to read all")
	}
	if a.tooEarly(lastSend(req)) {
		return unknown("", fmt.Sprintf("not found yet; that proves nothing before %s after the last send", a.cfg.LookUpLag))
	}
	return gateway.Answer{State: billing.AttemptNotSent, Message: "proved: neither search nor list know it"}
}

// lastSend is when the gateway may have got the attempt last: what is on its way since then no miss disproves.
func lastSend(req gateway.LookUpRequest) time.Time {
	if req.LastSentAt.After(req.FirstSentAt) {
		return req.LastSentAt
	}
	return req.FirstSentAt
}

func (a *Adapter) retrieve(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	intent, err := a.intent(ctx, req.Reference)
	if err != nil {
		return unknown(req.Reference, "look-up: "+explain(err))
	}
	return answerToIntent(intent, req.Attempt)
}

func (a *Adapter) intent(ctx context.Context, id string) (*stripe.PaymentIntent, error) {
	params := &stripe.PaymentIntentRetrieveParams{}
	params.AddExpand("latest_charge")
	ctx, _ = withCall(ctx, "")
	return a.client.V1PaymentIntents.Retrieve(ctx, id, params)
}

// find returns the intents of an attempt. complete reports whether everything that could hold it was read.
func (a *Adapter) find(ctx context.Context, req gateway.LookUpRequest) (found []*stripe.PaymentIntent, complete bool, err error) {
	search := &stripe.PaymentIntentSearchParams{}
	search.Query = fmt.Sprintf("metadata['%s']:'%s'", MetaAttempt, req.Attempt)
	search.Limit = stripe.Int64(10)
	search.AddExpand("data.latest_charge")
	results := a.client.V1PaymentIntents.Search(withList(ctx, objectSearch), search)
	if err := results.Err(); err != nil {
		return nil, false, err
	}
	for _, intent := range results.Data() {
		if intent.Metadata[MetaAttempt] == string(req.Attempt) {
			found = append(found, intent)
		}
	}
	if len(found) > 0 || req.FirstSentAt.IsZero() {
		return found, true, nil
	}
	return a.findInList(ctx, req)
}

// findInList looks for an attempt among the intents created around its sends: its customer's where it is known, which are few, else in
// a listing that look-ups share.
func (a *Adapter) findInList(ctx context.Context, req gateway.LookUpRequest) (found []*stripe.PaymentIntent, complete bool, err error) {
	w := window{req.FirstSentAt.Add(-skew), lastSend(req).Add(a.cfg.LookUpLag + skew)}
	if req.CustomerToken != "" {
		return a.findAtCustomer(ctx, req, w)
	}
	// What begins after the lag proves a miss.
	l, err := a.listings.covering(ctx, w, lastSend(req).Add(a.cfg.LookUpLag), a.now, a.read)
	if err != nil {
		return nil, false, err
	}
	for _, id := range l.intents[req.Attempt] {
		intent, err := a.intent(ctx, id)
		if err != nil {
			return nil, false, err
		}
		found = append(found, intent)
	}
	return found, l.complete, nil
}

// findAtCustomer reads the customer's own intents of the window. A method's customer never changes.
func (a *Adapter) findAtCustomer(ctx context.Context, req gateway.LookUpRequest, w window) (found []*stripe.PaymentIntent, complete bool, err error) {
	list := &stripe.PaymentIntentListParams{Customer: stripe.String(req.CustomerToken),
		CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: w.from.Unix(), LesserThan: w.to.Unix()}}
	list.Limit = stripe.Int64(pageSize)
	list.AddExpand("data.latest_charge")
	read := 0
	ctx = withList(ctx, objectList)
	for intent, err := range a.client.V1PaymentIntents.List(ctx, list).All(ctx) {
		if err != nil {
			return nil, false, err
		}
		if intent.Metadata[MetaAttempt] == string(req.Attempt) {
			found = append(found, intent)
		}
		if read++; read >= pageSize*listPages {
			return found, false, nil
		}
	}
	return found, true, nil
}

// answerToAll answers for all intents of one attempt. There is one unless its key was used again after its window; then a success
// counts, and everything is said.
func answerToAll(found []*stripe.PaymentIntent, attempt billing.AttemptID) gateway.Answer {
	answer := answerToIntent(found[0], attempt)
	for _, intent := range found[1:] {
		other := answerToIntent(intent, attempt)
		if answer.State == billing.AttemptSucceeded && other.State == billing.AttemptSucceeded {
			answer.Message = fmt.Sprintf("charged twice: %s as well as %s", other.Reference, answer.Reference)
		} else if other.State == billing.AttemptSucceeded || !other.State.Final() {
			answer = other
		}
	}
	return answer
}

// Cancel makes sure an open attempt can no longer succeed. What is not found can't be fenced off at Stripe: a create that is still on
// its way would execute, so only LookUp's proof ends such an attempt (faults.md A20).
func (a *Adapter) Cancel(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	now := a.LookUp(ctx, req)
	if now.Reference == "" || now.State == billing.AttemptSucceeded || now.DeclineCode == CodeCanceled {
		return now
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	// A key of its own each time: under a fixed one Stripe would repeat a refusal for a day. Cancelling is idempotent by nature.
	key := stripe.NewIdempotencyKey()
	ctx, exchange := withCall(ctx, key)
	params := &stripe.PaymentIntentCancelParams{}
	params.IdempotencyKey = stripe.String(key)
	intent, err := a.client.V1PaymentIntents.Cancel(ctx, now.Reference, params)
	if err == nil {
		return answerToIntent(intent, req.Attempt)
	}
	var refused *stripe.Error
	if errors.As(err, &refused) && refused.HTTPStatusCode == http.StatusBadRequest && refused.PaymentIntent != nil {
		return answerToIntent(refused.PaymentIntent, req.Attempt) // too late: what it is now counts
	}
	answer := answerToError(err, req.Attempt, exchange.sent.Load())
	return unknown(now.Reference, "cancel: "+answer.Message)
}
