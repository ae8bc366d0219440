package audit

import (
	"context"
	"fmt"
)

// openStates are the attempt states that are not final; finalStates are the others.
const (
	openStates  = `('intent', 'sent', 'action_required', 'pending', 'unknown')`
	finalStates = `('succeeded', 'declined', 'not_sent')`
	tookMoney   = `('succeeded', 'refunded', 'returned')`
)

// I1: money that a gateway took without an attempt, or before one was committed, is money nobody here would ever look for.
var chargesHaveAttempts = check{
	id: "I1", says: "every gateway charge maps to exactly one attempt committed before it was sent",
	next: "stop the workers; find each charge at the gateway, refund what belongs to no attempt, then look for who sent it",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "attempts", `select count(*) from attempts`)
		f.broken(ctx, "attempt", sentBeforeCommitted)
		f.broken(ctx, "gateway reference", claimedTwice)
		if len(f.gateways) == 0 {
			f.note("no books were read, so a charge without an attempt would not be seen")
			return
		}
		f.count(ctx, "charges in the books", `select count(*) from pg_temp.audit_books`)
		f.broken(ctx, "charge", chargesWithoutAttempt)
	},
}

// sentBeforeCommitted: the row comes first (PM5), and both instants are Postgres' own.
const sentBeforeCommitted = `select id, case when first_sent_at < created_at then format('was sent at %s, before its row of %s', first_sent_at, created_at) end
	from attempts`

// claimedTwice: two successes with one reference at the gateway are one charge booked twice, whosever they are.
const claimedTwice = `select gateway || ' ' || gateway_reference, format('is claimed by %s succeeded attempts: %s', count(*), string_agg(id::text, ', ' order by id))
	from everywhere.attempts where state = 'succeeded' and gateway_reference <> '' and (gateway, gateway_reference) in (
		select gateway, gateway_reference from attempts where state = 'succeeded' and gateway_reference <> '')
	group by gateway, gateway_reference having count(*) > 1`

// chargesWithoutAttempt: the books were read before the snapshot, so a charge whose attempt isn't there had none when it was made.
const chargesWithoutAttempt = `select b.id, case
		when b.attempt is null then format('carries no attempt''s id (its mark is %L, its key %L)', b.mark, b.key)
		when a.id is null then format('names attempt %s, which does not exist', b.attempt)
		when a.gateway <> b.gateway then format('is at %s, its attempt %s at %s', b.gateway, a.id, a.gateway)
		when b.key <> '' and b.key <> a.id::text then format('was sent with key %L, not with the id of its attempt %s', b.key, a.id)
		when b.invoice <> a.invoice_id then format('is for invoice %s, its attempt %s for %s', b.invoice, a.id, a.invoice_id)
		when a.first_sent_at is null then format('was made though attempt %s was never marked as sent', a.id)
		when b.created_at < a.created_at - @skew::interval then format('was made at %s, before its attempt %s of %s', b.created_at, a.id, a.created_at)
		end
	from pg_temp.audit_books b left join attempts a on a.id = b.attempt`

// receipts are the journal's receipts with what they took into the gateway's clearing account.
const receipts = `receipts as (
	select t.key, t.recorded_at, coalesce(sum(e.amount_minor), 0)::bigint as minor, coalesce(min(e.currency), '') as currency,
	       coalesce(min(e.ledger_account), '') as clearing, count(distinct e.ledger_account || e.currency) as accounts
	  from journal_transactions t
	  left join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'gateway_clearing'
	 where t.kind = 'receipt' group by t.id, t.key, t.recorded_at)`

// I2: both sides of one fact, per attempt, amount and currency. An attempt that is still open is not decided: what its charge took is
// booked when its answer is known (U1, U3). Money taken counts whatever became of it later: a refund or a return is an event of its own.
var successesAreReceipts = check{
	id: "I2", says: "gateway successes = ledger receipts, per attempt, amount and currency",
	next: "recoup case show the invoice's case; a success without a receipt is looked up again (recoup case resolve), a receipt without a charge is reversed",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "receipts", `select count(*) from journal_transactions where kind = 'receipt'`)
		f.broken(ctx, "attempt", attemptsVersusReceipts)
		f.count(ctx, "reversals", `select count(*) from reversals`)
		f.broken(ctx, "reversal", reversalsVersusJournal)
		if len(f.gateways) == 0 {
			f.note("no books were read: receipts are compared with our attempts only")
			return
		}
		f.count(ctx, "charges that took money", `select count(*) from pg_temp.audit_books where status in `+tookMoney)
		f.broken(ctx, "attempt", booksVersusReceipts)
		f.broken(ctx, "attempt", booksVersusReversals)
		noteBooks(ctx, f)
	},
}

// attemptsVersusReceipts: a success has exactly one receipt (its key is unique) of what was captured; nothing else has one but an
// attempt that was taken for ended and of which money was heard late (U4).
const attemptsVersusReceipts = `with ` + receipts + `
	select coalesce(a.id::text, r.key), case
		when a.id is null then format('receipt of %s %s is of no attempt', r.minor, r.currency)
		when r.key is null and a.state = 'succeeded' then format('captured %s %s, but there is no receipt', a.captured_minor, a.captured_currency)
		when r.key is null then null
		when a.state in ` + openStates + ` then format('is %s, yet has a receipt of %s %s', a.state, r.minor, r.currency)
		when r.accounts <> 1 or r.clearing <> 'gateway_clearing:' || a.gateway then format('has a receipt on %s, its gateway is %s', r.clearing, a.gateway)
		when a.state = 'succeeded' and (r.minor, r.currency) is distinct from (a.captured_minor, a.captured_currency)
			then format('captured %s %s, its receipt says %s %s', a.captured_minor, a.captured_currency, r.minor, r.currency)
		when a.state <> 'succeeded' and not exists (select 1 from attempt_events v where v.attempt_id = a.id and v.detail ->> 'late' = 'succeeded')
			then format('is %s, yet has a receipt of %s %s', a.state, r.minor, r.currency)
		end
	from attempts a full join receipts r on r.key = 'receipt/' || a.id::text`

// booksVersusReceipts: a receipt from before the reading of the books must be in them; a later one may be of a charge that came after.
// recorded_at is Postgres' clock when the receipt's transaction began, and that is after the gateway's answer.
const booksVersusReceipts = `with ` + receipts + `,
	taken as (select attempt, sum(minor)::bigint as minor, min(currency) as currency, count(distinct currency) as currencies, count(*) as n
	            from pg_temp.audit_books where attempt is not null and status in ` + tookMoney + ` group by attempt)
	select a.id, case
		when a.state in ` + openStates + ` then null
		when r.key is null then format('the gateway took %s %s in %s charge(s), but the attempt is %s and there is no receipt', t.minor, t.currency, t.n, a.state)
		when t.attempt is null and r.recorded_at < @books_at then format('receipt of %s %s, but the gateway took nothing', r.minor, r.currency)
		when t.attempt is null then null
		when t.currencies > 1 or t.minor <> r.minor or t.currency <> r.currency
			then format('the gateway took %s %s in %s charge(s), the receipt says %s %s', t.minor, t.currency, t.n, r.minor, r.currency)
		end
	from attempts a left join taken t on t.attempt = a.id left join receipts r on r.key = 'receipt/' || a.id::text
	where a.gateway = any(@gateways) and (t.attempt is not null or r.key is not null)`

// noteBooks says what the books hold beside plain successes.
func noteBooks(ctx context.Context, f *finding) {
	const totals = `select b.currency, count(*) filter (where b.status in ` + tookMoney + `),
			coalesce(sum(b.minor) filter (where b.status in ` + tookMoney + `), 0)::bigint,
			coalesce(sum(b.refunded_minor), 0)::bigint,
			coalesce(sum(b.minor - b.refunded_minor) filter (where b.status = 'returned'), 0)::bigint,
			count(*) filter (where a.state in ` + openStates + `)
		from pg_temp.audit_books b left join attempts a on a.id = b.attempt group by 1 order by 1`
	var currency string
	var n, taken, refunded, returned, undecided int64
	f.each(ctx, "total the books", totals, nil, []any{&currency, &n, &taken, &refunded, &returned, &undecided}, func() {
		text := fmt.Sprintf("%s: the gateway took %s in %s", currency, grouped(taken), plural(n, "charge", "charges"))
		if refunded > 0 {
			text += ", refunded " + grouped(refunded)
		}
		if returned > 0 {
			text += ", banks took back " + grouped(returned) + " (a return is booked as an event of its own, U5)"
		}
		if undecided > 0 {
			text += "; attempts still open: " + grouped(undecided)
		}
		f.note("%s", text)
	})
}

// I4: an invoice may take several successes only as long as they fit into it; what is over waits in unapplied funds with a refund task.
var oneNetSuccess = check{
	id: "I4", says: "at most one net success per invoice; any excess is in unapplied funds with a task",
	next: "refund the excess to the customer, then find out which two charges went out for one amount",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "invoices with receipts", `select count(distinct a.invoice_id) from attempts a
					join journal_transactions t on t.key = 'receipt/' || a.id::text`)
		f.broken(ctx, "invoice", overcharged)
		f.count(ctx, "arrivals", `select count(*) from journal_transactions where kind in ('receipt', 'out_of_band', 'moved_to_unapplied')`)
		f.broken(ctx, "arrival", excessWithoutTask)
	},
}

// overcharged counts what the clearing accounts say was taken for an invoice, less what was parked, moved off it or reversed: another
// representation than the receivable that M3 compares, so money booked past the receivable is seen.
const overcharged = `with taken as (
		select a.invoice_id, e.currency, count(distinct a.id) as successes,
		       coalesce(sum(e.amount_minor) filter (where e.ledger_kind = 'gateway_clearing'), 0) as taken,
		       coalesce(-sum(e.amount_minor) filter (where e.ledger_kind = 'unapplied_funds'), 0) as unapplied
		  from journal_transactions t
		  join attempts a on a.id::text = split_part(t.key, '/', 2)
		  join journal_entries e on e.transaction_id = t.id
		 where t.kind in ('receipt', 'receipt_reversed') group by 1, 2),
	moved as (
		select e.invoice_id, e.currency, sum(e.amount_minor) as moved
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'receivable'
		 where t.kind = 'moved_to_unapplied' group by 1, 2)
	select i.id, case when t.taken - t.unapplied - coalesce(m.moved, 0) > case when t.currency = i.currency then i.total_minor else 0 end
		then format('%s success(es) took %s %s, %s of it is in unapplied funds, but the invoice is of %s %s', t.successes, t.taken, t.currency,
		            t.unapplied + coalesce(m.moved, 0), i.total_minor, i.currency) end
	from taken t join invoices i on i.id = t.invoice_id left join moved m on m.invoice_id = t.invoice_id and m.currency = t.currency`

// excessWithoutTask: money over what was due waits for a person, so a task must name it (U4).
const excessWithoutTask = `with arrived as (
		select t.key, t.kind, -sum(e.amount_minor) as minor, min(e.currency) as currency
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'unapplied_funds'
		 where t.kind in ('receipt', 'out_of_band', 'moved_to_unapplied') group by t.id, t.key, t.kind)
	select r.key, case
		when k.id is null then format('left %s %s in unapplied funds without a refund task', r.minor, r.currency)
		when k.detail -> 'amount' ->> 'minor' is distinct from r.minor::text
			then format('left %s %s in unapplied funds, its task says %s', r.minor, r.currency, k.detail -> 'amount' ->> 'minor')
		end
	from arrived r
	left join tasks k on k.kind = 'refund' and k.key = 'refund/' || case r.kind
		when 'receipt' then 'attempt-' || split_part(r.key, '/', 2) when 'moved_to_unapplied' then 'void/' || split_part(r.key, '/', 2) else r.key end`
