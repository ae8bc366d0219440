package audit

import "context"

// I17: a case that waits for nothing is forgotten money.
var casesGoOn = check{
	id: "I17", always: true, says: "every case is finished, waiting on a date, or parked with a task",
	next: "are the workers up? recoup case show the case; recoup starter --once and the live check start what is missing",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "live cases", `select count(*) from cases where finished_at is null`)
		f.broken(ctx, "case", casesStuck)
		f.count(ctx, "open promises", `select count(*) from promises where state = 'open'`)
		f.broken(ctx, "case", promisesVersusCases)
	},
}

// casesStuck: a date that has passed long ago, or no date and nothing that happens. After the suspension a case may wait for money
// without end, and so does one of a closed account.
const casesStuck = `with live as (
		select c.*, a.standing, greatest(c.opened_at, (select max(v.at) from case_events v where v.case_id = c.id),
		       (select max(t.created_at) from attempts t where t.case_id = c.id)) as last_heard,
		       exists (select 1 from tasks k where k.case_id = c.id and k.closed_at is null) as parked
		  from cases c join accounts a on a.id = c.account_id where c.finished_at is null)
	select id, case
		when parked then null
		when next_at < @now::timestamptz - @grace::interval then format('waits in %s for %s, which has passed', stage, next_at)
		when next_at is not null or last_heard > @now::timestamptz - @grace::interval then null
		when stage = 'suspended' or standing = 'closed' then null
		else format('is in %s, waits for no date, has no task and was last heard of at %s', stage, last_heard)
		end from live`

// promisesVersusCases: what a live case waits for is a promise that stands, and the other way round.
const promisesVersusCases = `select c.id, case
		when c.promised_until is not null and p.request_id is null then 'waits for a promise that is not there'
		when c.promised_until is distinct from p.stops_until then format('does not wait for promise %s', p.request_id)
		end
	from cases c left join promises p on p.invoice_id = c.invoice_id and p.state = 'open' where c.finished_at is null`

// I19, the stored half: rows that belong together belong to one account.
var accountsApart = check{
	id: "I19", says: "no stored row crosses accounts",
	next: "one customer's money or words may have reached another: stop the workers and look at both accounts",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "cases", `select count(*) from cases`)
		f.broken(ctx, "case", `select c.id, case when c.account_id <> i.account_id
					then format('is of account %s, its invoice of %s', c.account_id, i.account_id) end from cases c join invoices i on i.id = c.invoice_id`)
		f.count(ctx, "attempts", `select count(*) from attempts`)
		f.broken(ctx, "attempt", attemptsAcross)
		f.broken(ctx, "deposit use", usesAcross)
		f.broken(ctx, "credit application", applicationsAcross)
		f.count(ctx, "notices", `select count(*) from notices`)
		f.broken(ctx, "notice", noticesAcross)
		f.broken(ctx, "journal entry", receivablesAcross)
	},
}

const attemptsAcross = `select a.id, case
		when a.account_id <> i.account_id then format('is of account %s, its invoice of %s', a.account_id, i.account_id)
		when a.invoice_id <> c.invoice_id then format('is for invoice %s, its case for %s', a.invoice_id, c.invoice_id)
		when a.account_id <> m.account_id then format('is of account %s, its method %s of %s', a.account_id, m.id, m.account_id)
		end
	from attempts a join invoices i on i.id = a.invoice_id join cases c on c.id = a.case_id join payment_methods m on m.id = a.method_id`

const usesAcross = `select u.id, case when d.account_id <> i.account_id
		then format('takes deposit %s of account %s for invoice %s of %s', d.id, d.account_id, i.id, i.account_id) end
	from deposit_uses u join deposits d on d.id = u.deposit_id join invoices i on i.id = u.invoice_id`

// applicationsAcross: credits may be shared, inside one organisation only (CR4).
const applicationsAcross = `select a.id, case when coalesce(ca.parent_id, ca.id) <> coalesce(ia.parent_id, ia.id)
		then format('puts credit %s of account %s on invoice %s of %s, another organisation', c.id, c.account_id, i.id, i.account_id) end
	from credit_applications a join credits c on c.id = a.credit_id join accounts ca on ca.id = c.account_id
	join invoices i on i.id = a.invoice_id join accounts ia on ia.id = i.account_id`

const noticesAcross = `select n.id, case
		when n.account_id <> i.account_id then format('is to account %s, about invoice %s of %s', n.account_id, i.id, i.account_id)
		when n.account_id <> c.account_id then format('is to account %s, about case %s of %s', n.account_id, c.id, c.account_id)
		end
	from notices n left join invoices i on i.id = n.invoice_id left join cases c on c.id = n.case_id`

const receivablesAcross = `select e.id, case when e.account_id <> i.account_id
		then format('is of account %s, its invoice %s of %s', e.account_id, i.id, i.account_id) end
	from journal_entries e join invoices i on i.id = e.invoice_id where e.ledger_kind = 'receivable'`

// I20: every debt has someone who follows it, and no paid one is followed.
var casesFitInvoices = check{
	id: "I20", always: true, says: "every unpaid due invoice has exactly one live case, no settled one has any",
	next: "recoup starter --once opens what is missing; for a settled invoice recoup case show its case",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "unpaid due invoices", `select count(*) from invoices where state = 'open' and collect_at <= @now::timestamptz`)
		f.broken(ctx, "invoice", invoicesWithoutCase)
		f.count(ctx, "live cases", `select count(*) from cases where finished_at is null`)
		f.broken(ctx, "invoice", casesTwice)
		f.broken(ctx, "case", casesOfSettled)
		f.uniqueIndexes(ctx, "cases_one_live_per_invoice")
	},
}

// invoicesWithoutCase: an invoice may be imported long after it fell due; the due scan needs its time from then.
const invoicesWithoutCase = `select i.id, format('has been due since %s and has no live case', i.collect_at) from invoices i
	where i.state = 'open' and greatest(i.collect_at, i.created_at) < @now::timestamptz - @grace::interval
	  and not exists (select 1 from cases c where c.invoice_id = i.id and c.finished_at is null)`

const casesTwice = `select invoice_id, format('has %s live cases: %s', count(*), string_agg(id, ', ' order by id))
	from cases where finished_at is null group by invoice_id having count(*) > 1`

// casesOfSettled: an attempt that was under way when the invoice was paid otherwise is owned to its end first (U2).
const casesOfSettled = `select c.id, case when i.state <> 'open' and not exists (
			select 1 from attempts t where t.invoice_id = i.id and t.state in ` + openStates + `)
		then format('is live, its invoice %s is %s', i.id, i.state) end
	from cases c join invoices i on i.id = c.invoice_id where c.finished_at is null`
