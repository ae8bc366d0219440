package audit

// reversalsVersusJournal: money taken back is a row and a journal transaction of the same amount (U5), neither without the other.
const reversalsVersusJournal = `with booked as (
		select t.key, -sum(e.amount_minor) as minor, min(e.currency) as currency
		  from journal_transactions t join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'gateway_clearing'
		 where t.kind = 'receipt_reversed' group by t.id, t.key)
	select coalesce(v.attempt_id || ' ' || v.reference, b.key), case
		when v.attempt_id is null then format('of %s %s is in the journal only', b.minor, b.currency)
		when b.key is null then format('of %s %s is not in the journal', v.amount_minor, v.currency)
		when (b.minor, b.currency) is distinct from (v.amount_minor::numeric, v.currency::bpchar)
			then format('of %s %s, the journal says %s %s', v.amount_minor, v.currency, b.minor, b.currency)
		end
	from reversals v full join booked b on b.key = 'receipt_reversed/' || v.attempt_id || '/' || v.reference`

// booksVersusReversals: what banks and networks took back by the books is what reversals say. While the attempt waits in
// reversal_checks the gateway has not been asked yet; a dispute that was won gave its money back, with a task for a person.
const booksVersusReversals = `with taken_back as (
		select attempt, sum(minor - refunded_minor)::bigint as minor from pg_temp.audit_books where attempt is not null and status = 'returned' group by 1),
	recorded as (
		select v.attempt_id, sum(v.amount_minor)::bigint as minor, bool_and(t.recorded_at < @books_at) as before
		  from reversals v left join journal_transactions t on t.key = 'receipt_reversed/' || v.attempt_id || '/' || v.reference group by 1)
	select a.id, case
		when coalesce(r.minor, 0) < coalesce(b.minor, 0) and not exists (select 1 from reversal_checks k where k.attempt_id = a.id)
			then format('the gateway says %s %s were taken back, reversals say %s', b.minor, a.currency, coalesce(r.minor, 0))
		when r.before and r.minor > coalesce(b.minor, 0) and not exists (select 1 from tasks k where k.kind = 'dispute_won' and k.attempt_id = a.id)
			then format('reversals say %s %s were taken back, the gateway says %s', r.minor, a.currency, coalesce(b.minor, 0))
		end
	from attempts a left join taken_back b on b.attempt = a.id left join recorded r on r.attempt_id = a.id
	where a.gateway = any(@gateways) and a.state = 'succeeded' and (b.attempt is not null or r.attempt_id is not null)`
