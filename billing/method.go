package billing

import (
	"slices"
	"strings"
	"time"

	"recoup/money"
)

// MethodKind is the sort of instrument behind a payment method.
type MethodKind string

// The kinds of payment methods.
const (
	MethodCard          MethodKind = "card"
	MethodUSBankAccount MethodKind = "us_bank_account"
	MethodSEPADebit     MethodKind = "sepa_debit"
)

// MethodState says whether a method may be used (PM2).
type MethodState string

// The states of a payment method.
const (
	MethodActive              MethodState = "active"
	MethodDisabled            MethodState = "disabled"             // by a person
	MethodBlocked             MethodState = "blocked"              // after a hard decline, until replaced (D1 hard_instrument)
	MethodNeedsUpdate         MethodState = "needs_update"         // until its data is corrected (D1 fix_data)
	MethodNeedsAuthentication MethodState = "needs_authentication" // until the customer is brought back (D1 auth_required)
)

// PaymentMethod is a token at a gateway. Position 1 is the primary, the rest are backups.
type PaymentMethod struct {
	ID             MethodID
	AccountID      AccountID
	Gateway        string // name of the adapter, "stripe"
	Token          string // the gateway's; never logged (I18)
	CustomerToken  string // the gateway's customer, or ""
	Kind           MethodKind
	Brand          string // "visa", "mastercard", … or the bank's name
	Last4          string
	ExpiryMonth    int // 0 when the instrument has none
	ExpiryYear     int
	Currency       string // "" when it takes any
	Position       int
	State          MethodState
	StateReason    string
	RetryNotBefore time.Time // advice of the network: not earlier (D3); zero when none
	AttemptsIn24h  int       // of its token at its gateway, across all accounts and invoices (D4), filled by the reader
	AttemptsIn30d  int
	// Of bank debits, for the invoice at hand: how often it was presented on methods of this kind, ACH within 180 days; and whether it
	// was on this very account, with what the bank said to the last one ("R01", or the gateway's word for it).
	Presentments    int
	Presented       bool
	LastReturn      string
	AddedAt         time.Time
	LastSucceededAt time.Time
}

// Skip is why a method is passed over in a round (PM2); empty when it is usable.
type Skip string

// The reasons to skip a method.
const (
	SkipNone           Skip = ""
	SkipDisabled       Skip = "disabled"
	SkipExpired        Skip = "card expired"
	SkipBlocked        Skip = "blocked after a hard decline"
	SkipNeedsUpdate    Skip = "needs corrected data"
	SkipAuthentication Skip = "needs authentication by the customer"
	SkipCurrency       Skip = "another currency"
	SkipBudget         Skip = "attempt budget used up"
	SkipReturn         Skip = "the bank's answer allows no further debit"
	SkipAdvice         Skip = "the network asks to wait"
	SkipNotAsked       Skip = "another method was asked for"
	SkipBackupsOff     Skip = "backup methods are switched off"
	SkipDeclinedBefore Skip = "declined before our outage stopped the round"
)

// Attempt budgets of the card networks (D4); people's attempts count too.
const (
	VisaAttemptsIn30d       = 15
	MastercardAttemptsIn24h = 10
	MastercardAttemptsIn30d = 35
)

// BankPresentments is how often one invoice may be presented to banks by one kind of debit: ACH 3 times in 180 days, SEPA once and two
// retries (D4).
const BankPresentments = 3

// repeatable are the answers of a bank after which a debit may be presented again (D4): not enough money, and for SEPA no reason given.
// Gateways that pass no return code on say insufficient_funds for the first.
var repeatable = map[MethodKind][]string{
	MethodUSBankAccount: {"R01", "R09", "INSUFFICIENT_FUNDS"},
	MethodSEPADebit:     {"AM04", "MS03", "INSUFFICIENT_FUNDS"},
}

// Skip returns why the method can't be used for an amount at an instant, or SkipNone (PM2, D3, D4).
// A card is good to the end of its expiry month, UTC.
func (m PaymentMethod) Skip(now time.Time, currency money.Currency) Skip {
	switch m.State {
	case MethodDisabled:
		return SkipDisabled
	case MethodBlocked:
		return SkipBlocked
	case MethodNeedsUpdate:
		return SkipNeedsUpdate
	case MethodNeedsAuthentication:
		return SkipAuthentication
	case MethodActive:
	}
	switch {
	case m.ExpiryYear > 0 && !now.Before(time.Date(m.ExpiryYear, time.Month(m.ExpiryMonth)+1, 1, 0, 0, 0, 0, time.UTC)):
		return SkipExpired
	case m.Currency != "" && m.Currency != currency.Code():
		return SkipCurrency
	case now.Before(m.RetryNotBefore):
		return SkipAdvice
	case m.overBudget():
		return SkipBudget
	case m.Kind != MethodCard && m.Presented && !slices.Contains(repeatable[m.Kind], strings.ToUpper(m.LastReturn)):
		return SkipReturn
	}
	return SkipNone
}

func (m PaymentMethod) overBudget() bool {
	switch {
	case m.Kind != MethodCard:
		return m.Presentments >= BankPresentments
	case m.Brand == "mastercard":
		return m.AttemptsIn24h >= MastercardAttemptsIn24h || m.AttemptsIn30d >= MastercardAttemptsIn30d
	default:
		// Brands without a published budget keep Visa's, the strictest (D3).
		return m.AttemptsIn30d >= VisaAttemptsIn30d
	}
}
