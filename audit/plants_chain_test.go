package audit

// plantsOfChains break the journal's chains (I15) as only who may turn triggers off can, and the record of what was taken back (I2).
func plantsOfChains() []plant {
	newest := func(p *planting) string {
		return p.scan(`select transaction_id::text from journal_links where account_id = 'one' order by position desc limit 1`)
	}
	return append(plantsOfReversals(), []plant{
		{"I15", "an edited amount, balanced again", func(p *planting) (string, string) {
			id := p.scan(`select id::text from journal_transactions where kind = 'invoice_issued' and account_id = 'one'`)
			p.exec(`update journal_entries set amount_minor = amount_minor * 1 + sign(amount_minor) where transaction_id = $1::bigint`, id)
			p.exec(`update invoices set total_minor = total_minor + 1, allocated_minor = allocated_minor + 1 where id = 'inv-one'`)
			p.exec(`update journal_entries set amount_minor = amount_minor + sign(amount_minor) where ledger_kind in ('receivable', 'gateway_clearing')
				and transaction_id = (select id from journal_transactions where kind = 'receipt' and account_id = 'one')`)
			p.exec(`update attempts set captured_minor = captured_minor + 1 where invoice_id = 'inv-one'`)
			p.charge(p.attempt("inv-one", "succeeded")).Minor++
			return "journal transaction", id
		}},
		{"I15", "an edited key", func(p *planting) (string, string) {
			id := p.scan(`select id::text from journal_transactions where kind = 'invoice_issued' and account_id = 'one'`)
			p.exec(`update journal_transactions set key = key || 'x' where id = $1::bigint`, id)
			return "journal transaction", id
		}},
		{"I15", "an edited time", func(p *planting) (string, string) {
			id := newest(p)
			p.exec(`update journal_transactions set recorded_at = recorded_at - interval '1 microsecond' where id = $1::bigint`, id)
			return "journal transaction", id
		}},
		{"I15", "entries added to what was chained", func(p *planting) (string, string) {
			id := newest(p)
			p.exec(`insert into journal_entries (transaction_id, ledger_kind, ledger_account, account_id, amount_minor, currency)
				values ($1::bigint, 'revenue', 'revenue', 'one', 5, 'USD'), ($1::bigint, 'bank', 'bank', 'one', -5, 'USD')`, id)
			return "journal transaction", id
		}},
		{"I15", "a removed transaction", func(p *planting) (string, string) {
			id := p.post("correction", "correction/1", "one", 5, revenue, bank)
			p.exec(`select journal_chain(t) from journal_transactions t where id = $1::bigint`, id)
			p.exec(`delete from journal_entries where transaction_id = $1::bigint`, id)
			p.exec(`delete from journal_transactions where id = $1::bigint`, id)
			return "journal link", "one/" + p.scan(`select length::text from journal_heads where account_id = 'one'`)
		}},
		{"I15", "an inserted transaction", func(p *planting) (string, string) {
			return "journal transaction", p.post("correction", "correction/1", "one", 5, revenue, bank)
		}},
		{"I15", "a removed link", func(p *planting) (string, string) {
			p.exec(`delete from journal_links where account_id = 'one' and position = 1`)
			return "journal link", "one/1"
		}},
		{"I15", "a reordered chain", func(p *planting) (string, string) {
			first := p.scan(`select transaction_id::text from journal_links where account_id = 'one' and position = 1`)
			p.exec(`update journal_links l set transaction_id = o.transaction_id from journal_links o
				where l.account_id = 'one' and o.account_id = 'one' and l.position in (1, 2) and o.position = 3 - l.position`)
			return "journal transaction", first
		}},
		{"I15", "the end of a chain cut off", func(p *planting) (string, string) {
			id := p.post("correction", "correction/1", "one", 5, revenue, bank)
			p.exec(`select journal_chain(t) from journal_transactions t where id = $1::bigint`, id)
			for _, sql := range []string{`delete from journal_entries where transaction_id = $1::bigint`, `delete from journal_links where transaction_id = $1::bigint`,
				`delete from journal_transactions where id = $1::bigint`} {
				p.exec(sql, id)
			}
			return "journal chain", "one"
		}},
		{"I15", "a head that was set back without its links", func(p *planting) (string, string) {
			p.exec(`update journal_heads set length = length - 1 where account_id = 'one'`)
			return "journal chain", "one"
		}},
		{"I15", "a whole chain written anew, heads and all", func(p *planting) (string, string) {
			id := p.scan(`select id::text from journal_transactions where kind = 'invoice_issued' and account_id = 'one'`)
			p.exec(`update journal_transactions set recorded_at = recorded_at - interval '1 day' where id = $1::bigint`, id)
			p.rechain()
			return "journal checkpoint", p.scan(`select max(id)::text from journal_checkpoints`)
		}},
		{"I15", "reversals may be changed", func(p *planting) (string, string) {
			p.exec(`drop trigger reversals_append_only on reversals`)
			return "table", "reversals"
		}},
		{"I15", "nothing is chained any more", func(p *planting) (string, string) {
			p.exec(`alter table journal_transactions disable trigger journal_transactions_chained`)
			return "trigger", "journal_transactions_chained on journal_transactions"
		}},
	}...)
}

func plantsOfReversals() []plant {
	return []plant{
		{"I2", "a reversal of another amount than the journal's", func(p *planting) (string, string) {
			p.exec(`update reversals set amount_minor = amount_minor + 1, lost_minor = lost_minor + 1`)
			return "reversal", p.scan(`select attempt_id || ' ' || reference from reversals`)
		}},
		{"I2", "a reversal in the journal only", func(p *planting) (string, string) {
			id := p.attempt("inv-two", "succeeded")
			p.post("receipt_reversed", "receipt_reversed/"+id+"/dp_x", "two", 100, entry{kind: "bad_debt"}, clearing)
			return "reversal", "receipt_reversed/" + id + "/dp_x"
		}},
		{"I2", "the gateway took back what nobody recorded", func(p *planting) (string, string) {
			c := p.charge(p.attempt("inv-one", "succeeded"))
			c.Status = ChargeReturned
			return "attempt", c.Attempt
		}},
		{"I2", "a reversal of what the gateway still has", func(p *planting) (string, string) {
			c := p.charge(p.scan(`select attempt_id::text from reversals`))
			c.Status = ChargeSucceeded
			return "attempt", c.Attempt
		}},
	}
}
