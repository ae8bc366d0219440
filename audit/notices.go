package audit

import "context"

// I10: the send record is written before sending, so what was recorded twice was sent twice (N2).
var noticesOnce = check{
	id: "I10", says: "one notice per account, case, kind, occasion, channel and recipient (N2)",
	next: "a customer was told twice: find out which writer went past the unique index notices_once",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "notices", `select count(*) from notices`)
		f.broken(ctx, "notice", noticesTwice)
		f.broken(ctx, "message", messagesTwice)
		f.uniqueIndexes(ctx, "notices_once")
	},
}

const noticesTwice = `select min(id::text), format('%s by %s for account %s, case %s, occasion %s is there %s times', kind, channel, account_id,
		coalesce(case_id, 'none'), occasion, count(*))
	from notices group by account_id, coalesce(case_id, ''), case_id, kind, occasion, channel, recipient having count(*) > 1`

const messagesTwice = `select message_id, format('is the Message-ID of %s notices: %s', count(*), string_agg(id::text, ', ' order by id))
	from notices where message_id <> '' and channel = 'email' group by message_id having count(*) > 1`

// I11: a mail that says "unpaid" after the payment costs more trust than no mail. Facts and notices are compared at the instant of
// sending, with the time a mail may be on its way to the server.
var noticesTrue = check{
	id: "I11", says: "no notice contradicts the ledger when it is handed over",
	next: "tell the customer what is true; then look at the notice's times and at store's rules for obsolete notices",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "notices sent", `select count(*) from notices where state = 'sent'`)
		f.broken(ctx, "notice", noticesUntrue)
	},
}

// noticesUntrue gives each doubt about an instant to the notice: suspended may lag behind a lifting, reinstated behind a suspension.
const noticesUntrue = `with told as (
		select n.id, bool_or(s.suspended_at <= n.sent_at and (s.lifted_at is null or s.lifted_at + @skew::interval > n.sent_at)) as maybe_suspended,
		       bool_or(s.suspended_at + @skew::interval < n.sent_at and (s.lifted_at is null or s.lifted_at > n.sent_at + @skew::interval)) as surely_suspended
		  from notices n join suspensions s on s.account_id = n.account_id
		 where n.kind in ('suspended', 'reinstated') and n.state = 'sent' group by 1),
	received as (select distinct invoice_id from journal_entries where ledger_kind = 'receivable' and amount_minor < 0)
	select n.id, case
		when n.kind in ('payment_failed', 'final_notice', 'suspension_scheduled', 'action_required', 'promise_broken') and i.settled_at + @skew::interval < n.sent_at
			then format('(%s) went out at %s, but invoice %s was settled at %s', n.kind, n.sent_at, i.id, i.settled_at)
		when n.kind = 'receipt' and r.invoice_id is null then format('(receipt) went out, but invoice %s has received nothing', i.id)
		when n.kind = 'backup_charged' and not exists (
			select 1 from attempts t where t.id::text = n.data ->> 'attempt' and t.invoice_id = n.invoice_id and t.state = 'succeeded')
			then format('(backup_charged) went out, but attempt %s did not succeed', n.data ->> 'attempt')
		when n.kind = 'suspended' and not coalesce(s.maybe_suspended, false)
			then format('(suspended) went out at %s, but account %s was not suspended', n.sent_at, n.account_id)
		when n.kind = 'reinstated' and s.surely_suspended
			then format('(reinstated) went out at %s, but account %s was suspended', n.sent_at, n.account_id)
		end
	from notices n
	left join told s on s.id = n.id
	left join invoices i on i.id = n.invoice_id
	left join received r on r.invoice_id = n.invoice_id
	where n.state = 'sent'`
