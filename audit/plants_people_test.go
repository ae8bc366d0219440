package audit

// plantsOfPeople break what customers and staff see: I8 to I11 and I15 to I20.
func plantsOfPeople() []plant {
	var all []plant
	for _, some := range [][]plant{plantsOfSuspensions(), plantsOfStandings(), plantsOfNotices(), plantsOfRecords(), plantsOfPersonalData(), plantsOfCases(), plantsOfAccounts()} {
		all = append(all, some...)
	}
	return all
}

func (p *planting) suspension(account string) string {
	p.t.Helper()
	return p.scan(`select id::text from suspensions where account_id = $1`, account)
}

func plantsOfSuspensions() []plant {
	six := func(what, query string) plant {
		return plant{"I8", what, func(p *planting) (string, string) {
			p.exec(query)
			return "suspension", p.suspension("six")
		}}
	}
	return []plant{
		six("no evidence", `update suspensions set evidence = '{}' where account_id = 'six'`),
		six("due below the minimum", `update suspensions set evidence = jsonb_set(evidence, '{due,minor}', '99') where account_id = 'six'`),
		six("before the deadline", `update suspensions set suspended_at = (evidence ->> 'deadline')::timestamptz - interval '1 second' where account_id = 'six'`),
		six("no case", `update suspensions set case_id = null where account_id = 'six'`),
		six("an attempt was open", `update attempts set ended_at = (select suspended_at from suspensions where account_id = 'six') + interval '1 minute'
			where id = (select max(id::text)::uuid from attempts where invoice_id = 'inv-six')`),
		six("the case was held", `update cases set held_since = s.suspended_at - interval '1 day', held_until = s.suspended_at + interval '1 day'
			from suspensions s where s.account_id = 'six' and cases.id = 'inv-six'`),
		six("payment was promised", `insert into promises (request_id, account_id, invoice_id, case_id, currency, amount_minor, allocated_minor, until, stops_until, made_at, state, ended_at)
			select 'r-5', 'six', 'inv-six', 'inv-six', 'USD', 1, 0, suspended_at, suspended_at + interval '1 day', suspended_at - interval '1 day', 'broken',
			suspended_at + interval '1 day' from suspensions where account_id = 'six'`),
		six("the invoice was disputed", `insert into disputes (request_id, account_id, invoice_id, case_id, currency, amount_minor, claim, opened_at)
			select 'r-5', 'six', 'inv-six', 'inv-six', 'USD', 1, 'never ordered', suspended_at - interval '1 day' from suspensions where account_id = 'six'`),
		six("a person kept the account from being suspended", `update accounts a set never_suspend_since = s.suspended_at - interval '1 day',
			never_suspend_until = s.suspended_at + interval '1 day' from suspensions s where s.account_id = a.id and a.id = 'six'`),
		six("the final notice could not be delivered", `update notices set state = 'failed', sent_at = null where case_id = 'inv-six' and kind = 'final_notice' and channel = 'email'`),
		six("the notice of suspension came too late", `update notices set sent_at = s.suspended_at + interval '1 second' from suspensions s
			where s.account_id = 'six' and notices.case_id = 'inv-six' and kind = 'suspension_scheduled' and channel = 'email'`),
	}
}

func plantsOfStandings() []plant {
	return []plant{
		{"I9", "suspended twice", func(p *planting) (string, string) {
			p.exec(`drop index suspensions_one_active`)
			p.exec(`insert into suspensions (id, account_id, cause, case_id, suspended_generation, suspended_at, evidence)
				select gen_random_uuid(), account_id, cause, case_id, suspended_generation, suspended_at, evidence from suspensions where account_id = 'six'`)
			return "account", "six"
		}},
		{"I9", "not lifted when its invoice was written off", func(p *planting) (string, string) {
			p.exec(`update invoices set state = 'written_off' where id = 'inv-six'`)
			p.post("write_off", "write_off/inv-six", "six", 4900, entry{kind: "bad_debt"}, receivable("inv-six"))
			p.exec(`update cases set stage = 'finished', finished_at = $1, outcome = 'written_off' where id = 'inv-six'`, p.w.now)
			p.exec(`insert into case_events (case_id, kind, data) values ('inv-six', 'finished', '{"from": "suspended"}')`)
			return "suspension", p.suspension("six")
		}},
		{"I9", "active though suspended", func(p *planting) (string, string) {
			p.exec(`update accounts set standing = 'active' where id = 'six'`)
			return "account", "six"
		}},
		{"I9", "suspended without a suspension", func(p *planting) (string, string) {
			p.exec(`update accounts set standing = 'suspended' where id = 'two'`)
			return "account", "two"
		}},
		{"I9", "an older generation", func(p *planting) (string, string) {
			p.exec(`update accounts set generation = 1 where id = 'five'`)
			return "account", "five"
		}},
		{"I9", "lifted before it began", func(p *planting) (string, string) {
			p.exec(`update suspensions set lifted_generation = suspended_generation where account_id = 'five'`)
			return "suspension", p.suspension("five")
		}},
		{"I9", "the hook was never called", func(p *planting) (string, string) {
			p.exec(`delete from standing_calls where account_id = 'six'`)
			return "suspension", p.suspension("six")
		}},
		{"I9", "the index is gone", func(p *planting) (string, string) {
			p.exec(`drop index suspensions_one_active`)
			return "index", "suspensions_one_active"
		}},
	}
}

// notice adds a mail that was sent now.
func (p *planting) notice(kind, account, invoice, data string) string {
	p.t.Helper()
	return p.scan(`insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, recipient, state, sent_at, data)
		values (gen_random_uuid(), $2, $3, $3, $1, 'planted', 'email', 1, 'sent', $4, $5) returning id::text`, kind, account, invoice, p.w.now, data)
}

func plantsOfNotices() []plant {
	return []plant{
		{"I10", "a notice twice", func(p *planting) (string, string) {
			p.exec(`drop index notices_once`)
			p.exec(`insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, recipient, state, sent_at)
				select 'ffffffff-0000-7000-8000-000000000001', account_id, case_id, invoice_id, kind, occasion, channel, recipient, state, sent_at
				from notices where case_id = 'inv-one' and channel = 'email'`)
			return "notice", p.scan(`select min(id::text) from notices where case_id = 'inv-one' and channel = 'email'`)
		}},
		{"I10", "a Message-ID twice", func(p *planting) (string, string) {
			p.exec(`update notices set message_id = '<same@recoup>' where channel = 'email' and kind = 'receipt'`)
			return "message", "<same@recoup>"
		}},
		{"I10", "the index is gone", func(p *planting) (string, string) {
			p.exec(`drop index notices_once`)
			return "index", "notices_once"
		}},
		{"I11", "a failure told after the payment", func(p *planting) (string, string) {
			return "notice", p.notice("payment_failed", "one", "inv-one", "{}")
		}},
		{"I11", "a receipt for nothing", func(p *planting) (string, string) {
			return "notice", p.notice("receipt", "six", "inv-six", "{}")
		}},
		{"I11", "a backup that was declined", func(p *planting) (string, string) {
			return "notice", p.notice("backup_charged", "two", "inv-two", `{"attempt": "`+p.attempt("inv-two", "declined")+`"}`)
		}},
		{"I11", "suspended, it says", func(p *planting) (string, string) {
			return "notice", p.notice("suspended", "two", "inv-two", "{}")
		}},
		{"I11", "reinstated, it says", func(p *planting) (string, string) {
			return "notice", p.notice("reinstated", "six", "inv-six", "{}")
		}},
	}
}

func plantsOfRecords() []plant {
	return []plant{
		{"I15", "a trigger is disabled", func(p *planting) (string, string) {
			p.exec(`alter table case_events disable trigger case_events_append_only`)
			return "table", "case_events"
		}},
		{"I15", "a trigger is gone", func(p *planting) (string, string) {
			p.exec(`drop trigger audit_log_append_only on audit_log`)
			return "table", "audit_log"
		}},
		{"I15", "a trigger lets truncate through", func(p *planting) (string, string) {
			p.exec(`drop trigger journal_entries_append_only on journal_entries`)
			p.exec(`create trigger journal_entries_append_only before update or delete on journal_entries for each statement execute function refuse_change()`)
			return "table", "journal_entries"
		}},
		{"I15", "the trigger's function is tamed", func(p *planting) (string, string) {
			p.exec(`create or replace function refuse_change() returns trigger language plpgsql as 'begin return null; end'`)
			return "table", "attempt_events"
		}},
		{"I15", "the session fires no triggers", func(p *planting) (string, string) {
			return "setting", "session_replication_role"
		}},
		{"I16", "a resolution by nobody", func(p *planting) (string, string) {
			p.exec(`update resolutions set actor = ' ' where request_id = 'r-5'`)
			return "resolution", "r-5"
		}},
		{"I16", "proposed and confirmed by one person", func(p *planting) (string, string) {
			p.exec(`update resolutions set confirms = 'p-8' where request_id = 'p-9'`)
			return "resolution", "p-9"
		}},
		{"I16", "a decision about an account that is not in the audit log", func(p *planting) (string, string) {
			p.exec(`delete from audit_log where request_id = 'p-10'`)
			return "resolution", "p-10"
		}},
		{"I16", "a resolution that is not in the audit log", func(p *planting) (string, string) {
			p.exec(`delete from audit_log where request_id = 'r-5'`)
			return "resolution", "r-5"
		}},
		{"I16", "an act by nobody", func(p *planting) (string, string) {
			return "audit log entry", p.scan(`insert into audit_log (actor, act, reason, request_id) values ('', 'write_off', 'why not', 'r-9') returning id::text`)
		}},
		{"I16", "an act without a reason", func(p *planting) (string, string) {
			return "audit log entry", p.scan(`insert into audit_log (actor, act, reason, request_id) values ('ada', 'write_off', ' ', 'r-9') returning id::text`)
		}},
		{"I16", "an act without a request", func(p *planting) (string, string) {
			return "audit log entry", p.scan(`insert into audit_log (actor, act, reason) values ('ada', 'write_off', 'why not') returning id::text`)
		}},
		{"I16", "an act over many cases that is not in the audit log", func(p *planting) (string, string) {
			p.exec(`insert into batches (id, request_id, kind, actor, reason, asked, per_minute, items, recorded_at)
				values ('20261122-aaaaaa', 'r-9', 'hold', 'ada', 'why not', '{}', 60, 1, now())`)
			return "batch", "20261122-aaaaaa"
		}},
		{"I16", "an item of a batch that was never decided", func(p *planting) (string, string) {
			p.exec(`insert into batches (id, request_id, kind, actor, reason, asked, per_minute, items, recorded_at)
				values ('20261122-aaaaaa', 'r-9', 'hold', 'ada', 'why not', '{}', 60, 1, now())`)
			p.exec(`insert into audit_log (actor, act, reason, request_id) values ('ada', 'batch_recorded', 'why not', 'r-9')`)
			p.exec(`insert into batch_items (batch_id, number, invoice_id, case_id, state, request_id, ended_at)
				values ('20261122-aaaaaa', 1, 'inv-six', 'inv-six', 'done', 'batch:20261122-aaaaaa:1', now())`)
			return "batch item", "20261122-aaaaaa:1"
		}},
		{"I16", "an act on a case that no resolution tells of", func(p *planting) (string, string) {
			return "audit log entry", p.scan(`insert into audit_log (actor, act, reason, request_id, case_id)
				values ('ada', 'hold', 'why not', 'r-9', 'inv-six') returning id::text`)
		}},
	}
}

func plantsOfPersonalData() []plant {
	return []plant{
		{"I18", "an e-mail address in a case event", func(p *planting) (string, string) {
			return "case event", p.scan(`insert into case_events (case_id, kind, data) values ('inv-six', 'said', '{"by": "ada@example.com"}') returning id::text`)
		}},
		{"I18", "a card number in an attempt event", func(p *planting) (string, string) {
			return "attempt event", p.scan(`update attempt_events set detail = '{"message": "card 4242 4242 4242 4242 refused"}' where id = (
				select min(id) from attempt_events) returning id::text`)
		}},
		{"I18", "a key in the audit log", func(p *planting) (string, string) {
			return "audit log entry", p.scan(`insert into audit_log (actor, act, reason, request_id)
				values ('ada', 'configure', 'key is sk_live_4eC39HqLyjWDarjtT1zdp7dc', 'r-9') returning id::text`)
		}},
		{"I18", "a card number in a case's next step", func(p *planting) (string, string) {
			p.exec(`update cases set next_step = next_step || '{"why": "5555555555554444"}' where id = 'inv-six'`)
			return "case", "inv-six"
		}},
	}
}

func plantsOfCases() []plant {
	return []plant{
		{"I17", "a date long past", func(p *planting) (string, string) {
			p.exec(`update cases set next_at = $1::timestamptz - interval '1 hour' where id = 'inv-six'`, p.w.now)
			return "case", "inv-six"
		}},
		{"I17", "waiting for nothing", func(p *planting) (string, string) {
			p.exec(`update cases set next_at = null, opened_at = opened_at - interval '2 hours' where id = 'inv-four'`)
			p.exec(`update case_events set at = at - interval '2 hours' where case_id = 'inv-four'`)
			p.exec(`update attempts set created_at = created_at - interval '2 hours' where case_id = 'inv-four'`)
			return "case", "inv-four"
		}},
		{"I17", "waiting for a promise that was broken", func(p *planting) (string, string) {
			p.exec(`update promises set state = 'broken', ended_at = now() where request_id = 'p-8-promise'`)
			return "case", "inv-twelve"
		}},
		{"I17", "a promise that nothing waits for", func(p *planting) (string, string) {
			p.exec(`update cases set promised_until = null where id = 'inv-twelve'`)
			return "case", "inv-twelve"
		}},
		{"I20", "due and nobody follows it", func(p *planting) (string, string) {
			p.exec(`insert into invoices (id, number, account_id, currency, total_minor, due_date, due_at, collect_at, content_hash, created_at)
				select 'inv-x', 'N-x', account_id, currency, 100, due_date, due_at, collect_at, '', created_at from invoices where id = 'inv-one'`)
			p.post("invoice_issued", "invoice_issued:inv-x", "one", 100, receivable("inv-x"), revenue)
			return "invoice", "inv-x"
		}},
		{"I20", "followed twice", func(p *planting) (string, string) {
			p.exec(`drop index cases_one_live_per_invoice`)
			p.secondCase("inv-six")
			return "invoice", "inv-six"
		}},
		{"I20", "paid and still followed", func(p *planting) (string, string) {
			p.secondCase("inv-one")
			return "case", "inv-one/2"
		}},
		{"I20", "the index is gone", func(p *planting) (string, string) {
			p.exec(`drop index cases_one_live_per_invoice`)
			return "index", "cases_one_live_per_invoice"
		}},
	}
}

// secondCase opens another live case of an invoice.
func (p *planting) secondCase(invoice string) {
	p.t.Helper()
	p.exec(`insert into cases (id, invoice_id, episode, account_id, policy, policy_version, clock_started_at, opened_at, next_at)
		select invoice_id || '/2', invoice_id, 2, account_id, policy, policy_version, $2, $2, $2::timestamptz + interval '1 day' from cases where id = $1`, invoice, p.w.now)
	p.exec(`insert into case_events (case_id, at, kind) values ($1 || '/2', $2, 'opened')`, invoice, p.w.now)
}

func plantsOfAccounts() []plant {
	return []plant{
		{"I19", "a case", func(p *planting) (string, string) {
			p.exec(`update cases set account_id = 'two' where id = 'inv-four'`)
			return "case", "inv-four"
		}},
		{"I19", "an attempt", func(p *planting) (string, string) {
			p.exec(`update attempts set account_id = 'two' where invoice_id = 'inv-four'`)
			return "attempt", p.attempt("inv-four", "unknown")
		}},
		{"I19", "an attempt on another's method", func(p *planting) (string, string) {
			p.exec(`update attempts set method_id = 'pm-two-1' where invoice_id = 'inv-four'`)
			return "attempt", p.attempt("inv-four", "unknown")
		}},
		{"I19", "another's deposit", func(p *planting) (string, string) {
			p.exec(`update deposits set account_id = 'two' where id = 'd-1'`)
			return "deposit use", p.scan(`select id::text from deposit_uses`)
		}},
		{"I19", "another organisation's credit", func(p *planting) (string, string) {
			p.exec(`update credits set account_id = 'two' where id = 'c-1'`)
			return "credit application", p.scan(`select id::text from credit_applications`)
		}},
		{"I19", "a notice about another's invoice", func(p *planting) (string, string) {
			return "notice", p.scan(`update notices set account_id = 'two' where case_id = 'inv-one' and channel = 'email' returning id::text`)
		}},
		{"I19", "a receivable", func(p *planting) (string, string) {
			return "journal entry", p.scan(`update journal_entries set account_id = 'two' where id = (
				select min(id) from journal_entries where invoice_id = 'inv-one' and ledger_kind = 'receivable') returning id::text`)
		}},
	}
}
