package billing

import (
	"strings"
	"time"
	"unicode/utf8"

	"recoup/money"
)

// ResolutionKind is something a person can decide about a case (rules.md §8).
type ResolutionKind string

// The kinds of resolutions.
const (
	PaidOutOfBand  ResolutionKind = "paid_out_of_band"
	RetryNow       ResolutionKind = "retry_now"
	Hold           ResolutionKind = "hold"
	Release        ResolutionKind = "release"
	ResolveUnknown ResolutionKind = "resolve_unknown"
)

// ResolutionKinds returns every kind, in the order of rules.md §8.
func ResolutionKinds() []ResolutionKind {
	return []ResolutionKind{PaidOutOfBand, RetryNow, Hold, Release, ResolveUnknown}
}

// HoldMax is how far ahead a hold may end (rules.md §8); one extension may add as much again.
const HoldMax = 14 * 24 * time.Hour

// Resolution is one decision. RequestID makes it idempotent: the same id returns the first answer (R2). The same form goes through the
// console, the CLI and the workflow's Signal and Update "resolve" (R1).
type Resolution struct {
	RequestID string         `json:"request_id"`
	Kind      ResolutionKind `json:"kind"`
	Case      CaseID         `json:"case"`
	Actor     string         `json:"actor"`
	Reason    string         `json:"reason"`

	// paid_out_of_band; resolve_unknown takes amount, when another was captured than was asked for, and reference
	Amount     *money.Amount `json:"amount,omitempty"`
	Reference  string        `json:"reference,omitempty"`
	ReceivedOn string        `json:"received_on,omitempty"` // local date, "2026-11-21"
	// retry_now: one method, or the whole order
	Method MethodID `json:"method,omitempty"`
	// resolve_unknown: what the person found at the gateway; evidence says how they know that nothing was captured
	Verdict  Verdict `json:"verdict,omitempty"`
	Evidence string  `json:"evidence,omitempty"`
	// hold
	Until time.Time `json:"until,omitzero"`
	Scope []string  `json:"scope,omitempty"` // attempts, notices, suspension; empty: all three
}

// ResolutionAnswer says what a resolution changed and what happens next.
type ResolutionAnswer struct {
	RequestID string `json:"request_id"`
	Changed   string `json:"changed"`
	Next      string `json:"next"`
	// Repeated: this request id had been answered before; nothing happened now.
	Repeated bool `json:"repeated,omitempty"`
}

// textMax bounds what people write into a resolution, in bytes.
const textMax = 500

// Check refuses a resolution that can't be right whatever the case's state, naming the field (R2).
func (r Resolution) Check() error {
	switch {
	case len(r.RequestID) == 0 || len(r.RequestID) > 128 || !idShape.MatchString(r.RequestID):
		return Refuse(RefusedInvalid, "request_id", "must be 1 to 128 letters, digits and . _ : -")
	case r.Case == "":
		return Refuse(RefusedInvalid, "case", "must name a case")
	case strings.TrimSpace(r.Actor) == "" || len(r.Actor) > 100:
		return Refuse(RefusedInvalid, "actor", "must say who decides, in at most 100 characters")
	case strings.TrimSpace(r.Reason) == "" || len(r.Reason) > textMax:
		return Refuse(RefusedInvalid, "reason", "must say why, in at most %d characters", textMax)
	}
	if err := r.checkTexts(); err != nil {
		return err
	}
	switch r.Kind {
	case PaidOutOfBand:
		return r.checkPaid()
	case Hold:
		if r.Until.IsZero() {
			return Refuse(RefusedInvalid, "until", "a hold must have an end")
		}
		for _, s := range r.Scope {
			if s != "attempts" && s != "notices" && s != "suspension" {
				return Refuse(RefusedInvalid, "scope", "%q is none of attempts, notices, suspension", s)
			}
		}
	case ResolveUnknown:
		return r.checkVerdict()
	case RetryNow, Release:
	default:
		return Refuse(RefusedInvalid, "kind", "%q is none of %v", string(r.Kind), ResolutionKinds())
	}
	return nil
}

// checkTexts refuses what must not be kept, or can't be: Postgres takes no NUL, and its error would be tried again for ever by the case
// that got the decision as a signal.
func (r Resolution) checkTexts() error {
	for _, text := range []struct{ field, value string }{
		{"actor", r.Actor}, {"reason", r.Reason}, {"reference", r.Reference}, {"evidence", r.Evidence}, {"method", string(r.Method)},
	} {
		switch {
		case LooksLikeCardNumber(text.value):
			return Refuse(RefusedInvalid, text.field, "holds what looks like a card number, which must never be given to Recoup")
		case !utf8.ValidString(text.value) || strings.ContainsRune(text.value, 0):
			return Refuse(RefusedInvalid, text.field, "has characters that can't be kept")
		}
	}
	return nil
}

func (r Resolution) checkPaid() error {
	switch {
	case r.Amount == nil || !r.Amount.IsPositive():
		return Refuse(RefusedInvalid, "amount", "must be above zero")
	case strings.TrimSpace(r.Reference) == "" || len(r.Reference) > 100:
		return Refuse(RefusedInvalid, "reference", "must name the payment (cheque number, transfer reference), in at most 100 characters")
	}
	if day, err := time.Parse(time.DateOnly, r.ReceivedOn); err != nil || day.Year() < 1 {
		return Refuse(RefusedInvalid, "received_on", "must be a date such as 2026-11-21")
	}
	return nil
}
