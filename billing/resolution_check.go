package billing

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// textMax bounds what people write into a resolution, in bytes.
const textMax = 500

// Check refuses a resolution that can't be right whatever the state of its case or account, naming the field (R2).
func (r Resolution) Check() error {
	if err := r.checkSubject(); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(r.Actor) == "" || len(r.Actor) > 100:
		return Refuse(RefusedInvalid, "actor", "must say who decides, in at most 100 characters")
	case strings.TrimSpace(r.Reason) == "" || len(r.Reason) > textMax:
		return Refuse(RefusedInvalid, "reason", "must say why, in at most %d characters", textMax)
	}
	if err := r.checkTexts(); err != nil {
		return err
	}
	if r.Confirms != "" {
		return r.checkConfirms()
	}
	return r.checkFields()
}

// checkSubject: a decision has an id and is about one case or one account.
func (r Resolution) checkSubject() error {
	switch {
	case !isRequestID(r.RequestID):
		return Refuse(RefusedInvalid, "request_id", "must be 1 to 128 letters, digits and . _ : -")
	case !slices.Contains(ResolutionKinds(), r.Kind):
		return Refuse(RefusedInvalid, "kind", "%q is none of %v", string(r.Kind), ResolutionKinds())
	case r.Case != "" && r.Account != "":
		return Refuse(RefusedInvalid, "account", "name a case or an account, not both")
	case r.Case == "" && r.Account == "":
		return Refuse(RefusedInvalid, "case", "must name a case")
	case r.Account != "" && !slices.Contains(AccountKinds(), r.Kind):
		return Refuse(RefusedInvalid, "kind", "%s is about one case; about an account can be decided %v", r.Kind, AccountKinds())
	}
	return nil
}

func isRequestID(id string) bool { return len(id) <= 128 && idShape.MatchString(id) }

// checkTexts refuses what must not be kept, or can't be: Postgres takes no NUL, and its error would be tried again for ever by the case
// that got the decision as a signal.
func (r Resolution) checkTexts() error {
	for _, text := range []struct{ field, value string }{
		{"actor", r.Actor}, {"reason", r.Reason}, {"reference", r.Reference}, {"evidence", r.Evidence}, {"method", string(r.Method)},
		{"claim", r.Claim},
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

// checkConfirms: the second person confirms a decision as it was proposed, so they give nothing but its id and kind.
func (r Resolution) checkConfirms() error {
	switch {
	case !isRequestID(r.Confirms):
		return Refuse(RefusedInvalid, "confirms", "must be the request id of the decision that waits for a second person")
	case r.Confirms == r.RequestID:
		return Refuse(RefusedInvalid, "request_id", "a confirmation has a request id of its own")
	case r.Amount != nil || !r.Until.IsZero() || r.Reference != "" || r.Reverses != "" || r.Outcome != "":
		return Refuse(RefusedInvalid, "confirms", "the fields are those of the decision that is confirmed: leave them out")
	}
	return nil
}

// checkFields looks at what each kind needs.
func (r Resolution) checkFields() error {
	switch r.Kind {
	case PaidOutOfBand:
		return r.checkPaid()
	case Hold:
		return r.checkHold()
	case ResolveUnknown:
		return r.checkVerdict()
	case PromiseToPay:
		if r.Until.IsZero() {
			return Refuse(RefusedInvalid, "until", "a promise must have a date")
		}
		return r.checkAmount()
	case Dispute:
		if strings.TrimSpace(r.Claim) == "" || len(r.Claim) > textMax {
			return Refuse(RefusedInvalid, "claim", "must say what the customer disputes, in at most %d characters", textMax)
		}
		return r.checkAmount()
	case EndDispute:
		if r.Outcome != DisputeUpheld && r.Outcome != DisputeRejected {
			return Refuse(RefusedInvalid, "outcome", "%q is neither %s nor %s", string(r.Outcome), DisputeUpheld, DisputeRejected)
		}
	case GrantCredit:
		return r.checkAmount()
	case Extend, NeverSuspend:
		if r.Until.IsZero() {
			return Refuse(RefusedInvalid, "until", "must be a date and time")
		}
	case Reverse:
		if !isRequestID(r.Reverses) {
			return Refuse(RefusedInvalid, "reverses", "must be the request id of the decision to take back")
		}
	case RetryNow, Release, WriteOffInvoice, VoidInvoice, SuspendNow, Reinstate, CloseAccount:
	}
	return nil
}

func (r Resolution) checkAmount() error {
	if r.Amount == nil || !r.Amount.IsPositive() {
		return Refuse(RefusedInvalid, "amount", "must be above zero")
	}
	return nil
}

func (r Resolution) checkHold() error {
	if r.Until.IsZero() {
		return Refuse(RefusedInvalid, "until", "a hold must have an end")
	}
	for _, s := range r.Scope {
		if s != "attempts" && s != "notices" && s != "suspension" {
			return Refuse(RefusedInvalid, "scope", "%q is none of attempts, notices, suspension", s)
		}
	}
	return nil
}

func (r Resolution) checkPaid() error {
	if err := r.checkAmount(); err != nil {
		return err
	}
	if strings.TrimSpace(r.Reference) == "" || len(r.Reference) > 100 {
		return Refuse(RefusedInvalid, "reference", "must name the payment (cheque number, transfer reference), in at most 100 characters")
	}
	if day, err := time.Parse(time.DateOnly, r.ReceivedOn); err != nil || day.Year() < 1 {
		return Refuse(RefusedInvalid, "received_on", "must be a date such as 2026-11-21")
	}
	return nil
}
