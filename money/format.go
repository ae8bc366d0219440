package money

import (
	"fmt"
	"strings"
)

// String returns the amount as "USD 1234.56", "JPY 1234" or "KWD -0.005": for logs, CLIs and tests. Pages and mails use Format.
func (a Amount) String() string { return a.currency.code + " " + a.Decimal() }

// Decimal returns the amount's number with the currency's decimals and a point, "-0.05".
func (a Amount) Decimal() string {
	exp := a.currency.Exponent()
	digits := fmt.Sprintf("%d", a.minor)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if exp == 0 {
		return sign + digits
	}
	if len(digits) <= exp {
		digits = strings.Repeat("0", exp-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-exp] + "." + digits[len(digits)-exp:]
}
