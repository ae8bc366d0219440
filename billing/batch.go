package billing

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"time"
)

// Batch is what one import file holds, checked as far as the file alone allows: ids are unique per kind, references inside the file
// fit, lines add up to totals. What it refers to outside the file only the store can check. Objects stand in the file's order.
type Batch struct {
	Accounts []BatchAccount
	Methods  []BatchMethod
	Credits  []BatchCredit
	Deposits []BatchDeposit
	Invoices []BatchInvoice
}

// BatchAccount is an account with the people who get its mail.
type BatchAccount struct {
	Line     int // of the file
	Account  Account
	Contacts []Contact
	// KeepExisting: the file only mentions the account; one that is there already stays as it is, whatever it looks like.
	KeepExisting bool
}

// BatchMethod is a payment method. Position 0 means after the account's others.
type BatchMethod struct {
	Line   int
	Method PaymentMethod
	// WithNewAccount: given only together with a new account, never to one that is there already.
	WithNewAccount bool
}

// BatchCredit is a credit. Its expiry is a local date of the account, whose zone may only be known to the store.
type BatchCredit struct {
	Line      int
	Credit    Credit // without ExpiresAt
	ExpiresOn string // the last day it can be used, "2026-12-31", or ""
}

// BatchDeposit is a deposit; SettledOn is "" while the money hasn't arrived (AF3).
type BatchDeposit struct {
	Line      int
	Deposit   Deposit // without SettledAt
	SettledOn string
}

// BatchInvoice is an invoice. DueAt and CollectAt are for the store to fill: they follow from the account's zone and policy (T2).
type BatchInvoice struct {
	Line    int
	Invoice Invoice
}

// Len returns how many objects the batch holds.
func (b Batch) Len() int {
	return len(b.Accounts) + len(b.Methods) + len(b.Credits) + len(b.Deposits) + len(b.Invoices)
}

// ContentHash identifies what was imported of an invoice: the same content again changes nothing, other content under the same id is
// refused. It leaves out what Recoup itself changes (state, allocated) or derives (instants).
func (b BatchInvoice) ContentHash() [sha256.Size]byte {
	h := sha256.New()
	i := b.Invoice
	writeFields(h, "invoice/1", string(i.ID), i.Number, string(i.AccountID), i.DueDate, i.Total, i.Marketplace, len(i.Lines))
	for _, l := range i.Lines {
		writeFields(h, l.Service, string(l.ChargeKind), l.Description, l.PeriodStart.Format(time.DateOnly), l.Amount)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// writeFields writes values with their lengths, so that no two lists of values look the same to a hash.
func writeFields(h hash.Hash, values ...any) {
	for _, v := range values {
		text := fmt.Sprint(v)
		fmt.Fprintf(h, "%d:%s,", len(text), text)
	}
}
