package console

import (
	"fmt"
	"strconv"
	"time"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
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

// taskRow is something a person has to do.
type taskRow struct {
	Title   string
	Text    string
	Path    string
	Subject string
	Account billing.AccountID
	At      time.Time
}

// taskTexts say what a person has to do; other kinds are shown by their name.
var taskTexts = map[string]string{
	"outcome_unknown":     "An attempt's outcome is still unknown after a day: look it up at the gateway and say what became of it.",
	"contact_missing":     "The account has nobody to write to: add a contact.",
	"risk_review":         "A decline points to risk: look before anything else is sent.",
	"gateway_refuses_us":  "The gateway refuses our credentials or configuration: repair them. The customer's clock does not run.",
	"our_outage":          "A gateway took no charges: look whether it is reachable. The customer's clock does not run.",
	"refund":              "Money belongs to no invoice: refund it or apply it.",
	"notice_undelivered":  "A notice could not be delivered: correct the address.",
	"suspension_breaker":  "Too many suspensions in an hour: suspensions are stopped until a person looks.",
	"second_person":       "A decision needs a second person.",
	"reconciliation_diff": "The gateway's books and the ledger differ.",
	"late_success":        "An attempt that had ended took money after all: it is booked; look what the customer should get back.",

	"gateway_event_unmatched": "A gateway told of money that no attempt of ours explains: find out whose it is.",
}

func taskRows(tasks []store.TaskView) []taskRow {
	var rows []taskRow
	for _, t := range tasks {
		row := taskRow{Title: sentence(t.Kind), Text: taskTexts[t.Kind], Path: casePath(t.Case), Subject: string(t.Invoice), Account: t.Account, At: t.OpenedAt}
		if row.Subject == "" {
			row.Subject = string(t.Case)
		}
		rows = append(rows, row)
	}
	return rows
}
