package audit

import "context"

// I8: suspending an account that should not be is the worst this product can do, so the guarded statement's evidence is kept and looked
// at again with what is known now.
var suspensionsWereDue = check{
	id: "I8", says: "a suspension had every reason S2 asks for",
	next: "reinstate the account (recoup case resolve), tell the customer, then look at the case's timeline",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "suspensions for unpaid invoices", `select count(*) from suspensions where cause = 'unpaid'`)
		f.broken(ctx, "suspension", suspendedWithoutReason)
	},
}

// suspendedWithoutReason: due above the minimum, deadline passed, no open attempt, no hold, both required notices delivered: by mail
// where a mail was written, else in the console. Of holds only the case's present one is known here.
const suspendedWithoutReason = `select s.id, case
		when c.id is null then format('of account %s names no case', s.account_id)
		when jsonb_typeof(s.evidence #> '{due,minor}') is distinct from 'number' or jsonb_typeof(s.evidence -> 'minimum_minor') is distinct from 'number'
			or coalesce(s.evidence ->> 'deadline', '') !~ '^\d{4}-\d\d-\d\dT' then format('of account %s keeps no evidence', s.account_id)
		when (s.evidence #>> '{due,minor}')::numeric < greatest((s.evidence ->> 'minimum_minor')::numeric, 1)
			then format('of account %s for %s, below the minimum of %s', s.account_id, s.evidence #>> '{due,minor}', s.evidence ->> 'minimum_minor')
		when (s.evidence ->> 'deadline')::timestamptz > s.suspended_at
			then format('of account %s at %s, before the deadline of %s', s.account_id, s.suspended_at, s.evidence ->> 'deadline')
		when o.attempt is not null then format('of account %s while attempt %s was open', s.account_id, o.attempt)
		when c.held_since < s.suspended_at and c.held_until > s.suspended_at then format('of account %s while case %s was held', s.account_id, c.id)
		when p.request is not null then format('of account %s while payment was promised (%s)', s.account_id, p.request)
		when d.request is not null then format('of account %s while the invoice was disputed (%s)', s.account_id, d.request)
		when a.never_suspend_since < s.suspended_at and a.never_suspend_until > s.suspended_at
			then format('of account %s, which a person keeps from being suspended until %s', s.account_id, a.never_suspend_until)
		when n.missing is not null then format('of account %s though %s was not delivered for case %s', s.account_id, n.missing, c.id)
		end
	from suspensions s
	join accounts a on a.id = s.account_id
	left join cases c on c.id = s.case_id
	left join lateral (
		select min(v.request_id) as request from promises v where v.invoice_id = c.invoice_id
		   and v.made_at < s.suspended_at and least(v.stops_until, coalesce(v.ended_at, v.stops_until)) > s.suspended_at) p on true
	left join lateral (
		select min(v.request_id) as request from disputes v where v.invoice_id = c.invoice_id
		   and v.opened_at < s.suspended_at and (v.ended_at is null or v.ended_at > s.suspended_at)) d on true
	left join lateral (
		select min(t.id::text) as attempt from attempts t
		 where t.case_id = c.id and t.created_at <= s.suspended_at and (t.ended_at is null or t.ended_at > s.suspended_at)) o on true
	left join lateral (
		select min(k.kind) as missing from (values ('final_notice'), ('suspension_scheduled')) k (kind)
		 where not exists (
			select 1 from notices n where n.case_id = c.id and n.kind = k.kind and n.state = 'sent' and n.sent_at <= s.suspended_at
			   and (n.channel = 'email' or not exists (
					select 1 from notices e where e.case_id = c.id and e.kind = k.kind and e.channel = 'email')))) n on true
	where s.cause = 'unpaid'`

// I9: and one that has been paid for must not stay.
var suspensionsAreLifted = check{
	id: "I9", says: "one active suspension per account and cause, lifted after payment, and the standing says the same",
	next: "recoup case show the account's cases; reinstate it if nothing blocks it any more",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "suspensions", `select count(*) from suspensions`)
		f.count(ctx, "active", `select count(*) from suspensions where lifted_at is null`)
		f.broken(ctx, "account", suspendedTwice)
		f.broken(ctx, "suspension", suspensionsLeftBehind)
		f.broken(ctx, "account", standingsVersusSuspensions)
		f.uniqueIndexes(ctx, "suspensions_one_active")
	},
}

const suspendedTwice = `select account_id, format('has %s active suspensions for %s: %s', count(*), cause, string_agg(id::text, ', ' order by id))
	from suspensions where lifted_at is null group by account_id, cause having count(*) > 1`

// suspensionsLeftBehind: what blocks is an open invoice whose case reached suspended (S1). A closed account is not reinstated. The
// call of the hook is written with the suspension (S3).
const suspensionsLeftBehind = `select s.id, case
		when s.cause = 'unpaid' and s.lifted_at is null and a.standing <> 'closed' and not exists (
			select 1 from cases c join invoices i on i.id = c.invoice_id
			 where c.account_id = s.account_id and c.stage = 'suspended' and i.state = 'open')
			then format('of account %s is active, but no unpaid invoice blocks it', s.account_id)
		when s.lifted_generation <= s.suspended_generation or s.lifted_at < s.suspended_at
			then format('of account %s was lifted before it began (generation %s, then %s)', s.account_id, s.suspended_generation, s.lifted_generation)
		when k.account_id is null then format('of account %s has no call of the hook for generation %s', s.account_id, s.suspended_generation)
		end
	from suspensions s join accounts a on a.id = s.account_id
	left join standing_calls k on k.account_id = s.account_id and k.generation = s.suspended_generation and k.standing = 'suspended'`

const standingsVersusSuspensions = `select a.id, case
		when a.standing = 'suspended' and s.active is null then 'is suspended without an active suspension'
		when a.standing = 'active' and s.active > 0 then format('is active with %s active suspension(s)', s.active)
		when a.generation < s.generation then format('is of generation %s, a suspension of its is of %s', a.generation, s.generation)
		end
	from accounts a left join (
		select account_id, nullif(count(*) filter (where lifted_at is null), 0) as active,
		       max(greatest(suspended_generation, coalesce(lifted_generation, 0))) as generation
		  from suspensions group by 1) s on s.account_id = a.id
	where a.standing <> 'active' or s.account_id is not null`
