package audit

import "time"

const aStranger = "01980000-0000-7000-8000-00000000abcd"

// plantsOfMoney break I1, I2 and I4 to I7.
func plantsOfMoney() []plant {
	var all []plant
	for _, some := range [][]plant{plantsOfCharges(), plantsOfReceipts(), plantsOfExcess(), plantsOfBalances(), plantsOfSpends(), plantsOfJournal()} {
		all = append(all, some...)
	}
	return all
}

func plantsOfCharges() []plant {
	return []plant{
		{"I1", "a charge without a mark", func(p *planting) (string, string) {
			p.addCharge("ch_x", "", "inv-one", 100)
			return "charge", "ch_x"
		}},
		{"I1", "a charge of an attempt that does not exist", func(p *planting) (string, string) {
			p.addCharge("ch_x", aStranger, "inv-one", 100)
			return "charge", "ch_x"
		}},
		{"I1", "another key", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Key = aStranger
			return "charge", c.ID
		}},
		{"I1", "another invoice", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Invoice = "inv-two"
			return "charge", c.ID
		}},
		{"I1", "another gateway", func(p *planting) (string, string) {
			id := p.attempt("inv-four", "unknown")
			p.exec(`update attempts set gateway = 'other' where id = $1`, id)
			return "charge", p.charge(id).ID
		}},
		{"I1", "charged though never marked as sent", func(p *planting) (string, string) {
			id := p.attempt("inv-four", "unknown")
			p.exec(`alter table attempts drop constraint attempts_sent_is_stamped`)
			p.exec(`update attempts set first_sent_at = null where id = $1`, id)
			return "charge", p.charge(id).ID
		}},
		{"I1", "charged before the attempt was committed", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.CreatedAt = c.CreatedAt.Add(-time.Hour)
			return "charge", c.ID
		}},
		{"I1", "sent before its row", func(p *planting) (string, string) {
			id := p.attempt("inv-one", "succeeded")
			p.exec(`update attempts set first_sent_at = created_at - interval '1 second' where id = $1`, id)
			return "attempt", id
		}},
		{"I1", "one charge claimed by two attempts", func(p *planting) (string, string) {
			p.exec(`update attempts set gateway_reference = 'pi_same' where state = 'succeeded' and invoice_id in ('inv-one', 'inv-two')`)
			return "gateway reference", "stripe pi_same"
		}},
	}
}

func plantsOfReceipts() []plant {
	return []plant{
		{"I2", "the gateway took another amount", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Minor++
			return "attempt", c.Attempt
		}},
		{"I2", "the gateway took another currency", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Currency = "EUR"
			return "attempt", c.Attempt
		}},
		{"I2", "the gateway took it twice", func(p *planting) (string, string) {
			c := *p.charge(p.attempt("inv-one", "succeeded"))
			c.ID += "-again"
			p.books = append(p.books, c)
			return "attempt", c.Attempt
		}},
		{"I2", "the gateway took nothing", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			id := c.Attempt
			*c = p.books[len(p.books)-1]
			p.books = p.books[:len(p.books)-1]
			return "attempt", id
		}},
		{"I2", "the gateway's charge is still pending", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Status = ChargePending
			return "attempt", c.Attempt
		}},
		{"I2", "a declined attempt was charged", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.addCharge("ch_x", id, "inv-two", 4900)
			return "attempt", id
		}},
		{"I2", "a success without a receipt", func(p *planting) (string, string) {
			id := p.attempt("inv-one", "succeeded")
			p.exec(`update journal_transactions set kind = 'correction' where key = 'receipt/' || $1`, id)
			return "attempt", id
		}},
		{"I2", "a receipt of another amount than captured", func(p *planting) (string, string) {
			id := p.attempt("inv-one", "succeeded")
			p.exec(`update attempts set captured_minor = captured_minor - 1 where id = $1`, id)
			return "attempt", id
		}},
		{"I2", "a success that captured nothing known", func(p *planting) (string, string) {
			id := p.attempt("inv-one", "succeeded")
			p.exec(`update attempts set captured_minor = null where id = $1`, id)
			return "attempt", id
		}},
		{"I2", "a receipt of no attempt", func(p *planting) (string, string) {
			p.post("receipt", "receipt/"+aStranger, "one", 100, clearing, revenue)
			return "attempt", "receipt/" + aStranger
		}},
		{"I2", "a receipt of an open attempt", func(p *planting) (string, string) {
			id := p.attempt("inv-four", "unknown")
			p.post("receipt", "receipt/"+id, "four", 4900, clearing, revenue)
			return "attempt", id
		}},
		{"I2", "a receipt from another gateway", func(p *planting) (string, string) {
			id := p.attempt("inv-one", "succeeded")
			p.exec(`update journal_entries e set ledger_account = 'gateway_clearing:other' from journal_transactions t
				where t.id = e.transaction_id and t.key = 'receipt/' || $1 and e.ledger_kind = 'gateway_clearing'`, id)
			return "attempt", id
		}},
		{"I2", "a receipt of a declined attempt of which nothing was heard", func(p *planting) (string, string) {
			id := p.attempt("inv-seven", "declined")
			p.exec(`delete from attempt_events where attempt_id = $1 and detail ? 'late'`, id)
			return "attempt", id
		}},
	}
}

func plantsOfExcess() []plant {
	return []plant{
		{"I4", "excess of a late success without a task", func(p *planting) (string, string) {
			id := p.attempt("inv-seven", "declined")
			p.exec(`delete from tasks where kind = 'refund' and attempt_id = $1`, id)
			return "arrival", "receipt/" + id
		}},
		{"I4", "excess of a cheque without a task", func(p *planting) (string, string) {
			p.exec(`delete from tasks where key = 'refund/paid_out_of_band/r-5'`)
			return "arrival", "paid_out_of_band/r-5"
		}},
		{"I4", "what a void invoice had received, without a task", func(p *planting) (string, string) {
			p.exec(`delete from tasks where key = 'refund/void/p-9-void'`)
			return "arrival", "moved_to_unapplied/p-9-void"
		}},
		{"I4", "a refund task for less than the excess", func(p *planting) (string, string) {
			p.exec(`update tasks set detail = '{"amount": {"minor": 1, "currency": "USD"}}' where key = 'refund/paid_out_of_band/r-5'`)
			return "arrival", "paid_out_of_band/r-5"
		}},
		{"I4", "a second success booked as revenue", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "declined")
			p.exec(`insert into attempt_events (attempt_id, from_state, to_state, detail) values ($1, 'declined', 'declined', '{"late": "succeeded"}')`, id)
			p.post("receipt", "receipt/"+id, "two", 4900, clearing, revenue)
			p.addCharge("ch_x", id, "inv-two", 4900)
			return "invoice", "inv-two"
		}},
		{"I4", "money in another currency kept as the invoice's", func(p *planting) (string, string) {
			id := p.attempt("inv-three", "succeeded")
			p.exec(`update attempts set captured_currency = 'EUR', currency = 'EUR' where id = $1`, id)
			p.exec(`delete from journal_entries using journal_transactions t where t.id = transaction_id and t.key = 'receipt/' || $1 and ledger_kind = 'gateway_clearing'`, id)
			p.exec(`insert into journal_entries (transaction_id, ledger_kind, ledger_account, account_id, amount_minor, currency)
				select t.id, e.kind, e.name, 'three', e.minor, e.currency from journal_transactions t,
				(values ('gateway_clearing', 'gateway_clearing:stripe', 4900, 'EUR'), ('revenue', 'revenue', -4900, 'EUR'), ('revenue', 'revenue', 4900, 'USD')) e (kind, name, minor, currency)
				where t.key = 'receipt/' || $1`, id)
			p.charge(id).Currency = "EUR"
			return "invoice", "inv-three"
		}},
	}
}

func plantsOfBalances() []plant {
	return []plant{
		{"I5", "allocated past the journal", func(p *planting) (string, string) {
			p.exec(`update invoices set allocated_minor = 100 where id = 'inv-six'`)
			return "invoice", "inv-six"
		}},
		{"I5", "allocated above the total", func(p *planting) (string, string) {
			p.exec(`alter table invoices drop constraint invoices_allocated_in_range, drop constraint invoices_paid_exactly`)
			p.exec(`update invoices set allocated_minor = total_minor + 1 where id = 'inv-one'`)
			return "invoice", "inv-one"
		}},
		{"I5", "paid with less than the total", func(p *planting) (string, string) {
			p.exec(`alter table invoices drop constraint invoices_paid_exactly`)
			p.exec(`update invoices set allocated_minor = total_minor - 1 where id = 'inv-one'`)
			return "invoice", "inv-one"
		}},
		{"I5", "open though covered", func(p *planting) (string, string) {
			p.exec(`alter table invoices drop constraint invoices_open_not_covered`)
			p.exec(`update invoices set allocated_minor = total_minor where id = 'inv-six'`)
			return "invoice", "inv-six"
		}},
		{"I5", "the journal owes more", func(p *planting) (string, string) {
			p.post("invoice_issued", "invoice_issued:again", "one", 100, receivable("inv-one"), revenue)
			return "invoice", "inv-one"
		}},
		{"I5", "a receivable under another invoice's name", func(p *planting) (string, string) {
			return "journal entry", p.scan(`update journal_entries set ledger_account = 'receivable:inv-two' where id = (
				select min(id) from journal_entries where invoice_id = 'inv-one' and ledger_kind = 'receivable') returning id::text`)
		}},
		{"I5", "a receivable in another currency", func(p *planting) (string, string) {
			p.exec(`update journal_entries e set currency = 'EUR' from journal_transactions t where t.id = e.transaction_id and t.key = 'invoice_issued:inv-one'`)
			return "journal entry", p.scan(`select min(id)::text from journal_entries where currency = 'EUR' and ledger_kind = 'receivable'`)
		}},
		{"I5", "a credit below zero", func(p *planting) (string, string) {
			p.exec(`alter table credits drop constraint credits_remaining_in_range`)
			p.exec(`insert into credits (id, account_id, currency, granted_minor, remaining_minor, starts_on) values ('c-x', 'one', 'USD', 100, -5, '2026-01-01')`)
			p.exec(`insert into credit_applications (id, credit_id, invoice_id, line_position, amount_minor) values ($1, 'c-x', 'inv-one', 1, 105)`, aStranger)
			liability := entry{kind: "credit_liability", of: "c-x", credit: "c-x"}
			p.post("credit_granted", "credit_granted:c-x", "one", 100, entry{kind: "promotion_expense"}, liability)
			p.post("credit_applied", "credit_application/"+aStranger, "one", 105, liability, receivable("inv-one"))
			return "credit", "c-x"
		}},
		{"I5", "a pending deposit used", func(p *planting) (string, string) {
			p.exec(`alter table deposits drop constraint deposits_only_settled_used`)
			p.exec(`insert into deposits (id, account_id, state, reference, currency, amount_minor, remaining_minor) values ('d-x', 'one', 'pending', 'R', 'USD', 100, 90)`)
			p.exec(`insert into deposit_uses (id, deposit_id, invoice_id, amount_minor) values ($1, 'd-x', 'inv-one', 10)`, aStranger)
			funds := entry{kind: "advance_funds", of: "d-x", deposit: "d-x"}
			p.post("funds_used", "deposit_use/"+aStranger, "one", 10, funds, receivable("inv-one"))
			p.post("correction", "correction", "one", 10, bank, funds)
			return "deposit", "d-x"
		}},
		{"I5", "unapplied funds below zero", func(p *planting) (string, string) {
			p.post("unapplied_refunded", "refund", "seven", 10000, entry{kind: "unapplied_funds", of: "seven"}, bank)
			return "account", "seven"
		}},
		{"I5", "a trigger is disabled", func(p *planting) (string, string) {
			p.exec(`alter table journal_entries disable trigger invoices_agree_with_journal`)
			return "trigger", "invoices_agree_with_journal on journal_entries"
		}},
		{"I5", "a constraint is gone", func(p *planting) (string, string) {
			p.exec(`alter table deposits drop constraint deposits_remaining_in_range`)
			return "constraint", "deposits_remaining_in_range"
		}},
	}
}

func plantsOfSpends() []plant {
	return []plant{
		{"I6", "a credit with more left than was spent", func(p *planting) (string, string) {
			p.exec(`update credits set remaining_minor = 10 where id = 'c-1'`)
			return "credit", "c-1"
		}},
		{"I6", "goodwill for one invoice put on another", func(p *planting) (string, string) {
			p.exec(`update credits set for_invoice = 'inv-six' where id = 'goodwill-p-10-goodwill'`)
			return "credit application", p.scan(`select id::text from credit_applications where credit_id = 'goodwill-p-10-goodwill'`)
		}},
		{"I6", "a credit with a smaller application", func(p *planting) (string, string) {
			p.exec(`update credits set remaining_minor = 10 where id = 'c-1'`)
			return "credit application", p.scan(`update credit_applications set amount_minor = amount_minor - 10 where credit_id = 'c-1' returning id::text`)
		}},
		{"I6", "an application that is gone", func(p *planting) (string, string) {
			id := p.scan(`delete from credit_applications where credit_id = 'c-1' returning id::text`)
			p.exec(`update credits set remaining_minor = granted_minor where id = 'c-1'`)
			return "credit application", "credit_application/" + id
		}},
		{"I6", "an application that the journal does not know", func(p *planting) (string, string) {
			p.exec(`update journal_transactions set kind = 'correction' where kind = 'credit_applied'`)
			return "credit application", p.scan(`select id::text from credit_applications`)
		}},
		{"I6", "a grant of another amount in the journal", func(p *planting) (string, string) {
			p.exec(`update journal_entries e set amount_minor = e.amount_minor * 2 from journal_transactions t where t.id = e.transaction_id and t.kind = 'credit_granted'`)
			return "credit", "c-1"
		}},
		{"I6", "a credit in another currency than its invoice", func(p *planting) (string, string) {
			p.exec(`update credits set currency = 'EUR'`)
			return "credit application", p.scan(`select id::text from credit_applications`)
		}},
		{"I6", "a deposit with more left than was used", func(p *planting) (string, string) {
			p.exec(`update deposits set remaining_minor = 10 where id = 'd-1'`)
			return "deposit", "d-1"
		}},
		{"I6", "a deposit that never arrived in the journal", func(p *planting) (string, string) {
			p.exec(`delete from journal_entries using journal_transactions t where t.id = transaction_id and t.kind = 'deposit_settled'`)
			p.exec(`delete from journal_transactions where kind = 'deposit_settled'`)
			return "deposit", "d-1"
		}},
		{"I6", "a use of another amount than the journal's", func(p *planting) (string, string) {
			p.exec(`update deposits set remaining_minor = 10 where id = 'd-1'`)
			return "deposit use", p.scan(`update deposit_uses set amount_minor = amount_minor - 10 returning id::text`)
		}},
		{"I6", "a use that is gone", func(p *planting) (string, string) {
			return "deposit use", "deposit_use/" + p.scan(`delete from deposit_uses returning id::text`)
		}},
		{"I6", "a trigger is gone", func(p *planting) (string, string) {
			p.exec(`drop trigger credits_agree_with_applications on credit_applications`)
			return "trigger", "credits_agree_with_applications on credit_applications"
		}},
	}
}

func plantsOfJournal() []plant {
	return []plant{
		{"I7", "a transaction off by one", func(p *planting) (string, string) {
			return "journal transaction", p.scan(`update journal_entries set amount_minor = amount_minor + 1 where id = (
				select min(id) from journal_entries where ledger_kind = 'revenue') returning transaction_id::text`)
		}},
		{"I7", "a transaction balanced over two currencies only", func(p *planting) (string, string) {
			return "journal transaction", p.scan(`update journal_entries set currency = 'EUR' where id = (
				select min(id) from journal_entries where ledger_kind = 'revenue') returning transaction_id::text`)
		}},
		{"I7", "a transaction without entries", func(p *planting) (string, string) {
			return "journal transaction", p.scan(`insert into journal_transactions (kind, key, account_id) values ('correction', 'correction', 'one') returning id::text`)
		}},
		{"I7", "the trigger is disabled", func(p *planting) (string, string) {
			p.exec(`alter table journal_entries disable trigger journal_entries_checked`)
			return "trigger", "journal_entries_checked on journal_entries"
		}},
	}
}
