package audit

import (
	"strings"
	"testing"
	"time"
)

// TestWhatIsWellIsNotReported shows the edges of the checks: what a live system goes through is no breach.
func TestWhatIsWellIsNotReported(t *testing.T) {
	w := playStory(t)
	cases := []struct {
		what string
		do   func(p *planting)
	}{
		{"I1: a gateway's clock a little behind", func(p *planting) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.CreatedAt = c.CreatedAt.Add(-30 * time.Second)
		}},
		{"I1: a gateway that does not tell keys", func(p *planting) { p.books[0].Key = "" }},
		{"I2: a receipt from after the reading of the books", func(p *planting) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			p.exec(`update journal_transactions set recorded_at = clock_timestamp() + interval '1 minute' where key = 'receipt/' || $1`, c.Attempt)
			*c = p.books[len(p.books)-1]
			p.books = p.books[:len(p.books)-1]
		}},
		{"I2: an open attempt that took nothing yet", func(p *planting) {
			c := p.charge(p.attempt("inv-four", "unknown"))
			*c = p.books[len(p.books)-1]
			p.books = p.books[:len(p.books)-1]
		}},
		{"I2: money taken back, the gateway not asked yet", func(p *planting) {
			p.books[0].Status = ChargeReturned
			p.exec(`insert into reversal_checks (attempt_id, asked_at, not_before) values ($1::uuid, $2, $2)`, p.books[0].Attempt, w.now)
			p.books[1].Status, p.books[1].RefundedMinor = ChargeRefunded, p.books[1].Minor
		}},
		{"I8: staff suspends for reasons of its own", func(p *planting) {
			p.exec(`insert into suspensions (id, account_id, cause, suspended_generation, suspended_at, evidence) values ($1, 'six', 'staff', 2, $2, '{}')`, aStranger, w.now)
			p.exec(`insert into standing_calls (account_id, generation, standing, reason) values ('six', 2, 'suspended', 'staff')`)
			p.exec(`update accounts set generation = 2 where id = 'six'`)
		}},
		{"I11: settled while the mail was on its way", func(p *planting) {
			p.exec(`update invoices set settled_at = $1::timestamptz - interval '20 seconds' where id = 'inv-one'`, w.now)
			p.notice("payment_failed", "one", "inv-one", "{}")
		}},
		{"I12: budgets used to their end", func(p *planting) {
			p.exec(`update payment_methods set brand = 'mastercard' where id = 'pm-one-2'`)
			p.attempts(35, 150*time.Minute, "inv-one", "pm-one-2") // 10 in each 24 h
		}},
		{"I12: one more when the window has passed", func(p *planting) { p.attempts(16, 48*time.Hour, "inv-one", "pm-one-2") }},
		{"I17: parked with a task", func(p *planting) {
			p.exec(`update cases set next_at = $1::timestamptz - interval '1 hour' where id = 'inv-six'`, w.now)
			p.exec(`insert into tasks (id, key, kind, account_id, case_id) values ($1, 'look', 'look', 'six', 'inv-six')`, aStranger)
		}},
		{"I18: ids, digests, times and amounts", func(p *planting) {
			p.exec(`insert into case_events (case_id, kind, data) values ('inv-six', 'said', jsonb_build_object('attempt', '01942424-2424-7242-8242-424242424242',
				'digest', 'a4242424242424242b', 'reference', 'pi_4242424242424242', 'at', '2026-11-02T12:00:00.123456Z', 'amount', 4242424242424241, 'mail', 'to @ noon'))`)
		}},
		{"I20: due a moment ago", func(p *planting) {
			p.exec(`insert into invoices (id, number, account_id, currency, total_minor, due_date, due_at, collect_at, content_hash, created_at)
				select 'inv-x', 'N-x', account_id, currency, 100, due_date, due_at, collect_at, '', $1::timestamptz - interval '1 minute' from invoices where id = 'inv-one'`, w.now)
			p.post("invoice_issued", "invoice_issued:inv-x", "one", 100, receivable("inv-x"), revenue)
		}},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			during(t, w, func(p *planting) {
				c.do(p)
				p.disguise()
				p.exec(`set local session_replication_role = origin`)
				if report := p.audit(); !report.OK() {
					text := &strings.Builder{}
					w.must(report.Write(text))
					t.Errorf("reported:\n%s", text)
				}
			})
		})
	}
}

// TestU2PaidOtherwiseWhileAnAttemptIsOpen: the case stays live until the attempt has ended, though the invoice is settled.
func TestU2PaidOtherwiseWhileAnAttemptIsOpen(t *testing.T) {
	w := playStory(t)
	w.pay("inv-four", "r-4", 4900)
	report, err := Run(t.Context(), w.Pool(), w.options())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Errorf("broken: %+v", report.Broken())
	}
}
