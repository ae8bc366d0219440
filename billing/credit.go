package billing

import (
	"time"

	"recoup/money"
)

// Credit is a promotional grant: a start, an expiry, eligible services.
type Credit struct {
	ID            CreditID
	AccountID     AccountID
	Enabled       bool
	Granted       money.Amount
	Remaining     money.Amount
	StartsOn      time.Time    // UTC; lines of an earlier calendar month are not eligible (CR3)
	ExpiresAt     time.Time    // zero: never
	Services      []string     // empty: all services
	IncludedKinds []ChargeKind // kinds of CR3's excluded list that this credit pays all the same
	GrantedAt     time.Time
	Reason        string
	// ForInvoice: goodwill of a person for this invoice only; "" for any.
	ForInvoice InvoiceID
}

// Deposit is prepaid money: advance funds with their funding document.
type Deposit struct {
	ID        DepositID
	AccountID AccountID
	State     DepositState
	Reference string // of the funding document
	Amount    money.Amount
	Remaining money.Amount
	SettledAt time.Time
	CreatedAt time.Time
}

// DepositState is the state of a deposit (AF3).
type DepositState string

// The states of a deposit.
const (
	DepositPending  DepositState = "pending"
	DepositSettled  DepositState = "settled"
	DepositReturned DepositState = "returned"
)
