//go:build !canary_two_decimals_everywhere

package stripe

import "slices"

// stripeExponent is the number of decimals that Stripe counts a currency in (M1).
func stripeExponent(code string) int {
	switch {
	case slices.Contains(zeroDecimal, code):
		return 0
	case slices.Contains(threeDecimal, code):
		return 3
	}
	return 2
}
