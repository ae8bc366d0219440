package billing

import (
	"time"

	"recoup/money"
)

// ListedCharge is one payment in a gateway's own list that took money.
type ListedCharge struct {
	Reference string    // the gateway's id, as attempts keep it
	Attempt   AttemptID // the mark we sent with it; "" when it carries none
	Taken     money.Amount
	At        time.Time // by the gateway's clock
}

// MismatchKind is how a gateway's list and our records differ.
type MismatchKind string

// How a gateway's list and our records can differ (I1, I2).
const (
	ChargeWithoutAttempt MismatchKind = "charge_without_attempt" // money was taken that no attempt of ours explains
	ChargeWithoutReceipt MismatchKind = "charge_without_receipt" // money was taken and not booked
	AmountsDiffer        MismatchKind = "amounts_differ"         // booked otherwise than taken
	ChargedTwice         MismatchKind = "charged_twice"          // two payments carry the mark of one attempt
	ReceiptWithoutCharge MismatchKind = "receipt_without_charge" // booked, and the gateway's list doesn't have it
)

// Mismatch is one difference between a gateway's list and our records. Reference or Attempt may be "".
type Mismatch struct {
	Kind      MismatchKind `json:"kind"`
	Gateway   string       `json:"gateway"`
	Reference string       `json:"reference,omitempty"`
	Attempt   AttemptID    `json:"attempt,omitempty"`
	Invoice   InvoiceID    `json:"invoice,omitempty"`
	Account   AccountID    `json:"account,omitempty"`
	Case      CaseID       `json:"case,omitempty"`
	Detail    string       `json:"detail"` // amounts and states in words
}
