package audit

import "time"

// plantsOfAttempts break I3, I12, I13 and I14.
func plantsOfAttempts() []plant {
	return append(append(plantsOfOpenAttempts(), plantsOfBudgets()...), plantsOfEdges()...)
}

// attempts adds n declined attempts on a method, every apart, with their events, as far as the audit is concerned as they should be.
func (p *planting) attempts(n int, every time.Duration, invoice, method string) {
	p.t.Helper()
	p.exec(`insert into attempts (id, case_id, invoice_id, account_id, method_id, gateway, round, position, state, amount_minor, currency,
			first_sent_at, sends, created_at, ended_at)
		select gen_random_uuid(), i.id, i.id, i.account_id, $4, 'stripe', 1000 + n, 1, 'declined', 100, 'USD', at, 1, at, at
		from invoices i, generate_series(1, $1::int) n, lateral (select $5::timestamptz + n * $2::interval as at) t where i.id = $3`,
		n, every, invoice, method, p.w.now)
	p.exec(`insert into attempt_events (attempt_id, at, from_state, to_state)
		select a.id, a.created_at, e.a, e.b from attempts a, (values (1, '', 'intent'), (2, 'intent', 'sent'), (3, 'sent', 'declined')) e (n, a, b)
		where a.round > 1000 order by a.round, e.n`)
}

func plantsOfOpenAttempts() []plant {
	return []plant{
		{"I3", "two open now", func(p *planting) (string, string) {
			p.exec(`drop index attempts_one_open_per_invoice`)
			p.exec(`insert into attempts (id, case_id, invoice_id, account_id, method_id, gateway, round, position, amount_minor, currency, created_at)
				values ($1, 'inv-four', 'inv-four', 'four', 'pm-four-2', 'stripe', 1, 2, 4900, 'USD', $2)`, aStranger, p.w.now)
			p.exec(`insert into attempt_events (attempt_id, at, from_state, to_state) values ($1, $2, '', 'intent')`, aStranger, p.w.now)
			return "invoice", "inv-four"
		}},
		{"I3", "two open once", func(p *planting) (string, string) {
			p.exec(`with ended as (delete from attempt_events where attempt_id = $1 and to_state = 'declined' returning *)
				insert into attempt_events (attempt_id, at, from_state, to_state, detail) select attempt_id, at, from_state, to_state, detail from ended`,
				p.attempt("inv-two", "declined"))
			return "attempt", p.attempt("inv-two", "succeeded")
		}},
		{"I3", "the index is gone", func(p *planting) (string, string) {
			p.exec(`drop index attempts_one_open_per_invoice`)
			return "index", "attempts_one_open_per_invoice"
		}},
		{"I3", "the index is no longer unique", func(p *planting) (string, string) {
			p.exec(`drop index attempts_one_open_per_invoice`)
			p.exec(`create index attempts_one_open_per_invoice on attempts (invoice_id)`)
			return "index", "attempts_one_open_per_invoice"
		}},
		{"I13", "sent again after a day", func(p *planting) (string, string) {
			id := p.attempt("inv-four", "unknown")
			p.exec(`update attempts set created_at = created_at - interval '25 hours', first_sent_at = first_sent_at - interval '25 hours' where id = $1`, id)
			return "attempt", id
		}},
		{"I13", "sent more often than recorded", func(p *planting) (string, string) {
			id := p.attempt("inv-four", "unknown")
			p.exec(`update attempts set sends = 2 where id = $1`, id)
			return "attempt", id
		}},
	}
}

func plantsOfBudgets() []plant {
	return []plant{
		{"I12", "16 on a visa in 30 days", func(p *planting) (string, string) {
			p.attempts(16, 40*time.Hour, "inv-one", "pm-one-2")
			return "payment method", "pm-one-2"
		}},
		{"I12", "11 on a mastercard in 24 hours", func(p *planting) (string, string) {
			p.exec(`update payment_methods set brand = 'mastercard' where id = 'pm-one-2'`)
			p.attempts(11, 2*time.Hour, "inv-one", "pm-one-2")
			return "payment method", "pm-one-2"
		}},
		{"I12", "36 on a mastercard in 30 days", func(p *planting) (string, string) {
			p.exec(`update payment_methods set brand = 'mastercard' where id = 'pm-one-2'`)
			p.attempts(36, 20*time.Hour, "inv-one", "pm-one-2")
			return "payment method", "pm-one-2"
		}},
		{"I12", "4 presentments of one invoice to a bank", func(p *planting) (string, string) {
			p.exec(`update payment_methods set kind = 'us_bank_account' where id = 'pm-one-2'`)
			p.attempts(4, 30*24*time.Hour, "inv-one", "pm-one-2")
			return "invoice", "inv-one"
		}},
		{"I12", "4 presentments of one invoice by SEPA in a year", func(p *planting) (string, string) {
			p.exec(`update payment_methods set kind = 'sepa_debit' where id = 'pm-one-2'`)
			p.attempts(4, 100*24*time.Hour, "inv-one", "pm-one-2")
			return "invoice", "inv-one"
		}},
		{"I12", "16 on one token in two accounts", func(p *planting) (string, string) {
			p.exec(`update payment_methods set token = 'pm_1Shared' where id in ('pm-one-2', 'pm-two-1')`)
			p.attempts(16, 40*time.Hour, "inv-one", "pm-one-2")
			p.exec(`update attempts set method_id = 'pm-two-1', invoice_id = 'inv-two', case_id = 'inv-two', account_id = 'two' where round > 1000 and round % 2 = 0`)
			return "payment method", "pm-one-2"
		}},
		{"I12", "a debit after the bank said never", func(p *planting) (string, string) {
			p.exec(`update payment_methods set kind = 'us_bank_account' where id = 'pm-one-2'`)
			p.attempts(2, 30*24*time.Hour, "inv-one", "pm-one-2")
			p.exec(`update attempts set network_code = 'R10' where round = 1001`)
			return "attempt", p.scan(`select id::text from attempts where round = 1002`)
		}},
	}
}

func plantsOfEdges() []plant {
	return []plant{
		{"I14", "an attempt in another state than its events", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`update attempts set state = 'not_sent' where id = $1`, id)
			return "attempt", id
		}},
		{"I14", "an attempt without events", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`delete from attempt_events where attempt_id = $1`, id)
			return "attempt", id
		}},
		{"I14", "an attempt that skips a state", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`delete from attempt_events where attempt_id = $1 and to_state = 'sent'`, id)
			p.exec(`update attempt_events set from_state = 'intent' where attempt_id = $1 and to_state = 'declined'`, id)
			return "attempt", id
		}},
		{"I14", "an attempt whose events don't meet", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`update attempt_events set from_state = 'unknown' where attempt_id = $1 and to_state = 'declined'`, id)
			return "attempt", id
		}},
		{"I14", "an attempt that leaves a final state", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`insert into attempt_events (attempt_id, from_state, to_state) values ($1, 'declined', 'succeeded'), ($1, 'succeeded', 'declined')`, id)
			return "attempt", id
		}},
		{"I14", "a case in another stage than its events", func(p *planting) (string, string) {
			p.exec(`update cases set stage = 'retrying' where id = 'inv-four'`)
			return "case", "inv-four"
		}},
		{"I14", "a case without events", func(p *planting) (string, string) {
			p.exec(`delete from case_events where case_id = 'inv-four'`)
			return "case", "inv-four"
		}},
		{"I14", "a case that skips a stage", func(p *planting) (string, string) {
			p.exec(`delete from case_events where case_id = 'inv-six' and data ->> 'to' = 'final_notice'`)
			p.exec(`update case_events set data = data || '{"from": "retrying"}' where case_id = 'inv-six' and data ->> 'to' = 'suspension_scheduled'`)
			return "case", "inv-six"
		}},
		{"I14", "a case whose events don't meet", func(p *planting) (string, string) {
			p.exec(`update case_events set data = data || '{"from": "collecting"}' where case_id = 'inv-six' and data ->> 'to' = 'final_notice'`)
			return "case", "inv-six"
		}},
	}
}
