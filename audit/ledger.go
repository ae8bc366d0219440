package audit

import "context"

// I5: the columns, the journal and the constraints that keep them must all say the same (M3).
var balancesInRange = check{
	id: "I5", says: "0 ≤ allocated ≤ total, paid exactly when equal, and no balance below zero (M3)",
	next: "stop the workers; the journal is right by construction: correct the column by a new, reviewed transaction",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "invoices", `select count(*) from invoices`)
		f.broken(ctx, "invoice", invoicesOutOfRange)
		f.broken(ctx, "invoice", invoicesVersusJournal)
		f.broken(ctx, "journal entry", receivablesMisnamed)
		f.count(ctx, "balances", `select (select count(*) from credits) + (select count(*) from deposits)
					+ (select count(distinct (account_id, currency)) from journal_entries where ledger_kind = 'unapplied_funds')`)
		f.broken(ctx, "credit", creditsOutOfRange)
		f.broken(ctx, "deposit", depositsOutOfRange)
		f.broken(ctx, "account", unappliedBelowZero)
		f.triggers(ctx, [2]string{"invoices", "invoices_agree_with_journal"}, [2]string{"journal_entries", "invoices_agree_with_journal"})
		f.checkConstraints(ctx, "invoices_allocated_in_range", "invoices_paid_exactly", "invoices_open_not_covered",
			"credits_remaining_in_range", "deposits_remaining_in_range", "deposits_only_settled_used")
	},
}

const invoicesOutOfRange = `select id, case
		when allocated_minor < 0 or allocated_minor > total_minor then format('has %s of %s %s allocated', allocated_minor, total_minor, currency)
		when state = 'paid' and allocated_minor <> total_minor then format('is paid with %s of %s %s allocated', allocated_minor, total_minor, currency)
		when state = 'open' and allocated_minor = total_minor then format('is open with all of its %s %s allocated', total_minor, currency)
		end from invoices`

// invoicesVersusJournal: what an invoice still owes is what its receivable says; a void or written-off one owes nothing.
const invoicesVersusJournal = `with receivable as (
		select invoice_id, sum(amount_minor) as minor from journal_entries where ledger_kind = 'receivable' group by 1)
	select i.id, case when coalesce(r.minor, 0) <> case when i.state in ('open', 'paid') then i.total_minor - i.allocated_minor else 0 end
		then format('is %s and owes %s %s by its columns, %s by the journal', i.state,
		            case when i.state in ('open', 'paid') then i.total_minor - i.allocated_minor else 0 end, i.currency, coalesce(r.minor, 0)) end
	from invoices i left join receivable r on r.invoice_id = i.id`

const receivablesMisnamed = `select e.id, case
		when e.invoice_id is null then 'is a receivable of no invoice'
		when e.ledger_account <> 'receivable:' || e.invoice_id then format('is on %s, its invoice is %s', e.ledger_account, e.invoice_id)
		when e.currency <> i.currency then format('is in %s, its invoice %s in %s', e.currency, i.id, i.currency)
		end from journal_entries e left join invoices i on i.id = e.invoice_id where e.ledger_kind = 'receivable'`

const creditsOutOfRange = `select id, case when remaining_minor < 0 or remaining_minor > granted_minor
		then format('has %s of %s %s left', remaining_minor, granted_minor, currency) end from credits`

const depositsOutOfRange = `select id, case
		when remaining_minor < 0 or remaining_minor > amount_minor then format('has %s of %s %s left', remaining_minor, amount_minor, currency)
		when state = 'pending' and remaining_minor <> amount_minor then format('is pending, yet %s %s of it is used', amount_minor - remaining_minor, currency)
		end from deposits`

// unappliedBelowZero: a liability's balance is a credit, so a sum above zero means that more was used than was there.
const unappliedBelowZero = `select account_id, case when sum(amount_minor) > 0 then format('has %s %s of unapplied funds', -sum(amount_minor), currency) end
	from journal_entries where ledger_kind = 'unapplied_funds' group by account_id, currency`

// I6: two representations that are written by different statements. A plausible guard on the balance alone held while accounts were
// overspent (M4), so the balance, the rows of its spends and the journal are compared.
var spendsAddUp = check{
	id: "I6", says: "what was spent of a credit or deposit = granted − remaining = its journal, each spend naming one invoice",
	next: "stop the workers; the spends with a journal transaction are what happened: correct the balance to them",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "credits", `select count(*) from credits`)
		f.broken(ctx, "credit", creditsVersusSpends)
		f.count(ctx, "spends", `select (select count(*) from credit_applications) + (select count(*) from deposit_uses)`)
		f.broken(ctx, "credit application", applicationsVersusJournal)
		f.count(ctx, "deposits", `select count(*) from deposits`)
		f.broken(ctx, "deposit", depositsVersusSpends)
		f.broken(ctx, "deposit use", usesVersusJournal)
		f.triggers(ctx,
			[2]string{"credits", "credits_agree_with_applications"}, [2]string{"credit_applications", "credits_agree_with_applications"},
			[2]string{"deposits", "deposits_agree_with_uses"}, [2]string{"deposit_uses", "deposits_agree_with_uses"})
	},
}

// creditsVersusSpends leaves expiry out of the journal's side: what expires is no spend and stays in the column.
const creditsVersusSpends = `with spent as (select credit_id, sum(amount_minor) as minor from credit_applications where reversed_at is null group by 1),
	booked as (
		select e.credit_id, -sum(e.amount_minor) as minor from journal_entries e join journal_transactions t on t.id = e.transaction_id
		 where e.ledger_kind = 'credit_liability' and t.kind not in ('credit_expired', 'credit_expired_reversed') group by 1)
	select c.id, case
		when c.granted_minor - c.remaining_minor <> coalesce(s.minor, 0)
			then format('granted %s, remaining %s %s, but its applications add up to %s', c.granted_minor, c.remaining_minor, c.currency, coalesce(s.minor, 0))
		when coalesce(b.minor, 0) <> c.remaining_minor then format('has %s %s left, the journal says %s', c.remaining_minor, c.currency, coalesce(b.minor, 0))
		end
	from credits c left join spent s on s.credit_id = c.id left join booked b on b.credit_id = c.id`

// applicationsVersusJournal: each application is one transaction that takes the lot from its credit and puts it on its invoice.
const applicationsVersusJournal = `with booked as (
		select t.key, sum(e.amount_minor) filter (where e.ledger_kind = 'credit_liability') as taken, min(e.credit_id) as credit_id,
		       -sum(e.amount_minor) filter (where e.ledger_kind = 'receivable') as given, min(e.invoice_id) as invoice_id, min(e.currency) as currency
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id where t.kind = 'credit_applied' group by t.id, t.key)
	select coalesce(a.id::text, b.key), case
		when a.id is null then format('of %s %s is in the journal only', b.taken, b.currency)
		when b.key is null then format('of %s on invoice %s is not in the journal', a.amount_minor, a.invoice_id)
		when (b.taken, b.given, b.credit_id, b.invoice_id) is distinct from (a.amount_minor::numeric, a.amount_minor::numeric, a.credit_id, a.invoice_id)
			then format('of %s of credit %s on invoice %s, the journal says %s of %s on %s', a.amount_minor, a.credit_id, a.invoice_id, b.given, b.credit_id, b.invoice_id)
		when c.currency <> i.currency then format('puts %s on an invoice in %s', c.currency, i.currency)
		when c.for_invoice <> a.invoice_id then format('puts credit %s, which is for invoice %s, on %s', c.id, c.for_invoice, a.invoice_id)
		end
	from credit_applications a
	full join booked b on b.key = 'credit_application/' || a.id::text
	left join credits c on c.id = a.credit_id left join invoices i on i.id = a.invoice_id`

// depositsVersusSpends: the bank brings in the journal what the column begins with, once the deposit has settled (AF3).
const depositsVersusSpends = `with spent as (select deposit_id, sum(amount_minor) as minor from deposit_uses where reversed_at is null group by 1),
	booked as (select deposit_id, -sum(amount_minor) as minor from journal_entries where ledger_kind = 'advance_funds' group by 1)
	select d.id, case
		when d.amount_minor - d.remaining_minor <> coalesce(s.minor, 0)
			then format('of %s, remaining %s %s, but its uses add up to %s', d.amount_minor, d.remaining_minor, d.currency, coalesce(s.minor, 0))
		when coalesce(b.minor, 0) <> case d.state when 'settled' then d.remaining_minor else 0 end
			then format('is %s with %s %s left, the journal says %s', d.state, d.remaining_minor, d.currency, coalesce(b.minor, 0))
		end
	from deposits d left join spent s on s.deposit_id = d.id left join booked b on b.deposit_id = d.id`

const usesVersusJournal = `with booked as (
		select t.key, sum(e.amount_minor) filter (where e.ledger_kind = 'advance_funds') as taken, min(e.deposit_id) as deposit_id,
		       -sum(e.amount_minor) filter (where e.ledger_kind = 'receivable') as given, min(e.invoice_id) as invoice_id, min(e.currency) as currency
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id where t.kind = 'funds_used' group by t.id, t.key)
	select coalesce(u.id::text, b.key), case
		when u.id is null then format('of %s %s is in the journal only', b.taken, b.currency)
		when b.key is null then format('of %s on invoice %s is not in the journal', u.amount_minor, u.invoice_id)
		when (b.taken, b.given, b.deposit_id, b.invoice_id) is distinct from (u.amount_minor::numeric, u.amount_minor::numeric, u.deposit_id, u.invoice_id)
			then format('of %s of deposit %s on invoice %s, the journal says %s of %s on %s', u.amount_minor, u.deposit_id, u.invoice_id, b.given, b.deposit_id, b.invoice_id)
		when d.currency <> i.currency then format('puts %s on an invoice in %s', d.currency, i.currency)
		end
	from deposit_uses u
	full join booked b on b.key = 'deposit_use/' || u.id::text
	left join deposits d on d.id = u.deposit_id left join invoices i on i.id = u.invoice_id`

// I7: value neither appears nor vanishes (M2).
var journalBalanced = check{
	id: "I7", says: "every journal transaction sums to zero per currency",
	next: "the journal was changed past Recoup: restore from a backup or post a reviewed correction",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "transactions", `select count(*) from journal_transactions`)
		f.count(ctx, "entries", `select count(*) from journal_entries`)
		f.broken(ctx, "journal transaction", unbalanced)
		f.broken(ctx, "journal transaction", withoutEntries)
		f.triggers(ctx, [2]string{"journal_entries", "journal_entries_checked"})
	},
}

const unbalanced = `select transaction_id, format('is off by %s %s', sum(amount_minor), currency) from journal_entries
	group by transaction_id, currency having sum(amount_minor) <> 0`

const withoutEntries = `select t.id, format('(%s) has no entries', t.key) from journal_transactions t
	where not exists (select 1 from journal_entries e where e.transaction_id = t.id)`
