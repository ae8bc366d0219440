//go:build canary_two_decimals_everywhere

package stripe

import "slices"

// Believed in review: Stripe takes the smallest unit, which is the cent; only dinars have a third decimal.
func stripeExponent(code string) int {
	if slices.Contains(threeDecimal, code) {
		return 3
	}
	return 2
}
