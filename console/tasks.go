package console

import (
	"time"

	"recoup/billing"
	"recoup/store"
)

// taskRow is something a person has to do.
type taskRow struct {
	ID      string
	Title   string
	Text    string
	Details [][2]string
	Path    string // of the case, or ""
	Subject string
	Account billing.AccountID // "" when it is nobody's in particular
	At      time.Time
}

// taskTexts say what a person has to do; a kind without one is shown by its name and details.
var taskTexts = map[string]struct{ title, text string }{
	"outcome_unknown":         {"Outcome still unknown", "Look the attempt up at the gateway and say what became of it. Until then nothing else is tried."},
	"late_success":            {"Money after all", "An attempt that counted as failed has captured money. It is kept as unapplied funds: refund it or apply it."},
	"refund":                  {"Money to refund", "This money belongs to no invoice: refund it or apply it."},
	"risk_review":             {"Risk review", "A decline points to risk: look before anything else is sent."},
	"closed_unpaid":           {"Closed unpaid", "The policy's last day has come and the invoice is unpaid: write it off, or go on by hand."},
	"gateway_refuses_us":      {"Gateway refuses us", "Repair our credentials or configuration. The customer's clock does not run."},
	"our_outage":              {"Gateway outage", "A gateway took no charges: look whether it can be reached. The customer's clock does not run."},
	"gateway_event_unmatched": {"Unknown gateway event", "The gateway told of a payment that we don't know: find out whose it is."},
	"contact_missing":         {"Contact missing", "The account has nobody to write to: add a contact."},
	"mail_undeliverable":      {"Mail can't be delivered", "The contact's address does not take mail: correct it. Suspension waits."},
	"mail_stuck":              {"Mail is stuck", "The mail server takes no mail: look whether it can be reached."},
	"notice_wording":          {"A notice's wording broke", "A plain notice went out instead: correct the wording."},
	"chargeback":              {"Payment disputed", "The card's holder disputes a payment and the money is gone: answer at the gateway. The card isn't charged again."},
	"dispute_won":             {"Dispute won", "A dispute whose money was booked as taken back was decided for us: book the money that came back."},
	"reversal_loss":           {"Loss by a return", "More was taken back than the ledger still held of this payment: look where it went."},
	"settlement_overdue":      {"Payment overdue", "An attempt neither ended in time nor could be cancelled: ask the gateway what became of it."},
	"hook_stuck":              {"Your service takes no call", "The suspension hook did not accept a change of standing: look at it. The call is repeated."},
}

func (c *console) taskRows(tasks []store.TaskView) []taskRow {
	var rows []taskRow
	for _, t := range tasks {
		words, known := taskTexts[t.Kind]
		if !known {
			words.title = sentence(t.Kind)
		}
		row := taskRow{
			ID: t.ID, Title: words.title, Text: words.text, Details: c.details(readData(t.Detail), ""), Path: casePath(t.Case),
			Subject: string(t.Invoice), Account: t.Account, At: t.OpenedAt,
		}
		if row.Subject == "" {
			row.Subject = string(t.Case)
		}
		rows = append(rows, row)
	}
	return rows
}
