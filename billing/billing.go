// Package billing owns the nouns of collecting money and their rules: accounts, invoices, credits, advance funds, payment methods,
// attempts and ledger postings. It is pure: no I/O, no clock, no globals. It does not decide when something happens
// (package dunning) and does not store anything (package store).
package billing

import (
	"fmt"
	"regexp"
)

// Ids are opaque text, safe in logs and histories (I18): never a name or an e-mail address.
type (
	// AccountID is the id of an Account.
	AccountID string
	// InvoiceID is the id of an Invoice.
	InvoiceID string
	// MethodID is the id of a PaymentMethod.
	MethodID string
	// CreditID is the id of a Credit.
	CreditID string
	// DepositID is the id of a Deposit.
	DepositID string
	// CaseID is the id of a Case: CaseIDFor(invoice, episode).
	CaseID string
	// AttemptID is the id of an Attempt: a UUID; also the gateway's idempotency key (PM5).
	AttemptID string
)

// IDMax is the longest id accepted, in bytes.
const IDMax = 64

var idShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]*$`)

// CheckID reports whether an id given from outside is usable: 1 to 64 of letters, digits and . _ : - , starting with a letter or
// digit, and no run of digits that could be a card number (I18).
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("must not be empty")
	case len(id) > IDMax:
		return fmt.Errorf("must be at most %d characters, got %d", IDMax, len(id))
	case !idShape.MatchString(id):
		return fmt.Errorf("%q must be letters, digits and . _ : - only, starting with a letter or digit", id)
	case LooksLikeCardNumber(id):
		return fmt.Errorf("looks like a card number, which must never be given to Recoup")
	}
	return nil
}

// CaseIDFor names the case of an invoice's episode: the invoice's id, with "/2" and so on after a reversal. Its workflow's id is "case/"
// and this.
func CaseIDFor(invoice InvoiceID, episode int) CaseID {
	if episode == 1 {
		return CaseID(invoice)
	}
	return CaseID(fmt.Sprintf("%s/%d", invoice, episode))
}
