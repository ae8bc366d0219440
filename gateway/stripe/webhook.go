package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// Errors of webhooks. Neither says why in detail: whoever sends forgeries learns nothing.
var (
	ErrWebhookSecret = errors.New("stripe: no webhook secret is configured")
	ErrWebhook       = errors.New("stripe: the webhook's signature, age or content is not right")
)

// webhookMax bounds a webhook's body.
const webhookMax = 1 << 20

// textMax is the longest id or type that Stripe documents (docs.stripe.com/upgrades).
const textMax = 255

var _ gateway.WebhookParser = (*Adapter)(nil)

// ParseWebhook checks a webhook's signature (any of the configured secrets; at most five minutes old) and returns it as a neutral
// event. It carries no truth: the caller looks the attempt up (faults.md R9, B2). An event without an attempt of ours is still
// returned: money nobody knows must be seen (B6).
func (a *Adapter) ParseWebhook(body []byte, signature string) (gateway.Event, error) {
	if len(a.cfg.WebhookSecrets) == 0 {
		return gateway.Event{}, ErrWebhookSecret
	}
	event, err := a.signed(body, signature)
	if err != nil {
		return gateway.Event{}, ErrWebhook
	}
	return neutral(event)
}

// signedAt reads the time of a signature header. One that names two times is refused: two readers could take different ones.
func signedAt(signature string) (at time.Time, ok bool) {
	for part := range strings.SplitSeq(signature, ",") {
		value, isTime := strings.CutPrefix(part, "t=")
		if !isTime {
			continue
		}
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || ok {
			return time.Time{}, false
		}
		at, ok = time.Unix(seconds, 0), true
	}
	return at, ok
}

// neutral reads what our side needs of an event's object: a payment intent, or a charge, refund or dispute of one.
func neutral(e stripe.Event) (gateway.Event, error) {
	if e.ID == "" || e.Data == nil {
		return gateway.Event{}, ErrWebhook
	}
	var object struct {
		ID            string            `json:"id"`
		Object        string            `json:"object"`
		PaymentIntent json.RawMessage   `json:"payment_intent"`
		Metadata      map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(e.Data.Raw, &object); err != nil {
		return gateway.Event{}, ErrWebhook
	}
	out := gateway.Event{Gateway: Name, ID: e.ID, Type: string(e.Type), About: about(e.Type), At: time.Unix(e.Created, 0).UTC(), Attempt: billing.AttemptID(object.Metadata[MetaAttempt])}
	switch object.Object {
	case "payment_intent":
		out.Reference = object.ID
	default:
		_ = json.Unmarshal(object.PaymentIntent, &out.Reference) // an id, null or an expanded object: only the id is of use
	}
	if len(out.Attempt) > billing.IDMax || (out.Attempt != "" && billing.CheckID(string(out.Attempt)) != nil) {
		out.Attempt = "" // somebody else's metadata under our name
	}
	if !keepable(out) {
		return gateway.Event{}, ErrWebhook
	}
	return out, nil
}

// keepable reports whether an event can be stored as it is: a store that fails for ever would have it sent again for days.
func keepable(e gateway.Event) bool {
	for _, text := range []string{e.ID, e.Type, e.Reference} {
		if len(text) > textMax || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return false
		}
	}
	return e.At.Year() >= 1970 && e.At.Year() <= 9999
}

// about sorts the events that are worth subscribing to (docs.stripe.com/api/events/types). A bank's return and a card's chargeback are
// both a dispute at Stripe.
func about(t stripe.EventType) billing.EventAbout {
	switch t {
	case "payment_intent.created", "payment_intent.processing":
		return billing.EventProgress
	case "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.requires_action":
		return billing.EventOutcome
	case "payment_intent.succeeded", "payment_intent.partially_funded":
		return billing.EventCapture
	}
	if strings.HasPrefix(string(t), "charge.dispute.") {
		return billing.EventReversal
	}
	return billing.EventOther
}

// WebhookHandler serves Stripe's webhooks: it checks them and hands each to take, which stores it before it returns. Stripe is
// answered 200 only then; an error makes it send again. Mount it outside of any CSRF protection, and nothing else beside it.
func (a *Adapter) WebhookHandler(take func(context.Context, gateway.Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "webhooks are posted", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhookMax))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		event, err := a.ParseWebhook(body, r.Header.Get("Stripe-Signature"))
		if err != nil {
			http.Error(w, strings.TrimPrefix(err.Error(), "stripe: "), http.StatusBadRequest)
			return
		}
		if err := take(r.Context(), event); err != nil {
			http.Error(w, fmt.Sprintf("event %s is not stored yet; send it again", event.ID), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}
