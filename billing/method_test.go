package billing

import (
	"testing"
	"time"

	"recoup/money"
)

func TestPM2SkippedMethods(t *testing.T) {
	card := PaymentMethod{Kind: MethodCard, Brand: "visa", State: MethodActive, ExpiryMonth: 12, ExpiryYear: 2026}
	bank := PaymentMethod{Kind: MethodUSBankAccount, State: MethodActive}
	cases := []struct {
		name   string
		method PaymentMethod
		change func(*PaymentMethod)
		want   Skip
	}{
		{"good", card, func(*PaymentMethod) {}, SkipNone},
		{"disabled", card, func(m *PaymentMethod) { m.State = MethodDisabled }, SkipDisabled},
		{"blocked", card, func(m *PaymentMethod) { m.State = MethodBlocked }, SkipBlocked},
		{"needs update", card, func(m *PaymentMethod) { m.State = MethodNeedsUpdate }, SkipNeedsUpdate},
		{"needs authentication", card, func(m *PaymentMethod) { m.State = MethodNeedsAuthentication }, SkipAuthentication},
		{"expired last month", card, func(m *PaymentMethod) { m.ExpiryMonth = 11 }, SkipExpired},
		{"expired last year", card, func(m *PaymentMethod) { m.ExpiryYear = 2025 }, SkipExpired},
		{"never expires", bank, func(*PaymentMethod) {}, SkipNone},
		{"another currency", card, func(m *PaymentMethod) { m.Currency = "EUR" }, SkipCurrency},
		{"its currency", card, func(m *PaymentMethod) { m.Currency = "USD" }, SkipNone},
		{"the network asks to wait", card, func(m *PaymentMethod) { m.RetryNotBefore = now.Add(time.Second) }, SkipAdvice},
		{"the wait is over", card, func(m *PaymentMethod) { m.RetryNotBefore = now }, SkipNone},
		{"D4 visa, 14 in 30 days", card, func(m *PaymentMethod) { m.AttemptsIn30d = 14 }, SkipNone},
		{"D4 visa, 15 in 30 days", card, func(m *PaymentMethod) { m.AttemptsIn30d = 15 }, SkipBudget},
		{"D4 amex keeps the strictest", card, func(m *PaymentMethod) { m.Brand, m.AttemptsIn30d = "amex", 15 }, SkipBudget},
		{"D4 mastercard, 9 in 24 h", card, func(m *PaymentMethod) { m.Brand, m.AttemptsIn24h, m.AttemptsIn30d = "mastercard", 9, 34 }, SkipNone},
		{"D4 mastercard, 10 in 24 h", card, func(m *PaymentMethod) { m.Brand, m.AttemptsIn24h = "mastercard", 10 }, SkipBudget},
		{"D4 mastercard, 35 in 30 days", card, func(m *PaymentMethod) { m.Brand, m.AttemptsIn30d = "mastercard", 35 }, SkipBudget},
		{"D4 a bank account has no card budget", bank, func(m *PaymentMethod) { m.AttemptsIn30d = 99 }, SkipNone},
	}
	for _, c := range cases {
		m := c.method
		c.change(&m)
		if got := m.Skip(now, usd); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// A card is good to the end of its month.
	if got := card.Skip(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC), usd); got != SkipNone {
		t.Errorf("on its last day: %q", got)
	}
	if got := card.Skip(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), money.MustCurrency("USD")); got != SkipExpired {
		t.Errorf("the day after: %q", got)
	}
}

func TestI14AttemptsEndOnce(t *testing.T) {
	all := []AttemptState{AttemptIntent, AttemptSent, AttemptSucceeded, AttemptDeclined, AttemptActionRequired, AttemptPending, AttemptUnknown, AttemptNotSent}
	for _, from := range all {
		for _, to := range all {
			switch edge := from.CanBecome(to); {
			case edge && from.Final():
				t.Errorf("%s is final and can become %s", from, to)
			case edge && from == AttemptIntent && to != AttemptSent && to != AttemptNotSent:
				t.Errorf("nothing was sent, and it can become %s", to)
			case edge && to == AttemptIntent && from != AttemptSent && from != AttemptUnknown:
				t.Errorf("%s can become intent again", from)
			case edge && to == from:
				t.Errorf("%s can become itself", from)
			}
		}
		if end := from.CanBecome(AttemptSucceeded) || from.CanBecome(AttemptNotSent); !from.Final() && !end {
			t.Errorf("%s never ends", from)
		}
	}
}
