package money

import (
	"errors"
	"fmt"
	"strings"
)

// parseMax is longer than every amount that fits.
const parseMax = 32

// ParseDecimal reads an amount in major units, "1234.56" or "-0.005". It is strict: an optional minus, digits without needless zeros in
// front, and at most the currency's decimals after a point. Signs, blanks, separators of thousands, exponents and more decimals than the
// currency has are errors, even when these are zeros: "1.500" may be somebody's fifteen hundred.
func ParseDecimal(text string, c Currency) (Amount, error) {
	if c.code == "" {
		return Amount{}, errors.New("money: an amount needs a currency")
	}
	minor, err := parseMinor(text, c.Exponent())
	if err != nil {
		return Amount{}, fmt.Errorf("money: %s amount %.40q: %w", c, text, err)
	}
	return New(minor, c), nil
}

func parseMinor(text string, exponent int) (int64, error) {
	if len(text) > parseMax {
		return 0, ErrOverflow
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	switch {
	case whole == "" || point && fraction == "":
		return 0, errors.New("want digits before and after the point, such as 12.50")
	case len(whole) > 1 && whole[0] == '0':
		return 0, errors.New("must not begin with a needless 0")
	case len(fraction) > exponent:
		return 0, fmt.Errorf("has %d decimals, at most %d are possible", len(fraction), exponent)
	}
	// Counted downwards, because the lowest number has no opposite.
	var n int64
	for _, r := range whole + fraction + strings.Repeat("0", exponent-len(fraction)) {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%q is not a digit", r)
		}
		next := n*10 - int64(r-'0')
		if n < minInt64/10 || next > n {
			return 0, ErrOverflow
		}
		n = next
	}
	if negative {
		return n, nil
	}
	if n == minInt64 {
		return 0, ErrOverflow
	}
	return -n, nil
}

const minInt64 = -1 << 63
