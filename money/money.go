// Package money owns amounts and currencies: integer minor units and an ISO 4217 code (rule M1).
// It is the only package that formats or parses money. It does no I/O and knows nothing of invoices.
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Errors of the arithmetic. They are compared with errors.Is.
var (
	ErrOverflow         = errors.New("money: overflow")
	ErrCurrencyMismatch = errors.New("money: currencies differ")
)

// Amount is a signed number of minor units in one currency. The zero Amount has no currency and is only a placeholder:
// arithmetic with it is ErrCurrencyMismatch.
type Amount struct {
	minor    int64
	currency Currency
}

// New returns minor units (cents for USD, yen for JPY, fils for KWD) of a currency.
func New(minor int64, c Currency) Amount { return Amount{minor: minor, currency: c} }

// Zero returns nothing, in a currency.
func Zero(c Currency) Amount { return Amount{currency: c} }

// Minor returns the amount in minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency returns the amount's currency.
func (a Amount) Currency() Currency { return a.currency }

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool { return a.minor == 0 }

// IsPositive reports whether the amount is above 0.
func (a Amount) IsPositive() bool { return a.minor > 0 }

// IsNegative reports whether the amount is below 0.
func (a Amount) IsNegative() bool { return a.minor < 0 }

// Add returns a+b; ErrOverflow or ErrCurrencyMismatch (M1).
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrCurrencyMismatch, a.currency, b.currency)
	}
	sum := a.minor + b.minor
	if (a.minor > 0 && b.minor > 0 && sum <= 0) || (a.minor < 0 && b.minor < 0 && sum >= 0) {
		return Amount{}, fmt.Errorf("%w: %d + %d", ErrOverflow, a.minor, b.minor)
	}
	return Amount{minor: sum, currency: a.currency}, nil
}

// Sub returns a-b; ErrOverflow or ErrCurrencyMismatch (M1).
func (a Amount) Sub(b Amount) (Amount, error) {
	n, err := b.Neg()
	if err != nil {
		return Amount{}, err
	}
	return a.Add(n)
}

// Neg returns -a; ErrOverflow for the one number that has no opposite.
func (a Amount) Neg() (Amount, error) {
	if a.minor == math.MinInt64 {
		return Amount{}, fmt.Errorf("%w: -(%d)", ErrOverflow, a.minor)
	}
	return Amount{minor: -a.minor, currency: a.currency}, nil
}

// Cmp returns -1, 0 or +1 as a is below, equal to or above b; ErrCurrencyMismatch when they can't be compared.
func (a Amount) Cmp(b Amount) (int, error) {
	switch {
	case a.currency != b.currency:
		return 0, fmt.Errorf("%w: %s and %s", ErrCurrencyMismatch, a.currency, b.currency)
	case a.minor < b.minor:
		return -1, nil
	case a.minor > b.minor:
		return 1, nil
	}
	return 0, nil
}

// Min returns the smaller of two amounts; ErrCurrencyMismatch when they can't be compared.
func Min(a, b Amount) (Amount, error) {
	c, err := a.Cmp(b)
	if err != nil {
		return Amount{}, err
	}
	if c > 0 {
		return b, nil
	}
	return a, nil
}

type wire struct {
	Minor    *int64 `json:"minor"`
	Currency string `json:"currency"`
}

// MarshalJSON writes {"minor":1234,"currency":"USD"}: without it Temporal's converter would write {} and every amount in a
// history would become zero.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{Minor: &a.minor, Currency: a.currency.Code()})
}

// UnmarshalJSON reads what MarshalJSON writes; a missing minor or an unknown currency is an error.
// The zero Amount (minor 0, no currency) reads back as itself.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("money: %w", err)
	}
	if w.Minor == nil {
		return errors.New("money: field minor is missing")
	}
	if w.Currency == "" && *w.Minor == 0 {
		*a = Amount{}
		return nil
	}
	c, err := ParseCurrency(w.Currency)
	if err != nil {
		return err
	}
	*a = Amount{minor: *w.Minor, currency: c}
	return nil
}
