package money

import "fmt"

// Currency is an ISO 4217 currency. The zero Currency is none.
type Currency struct{ code string }

// ParseCurrency reads an upper-case ISO 4217 code in use, such as "USD"; anything else is an error.
func ParseCurrency(code string) (Currency, error) {
	if len(code) != 3 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' || code[2] < 'A' || code[2] > 'Z' {
		return Currency{}, fmt.Errorf("money: %q is not an ISO 4217 code (three capital letters)", code)
	}
	if _, ok := exponents[code]; !ok {
		return Currency{}, fmt.Errorf("money: unknown currency %q", code)
	}
	return Currency{code: code}, nil
}

// MustCurrency is ParseCurrency for constants; it panics on a bad code.
func MustCurrency(code string) Currency {
	c, err := ParseCurrency(code)
	if err != nil {
		panic(err)
	}
	return c
}

// Code returns the ISO code, or "" for none.
func (c Currency) Code() string { return c.code }

// String returns the ISO code.
func (c Currency) String() string { return c.code }

// Exponent returns how many decimals the currency's minor unit has: 2 for USD, 0 for JPY, 3 for KWD (M1).
func (c Currency) Exponent() int { return exponents[c.code] }
