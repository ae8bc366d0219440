package billing

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"recoup/money"
)

// MethodChangeKind is what somebody does to an account's payment methods (PM1, PM10).
type MethodChangeKind string

// The kinds of changes.
const (
	MethodAdd       MethodChangeKind = "add"        // a new one, at the end or as the primary
	MethodReplace   MethodChangeKind = "replace"    // a new one in the place of another, which goes
	MethodReorder   MethodChangeKind = "reorder"    // the whole order, given anew
	MethodRemove    MethodChangeKind = "remove"     // it is never used again
	MethodDisable   MethodChangeKind = "disable"    // it keeps its place and is passed over
	MethodEnable    MethodChangeKind = "enable"     // it is used again
	MethodBackupsOn MethodChangeKind = "backups_on" // the backups are tried when the primary was declined
	// MethodBackupsOff: rounds try the primary alone. A person may still choose a backup.
	MethodBackupsOff MethodChangeKind = "backups_off"
)

// MethodChangeKinds returns every kind.
func MethodChangeKinds() []MethodChangeKind {
	return []MethodChangeKind{MethodAdd, MethodReplace, MethodReorder, MethodRemove, MethodDisable, MethodEnable, MethodBackupsOn, MethodBackupsOff}
}

// MethodsMax bounds how many methods an account has.
const MethodsMax = 20

// MethodChange is one change. RequestID makes it idempotent: the same id returns the first answer (R2).
type MethodChange struct {
	RequestID string
	Kind      MethodChangeKind
	Account   AccountID
	Actor     string
	Reason    string
	// Method is the one that is replaced, removed, disabled or enabled.
	Method MethodID
	// New is what is added or takes the place.
	New *NewMethod
	// Order are all methods of the account, the primary first.
	Order []MethodID
	// Own: one of the account's own people does it. The customer at the gateway is then the account's own, never one they name.
	Own bool
}

// NewMethod is a payment method as a gateway knows it: a token, never a card's number (I18).
type NewMethod struct {
	Gateway       string
	Token         string
	CustomerToken string
	Kind          MethodKind
	Brand         string
	Last4         string
	ExpiryMonth   int // 0 when the instrument has none
	ExpiryYear    int
	Currency      string // "" when it takes any
	Primary       bool   // add: before all others
}

// MethodsAnswer says what a change did and what happens next.
type MethodsAnswer struct {
	RequestID string   `json:"request_id"`
	Method    MethodID `json:"method,omitempty"` // the one added, or changed
	Changed   string   `json:"changed"`
	Next      string   `json:"next"`
	// Repeated: this request id had been answered before; nothing happened now.
	Repeated bool `json:"repeated,omitempty"`
}

// Gateways are the adapters Recoup has: a method at another one could never be charged.
func Gateways() []string { return []string{"stripe"} }

// DebitCurrency is the one currency that a kind of debit moves, whatever the invoice says: ACH dollars, SEPA euros; "" for any.
func DebitCurrency(kind MethodKind) string {
	return map[MethodKind]string{MethodUSBankAccount: "USD", MethodSEPADebit: "EUR"}[kind]
}

var (
	gatewayTokenShape = regexp.MustCompile(`^[!-~]{1,255}$`)
	methodLast4Shape  = regexp.MustCompile(`^[0-9A-Za-z]{0,4}$`)
	allDigits         = regexp.MustCompile(`^[0-9][0-9 -]{10,}[0-9]$`)
)

// Check refuses a change that can't be right whatever the account's methods are, naming the field. now is for cards that have expired.
func (c MethodChange) Check(now time.Time) error {
	switch {
	case !isRequestID(c.RequestID):
		return Refuse(RefusedInvalid, "request_id", "must be 1 to 128 letters, digits and . _ : -")
	case !slices.Contains(MethodChangeKinds(), c.Kind):
		return Refuse(RefusedInvalid, "kind", "%q is none of %v", string(c.Kind), MethodChangeKinds())
	case c.Account == "":
		return Refuse(RefusedInvalid, "account", "must be named")
	case strings.TrimSpace(c.Actor) == "" || len(c.Actor) > 150:
		return Refuse(RefusedInvalid, "actor", "must say who changes it, in at most 150 characters")
	case strings.TrimSpace(c.Reason) == "" || len(c.Reason) > textMax:
		return Refuse(RefusedInvalid, "reason", "must say why, in at most %d characters", textMax)
	}
	if err := keepable("actor", c.Actor); err != nil {
		return err
	}
	if err := keepable("reason", c.Reason); err != nil {
		return err
	}
	switch c.Kind {
	case MethodAdd, MethodReplace:
		if c.New == nil {
			return Refuse(RefusedInvalid, "token", "must be the gateway's token of the new method")
		}
		if err := c.New.check(now); err != nil {
			return err
		}
	case MethodReorder:
		return c.checkOrder()
	case MethodRemove, MethodDisable, MethodEnable, MethodBackupsOn, MethodBackupsOff:
	}
	switch c.Kind {
	case MethodReplace, MethodRemove, MethodDisable, MethodEnable:
		if CheckID(string(c.Method)) != nil {
			return Refuse(RefusedInvalid, "method", "must be one of the account's payment methods")
		}
	case MethodAdd, MethodReorder, MethodBackupsOn, MethodBackupsOff:
	}
	return nil
}

func (c MethodChange) checkOrder() error {
	seen := map[MethodID]bool{}
	for _, id := range c.Order {
		if CheckID(string(id)) != nil || seen[id] {
			return Refuse(RefusedInvalid, "order", "must name every payment method once, the primary first")
		}
		seen[id] = true
	}
	if len(c.Order) == 0 || len(c.Order) > 1000 {
		return Refuse(RefusedInvalid, "order", "must name every payment method once, the primary first")
	}
	return nil
}

func (n NewMethod) check(now time.Time) error {
	for _, text := range []struct{ field, value string }{
		{"token", n.Token}, {"customer_token", n.CustomerToken}, {"brand", n.Brand}, {"last4", n.Last4}, {"currency", n.Currency}, {"gateway", n.Gateway},
	} {
		if err := keepable(text.field, text.value); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains(Gateways(), n.Gateway):
		return Refuse(RefusedInvalid, "gateway", "%q is none of %v", n.Gateway, Gateways())
	case !gatewayTokenShape.MatchString(n.Token):
		return Refuse(RefusedInvalid, "token", "must be the gateway's token: at most 255 printable ASCII characters without blanks")
	case allDigits.MatchString(n.Token):
		return Refuse(RefusedInvalid, "token", "is a number: give the gateway's token, never the number of a card or an account")
	case n.CustomerToken != "" && !gatewayTokenShape.MatchString(n.CustomerToken):
		return Refuse(RefusedInvalid, "customer_token", "must be at most 255 printable ASCII characters without blanks")
	case n.Kind != MethodCard && n.Kind != MethodUSBankAccount && n.Kind != MethodSEPADebit:
		return Refuse(RefusedInvalid, "kind", "%q is none of %s, %s and %s", string(n.Kind), MethodCard, MethodUSBankAccount, MethodSEPADebit)
	case len(n.Brand) > 40:
		return Refuse(RefusedInvalid, "brand", "at most 40 characters")
	case !methodLast4Shape.MatchString(n.Last4):
		return Refuse(RefusedInvalid, "last4", "must be at most the last four letters or digits")
	}
	return n.checkLife(now)
}

func (n NewMethod) checkLife(now time.Time) error {
	if n.Currency != "" {
		if _, err := money.ParseCurrency(n.Currency); err != nil {
			return Refuse(RefusedInvalid, "currency", "%q is no currency, such as EUR", n.Currency)
		}
	}
	if n.ExpiryMonth == 0 && n.ExpiryYear == 0 {
		return nil
	}
	if n.ExpiryMonth < 1 || n.ExpiryMonth > 12 || n.ExpiryYear < 2000 || n.ExpiryYear > 2100 {
		return Refuse(RefusedInvalid, "expiry", "must be a month and a year")
	}
	if !now.Before(time.Date(n.ExpiryYear, time.Month(n.ExpiryMonth)+1, 1, 0, 0, 0, 0, time.UTC)) {
		return Refuse(RefusedInvalid, "expiry", "the card has expired")
	}
	return nil
}

// keepable refuses what must not be kept (I18), or can't be.
func keepable(field, text string) error {
	switch {
	case LooksLikeCardNumber(text):
		return Refuse(RefusedInvalid, field, "holds what looks like a card number, which must never be given to Recoup")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return Refuse(RefusedInvalid, field, "has characters that can't be kept")
	}
	return nil
}

// MayServe reports whether the method can pay an invoice of this currency now or some day by itself: what a person must mend first, an
// expired card or another currency don't count (PM8).
func (m PaymentMethod) MayServe(now time.Time, currency money.Currency) bool {
	switch m.Skip(now, currency) {
	case SkipNone, SkipAdvice, SkipBudget, SkipReturn:
		return true
	default:
		return false
	}
}
