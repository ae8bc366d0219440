package stripe

import (
	"fmt"
	"strings"

	"recoup/money"
)

// Stripe's own idea of minor units (docs.stripe.com/currencies, "Zero-decimal" and "Three-decimal currencies"). It differs from ISO
// 4217 for a few: the Icelandic króna and the Ugandan shilling have no decimals, yet Stripe wants them with two.
var (
	zeroDecimal  = []string{"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
	threeDecimal = []string{"BHD", "JOD", "KWD", "OMR", "TND"}
)

// toStripe converts an amount to Stripe's minor units and its lower-case currency (M1). What Stripe can't express is an error, never
// rounded: three-decimal currencies go in steps of ten there.
func toStripe(a money.Amount) (int64, string, error) {
	code := a.Currency().Code()
	minor, err := rescale(a.Minor(), a.Currency().Exponent(), stripeExponent(code))
	if err != nil || minor <= 0 || (stripeExponent(code) == 3 && minor%10 != 0) {
		return 0, "", fmt.Errorf("%d minor units of %s cannot be charged through Stripe", a.Minor(), code)
	}
	return minor, strings.ToLower(code), nil
}

// fromStripe reads an amount in Stripe's minor units.
func fromStripe(minor int64, currency string) (money.Amount, error) {
	c, err := money.ParseCurrency(strings.ToUpper(currency))
	if err != nil {
		return money.Amount{}, err
	}
	ours, err := rescale(minor, stripeExponent(c.Code()), c.Exponent())
	return money.New(ours, c), err
}

// rescale changes the number of decimals exactly.
func rescale(n int64, from, to int) (int64, error) {
	for ; from < to; from++ {
		if n > (1<<63-1)/10 || n < -(1<<63-1)/10 {
			return 0, money.ErrOverflow
		}
		n *= 10
	}
	for ; from > to; from-- {
		if n%10 != 0 {
			return 0, fmt.Errorf("%d has more decimals than the currency", n)
		}
		n /= 10
	}
	return n, nil
}
