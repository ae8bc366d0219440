package console

import (
	"fmt"
	"strconv"
	"time"

	"recoup/billing"
	"recoup/money"
)

// methodRow is a payment method as pages show it: masked, in order, and why it can't be used.
type methodRow struct {
	Name     string
	Place    string
	Position int
	Expiry   string
	State    badge
	Why      string
	Gateway  string
	ID       billing.MethodID
	Used     string
	Last     time.Time
	Usable   bool
}

// anyCurrency asks whether methods are usable at all, in a currency of their own.
var anyCurrency money.Currency

func (c *console) methodRows(methods []billing.PaymentMethod, currency money.Currency) []methodRow {
	var rows []methodRow
	for _, m := range methods {
		skip := m.Skip(c.Now(), currency)
		if currency == anyCurrency && m.Currency != "" {
			if own, err := money.ParseCurrency(m.Currency); err == nil {
				skip = m.Skip(c.Now(), own)
			}
		}
		row := methodRow{
			Name: methodLine(m), Place: placeOf(m.Position), Position: m.Position, State: badge{"Usable", "green"}, Gateway: m.Gateway,
			ID: m.ID, Last: m.LastSucceededAt, Usable: skip == billing.SkipNone,
			Used: plural(strconv.Itoa(m.AttemptsIn30d), "attempt") + " in 30 days",
		}
		if m.ExpiryYear > 0 {
			row.Expiry = fmt.Sprintf("%02d/%d", m.ExpiryMonth, m.ExpiryYear)
		}
		if skip != billing.SkipNone {
			row.State, row.Why = badge{"Not usable", "red"}, sentence(string(skip))
			if skip == billing.SkipAdvice {
				row.Why += " until " + m.RetryNotBefore.UTC().Format("2 Jan 15:04 UTC")
			}
			if m.Currency != "" && (skip == billing.SkipCurrency || currency == anyCurrency) {
				row.Why += " (" + m.Currency + " only)"
			}
			if m.StateReason != "" && m.State != billing.MethodActive {
				row.Why += ": " + m.StateReason
			}
		}
		rows = append(rows, row)
	}
	return rows
}
