package console

import (
	"strings"

	"recoup/billing"
	"recoup/money"
)

// formatMoney writes an amount for people; nothing when there is none (M1).
func formatMoney(a money.Amount, locale string) string {
	if a.Currency().Code() == "" {
		return "–"
	}
	return a.Format(locale)
}

// readAmount reads "1234.56" in a currency, exactly: more decimals than the currency has are refused, never rounded (M1).
func readAmount(text string, c money.Currency) (money.Amount, error) {
	a, err := money.ParseDecimal(strings.TrimSpace(text), c)
	switch {
	case strings.TrimSpace(text) == "":
		return a, billing.Refuse(billing.RefusedInvalid, "amount", "Say how much arrived.")
	case err != nil:
		return a, billing.Refuse(billing.RefusedInvalid, "amount", "Write the amount in %s with digits and at most a point, such as %s.",
			c.Code(), money.New(123456, c).Decimal())
	case !a.IsPositive():
		return a, billing.Refuse(billing.RefusedInvalid, "amount", "The amount must be above zero.")
	}
	return a, nil
}
