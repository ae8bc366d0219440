package audit

import (
	"context"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// I3: two instructions at once could take the same amount twice (PM3, PM4).
var oneOpenAttempt = check{
	id: "I3", says: "at most one open attempt per invoice at every instant",
	next: "stop the workers; look both attempts up at the gateway before anything else is sent",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "attempts", `select count(*) from attempts`)
		f.count(ctx, "open now", `select count(*) from attempts where state in `+openStates)
		f.broken(ctx, "invoice", openTwice)
		f.broken(ctx, "attempt", openedBesideAnother)
		f.uniqueIndexes(ctx, "attempts_one_open_per_invoice")
	},
}

const openTwice = `select invoice_id, format('has %s open attempts: %s', count(*), string_agg(id::text, ', ' order by id))
	from attempts where state in ` + openStates + ` group by invoice_id having count(*) > 1`

// openedBesideAnother looks at the past. The events of one invoice are written under its account's lock, so their ids tell the order
// without trusting any clock: an attempt must not begin before every earlier one of its invoice has ended.
const openedBesideAnother = `with life as (
		select a.id, a.invoice_id, min(v.id) as opened,
		       coalesce(min(v.id) filter (where v.to_state in ` + finalStates + ` and v.from_state <> v.to_state), 9223372036854775807) as ended
		  from attempts a join attempt_events v on v.attempt_id = a.id group by a.id, a.invoice_id),
	ordered as (
		select *, max(ended) over earlier as earlier_ended from life
		window earlier as (partition by invoice_id order by opened rows between unbounded preceding and 1 preceding))
	select id, case when earlier_ended > opened then format('was opened while another attempt of invoice %s was open', invoice_id) end
	from ordered`

// I12: the networks' budgets are per payment method over all invoices, those of banks per invoice (D4). What counts is what may have
// reached the gateway.
var budgetsKept = check{
	id: "I12", says: "attempts stay within the networks' budgets (D4)",
	next: "the networks may charge a fee: stop retries of the method (disable it) and find out why it was not skipped",
	run: func(ctx context.Context, f *finding) {
		limits := pgx.NamedArgs{"visa_30d": billing.VisaAttemptsIn30d, "mastercard_24h": billing.MastercardAttemptsIn24h,
			"mastercard_30d": billing.MastercardAttemptsIn30d, "bank_180d": billing.BankPresentments}
		f.count(ctx, "attempts sent", `select count(*) from attempts where first_sent_at is not null and state <> 'not_sent'`)
		f.broken(ctx, "payment method", cardsOverBudget, limits)
		f.broken(ctx, "invoice", banksOverBudget, limits)
		f.broken(ctx, "attempt", presentedAgain)
	},
}

// cardsOverBudget slides both windows over the attempts on each instrument, whatever accounts have it; it is named by its first method.
// A window is open at its far end, as where methods are chosen: an attempt exactly 30 days old counts no more. Brands without a
// published budget keep Visa's (D3).
const cardsOverBudget = `with sent as (
		select m.fingerprint, m.id as method_id, m.brand, a.first_sent_at as at
		  from attempts a join payment_methods m on m.id = a.method_id and m.kind = 'card'
		 where a.first_sent_at is not null and a.state <> 'not_sent'),
	windows as (
		select fingerprint, method_id, brand,
		       count(*) over (partition by fingerprint order by at range between interval '24 hours' - interval '1 microsecond' preceding and current row) as in_24h,
		       count(*) over (partition by fingerprint order by at range between interval '30 days' - interval '1 microsecond' preceding and current row) as in_30d
		  from sent),
	most as (select fingerprint, min(method_id) as method_id, min(brand) as brand, max(in_24h) as in_24h, max(in_30d) as in_30d from windows group by 1)
	select method_id, case
		when brand = 'mastercard' and in_24h > @mastercard_24h then format('%s attempts in 24 hours, at most %s', in_24h, @mastercard_24h::int)
		when brand = 'mastercard' and in_30d > @mastercard_30d then format('%s attempts in 30 days, at most %s', in_30d, @mastercard_30d::int)
		when brand <> 'mastercard' and in_30d > @visa_30d then format('%s attempts in 30 days, at most %s', in_30d, @visa_30d::int)
		end from most`

const banksOverBudget = `with windows as (
		select a.invoice_id, m.kind,
		       count(*) over (partition by a.invoice_id, m.kind order by a.first_sent_at range between interval '180 days' - interval '1 microsecond' preceding and current row) as in_180d,
		       count(*) over (partition by a.invoice_id, m.kind order by a.first_sent_at) as ever
		  from attempts a join payment_methods m on m.id = a.method_id and m.kind in ('us_bank_account', 'sepa_debit')
		 where a.first_sent_at is not null and a.state <> 'not_sent'),
	most as (select invoice_id, kind, max(case kind when 'us_bank_account' then in_180d else ever end) as n from windows group by 1, 2)
	select invoice_id, case when n > @bank_180d then format('%s presentments by %s, at most %s', n, kind, @bank_180d::int) end from most`

// presentedAgain: a debit on the same bank account for the same invoice follows only an answer that allows it (D4).
const presentedAgain = `with debits as (
		select a.id, m.kind, a.first_sent_at as at, lag(a.id) over w as before,
		       upper(lag(case when a.state <> 'declined' then a.state when a.network_code <> '' then a.network_code else a.decline_code end) over w) as said
		  from attempts a join payment_methods m on m.id = a.method_id and m.kind in ('us_bank_account', 'sepa_debit')
		 where a.first_sent_at is not null and a.state <> 'not_sent'
		window w as (partition by a.invoice_id, m.fingerprint order by a.first_sent_at, a.created_at, a.id))
	select id, case when before is not null
		and not (said = any(case kind when 'us_bank_account' then array['R01', 'R09', 'INSUFFICIENT_FUNDS'] else array['AM04', 'MS03', 'INSUFFICIENT_FUNDS'] end))
		then format('debits the bank account again after attempt %s ended with %s', before, said) end
	from debits`

// I13: after its window a key no longer returns the first answer: sending it again would charge again (U1).
var keysInWindow = check{
	id: "I13", says: "nothing is sent after its key's window",
	next: "look the attempt up at the gateway: it may have been charged twice",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "sends", `select count(*) from attempt_events where to_state = 'sent'`)
		f.broken(ctx, "attempt", sentTooLate)
	},
}

const sentTooLate = `with sends as (select attempt_id, min(at) as first, max(at) as last, count(*) as n from attempt_events where to_state = 'sent' group by 1)
	select a.id, case
		when s.last > least(s.first, a.first_sent_at) + @key_window::interval
			then format('was sent again at %s, %s after its first send', s.last, s.last - least(s.first, a.first_sent_at))
		when a.sends > s.n then format('counts %s sends, its events tell of %s', a.sends, s.n)
		end
	from sends s join attempts a on a.id = s.attempt_id`
