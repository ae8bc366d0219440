package billing

import (
	"time"

	"recoup/money"
)

// InvoiceState is the state of an invoice: open → paid | void | written_off; a payment or a decision that is taken back reopens (U5).
type InvoiceState string

// The states of an invoice.
const (
	InvoiceOpen       InvoiceState = "open"
	InvoicePaid       InvoiceState = "paid"
	InvoiceVoid       InvoiceState = "void"
	InvoiceWrittenOff InvoiceState = "written_off"
)

// ChargeKind says what sort of charge a line is; some kinds are excluded from credits (CR3) or funds (AF2).
type ChargeKind string

// The kinds of charges.
const (
	ChargeUsage       ChargeKind = "usage"
	ChargeRecurring   ChargeKind = "recurring"
	ChargeUpfront     ChargeKind = "upfront"
	ChargeMarketplace ChargeKind = "marketplace"
	ChargeSupport     ChargeKind = "support"
	ChargeTax         ChargeKind = "tax"
	ChargeAdjustment  ChargeKind = "adjustment"
)

// Line is one line of an invoice. Amounts may be negative (a discount); the invoice's total is never below zero.
type Line struct {
	Position    int
	Service     string
	ChargeKind  ChargeKind
	Description string
	PeriodStart time.Time // the usage period's first day, UTC midnight; decides CR3's "not retroactive"
	Amount      money.Amount
}

// Invoice is what an account owes for a period. Amount due is total − allocated; both are checked against the journal (M3).
type Invoice struct {
	ID          InvoiceID
	Number      string
	AccountID   AccountID
	State       InvoiceState
	DueDate     string // local date of the account, "2026-11-30"
	DueAt       time.Time
	CollectAt   time.Time
	Total       money.Amount
	Allocated   money.Amount
	Marketplace bool // wholly a marketplace invoice: excluded from advance funds (AF2)
	// Disputed is what the customer disputes of it, in its currency; zero without an open dispute.
	Disputed  money.Amount
	Lines     []Line
	CreatedAt time.Time
}

// Due returns what is still owed.
func (i Invoice) Due() (money.Amount, error) { return i.Total.Sub(i.Allocated) }

// Withheld returns the part of what is due that isn't collected now, because it is disputed: at most what is due.
func (i Invoice) Withheld() (money.Amount, error) {
	due, err := i.Due()
	if err != nil || !i.Disputed.IsPositive() {
		return money.Zero(i.Total.Currency()), err
	}
	return money.Min(i.Disputed, due)
}

// invoiceEdges are the changes of an invoice's state (I14). Back to open leads a payment that was taken back (U5), and a decision of a
// person that was reversed; a void invoice stays void.
var invoiceEdges = map[InvoiceState][]InvoiceState{
	InvoiceOpen:       {InvoicePaid, InvoiceVoid, InvoiceWrittenOff},
	InvoicePaid:       {InvoiceOpen},
	InvoiceWrittenOff: {InvoiceOpen},
}

// CanBecome reports whether from → to is an edge of the invoice's state machine.
func (s InvoiceState) CanBecome(to InvoiceState) bool {
	for _, e := range invoiceEdges[s] {
		if e == to {
			return true
		}
	}
	return false
}
