package workflows_test

import (
	"context"
	"fmt"
	"time"

	"recoup/audit/model"
)

// observed reads the facts of a case in the model's words.
const observed = `
	with mine as (select id, episode from cases where account_id = $1),
	calls as (select c.episode, a.*, substr(a.method_id, length($1) + 2) as method from attempts a join mine c on c.id = a.case_id)
	select at, episode || ': ' || what from (
		select e.at, c.episode, 'stage ' || case e.kind when 'opened' then 'collecting' when 'finished' then 'finished' else e.data ->> 'to' end as what
		  from case_events e join mine c on c.id = e.case_id where e.kind in ('opened', 'stage', 'finished')
		union all select e.at, c.episode, 'account ' || (e.data ->> 'standing') from case_events e join mine c on c.id = e.case_id where e.kind = 'standing'
		union all select r.began_at, c.episode, 'round ' || r.number from rounds r join mine c on c.id = r.case_id
		union all select created_at, episode, 'charge ' || method || ', round ' || round from calls
		union all select ended_at, episode, 'attempt on ' || method || ' ' || replace(state, '_', ' ') from calls where ended_at is not null
		union all select n.send_after, c.episode, 'notice ' || n.kind from notices n join mine c on c.id = n.case_id where n.channel = 'email'
		union all select t.opened_at, c.episode, 'task ' || t.kind from tasks t join mine c on c.id = t.case_id where t.kind not in ('gateway_refuses_us', 'our_outage')
		-- One task a day for all cases (D1).
		union all select a.ended_at, a.episode, 'task gateway_refuses_us' from calls a where a.class = 'our_config'
			and exists (select 1 from tasks where key = 'gateway_refuses_us/stripe/' || to_char(a.ended_at at time zone 'UTC', 'YYYY-MM-DD'))
	) facts order by 1, 2`

// outcome reads what became of a case.
func (p *simulated) outcome() model.Outcome {
	out := model.Outcome{Paid: map[string]model.Minor{}, Finished: p.live() == ""}
	type fact struct {
		at   time.Time
		what string
	}
	rows, err := p.store.Pool().Query(context.Background(), observed, p.id)
	p.check(err)
	for err == nil && rows.Next() {
		var f fact
		p.check(rows.Scan(&f.at, &f.what))
		out.Timeline = append(out.Timeline, model.Entry{At: f.at, What: f.what})
	}
	p.people(&out)
	out.Stages = list[string](p, `select case e.kind when 'opened' then 'collecting' when 'finished' then 'finished' else e.data ->> 'to' end
		from case_events e where e.kind in ('opened', 'stage', 'finished')
		and e.case_id = (select id from cases where account_id = $1 order by episode desc limit 1) order by e.id`, p.id)
	for source, query := range map[string]string{
		"credit": `select coalesce(sum(amount_minor), 0)::bigint from credit_applications where invoice_id = $1 and reversed_at is null`,
		"funds":  `select coalesce(sum(amount_minor), 0)::bigint from deposit_uses where invoice_id = $1`,
		"method": receivedBy + `t.key like 'receipt%'`,
		"other":  receivedBy + `t.key like 'paid_out_of_band/%'`,
	} {
		if minor := ask[int64](p, query, p.id); minor != 0 {
			out.Paid[source] = model.Minor(minor)
		}
	}
	out.Unapplied = model.Minor(ask[int64](p, `select coalesce(-sum(amount_minor), 0)::bigint from journal_entries where account_id = $1 and ledger_kind = 'unapplied_funds'`, p.id))
	out.Standing = ask[string](p, `select standing from accounts where id = $1`, p.id)
	return out
}

const receivedBy = `select coalesce(-sum(e.amount_minor), 0)::bigint from journal_transactions t join journal_entries e on e.transaction_id = t.id
	where e.invoice_id = $1 and e.ledger_kind = 'receivable' and `

// people adds what people were told: a request that was not recorded was refused.
func (p *simulated) people(out *model.Outcome) {
	for n, h := range p.Happenings {
		request, ok := p.asked[n]
		if !ok {
			continue
		}
		episode, at, told := 0, h.At, "refused"
		rows, err := p.store.Pool().Query(context.Background(), `select c.episode, r.decided_at from resolutions r join cases c on c.id = r.case_id where r.request_id = $1`, request)
		p.check(err)
		for err == nil && rows.Next() {
			told = "done"
			p.check(rows.Scan(&episode, &at))
		}
		if told == "refused" {
			episode = ask[int](p, `select max(episode) from cases where account_id = $1 and opened_at <= $2`, p.id, h.At)
		}
		out.Timeline = append(out.Timeline, model.Entry{At: at, What: fmt.Sprintf("%d: %s %s", episode, h.Do, told)})
	}
}

// differences compares what happened with what the rules say.
func (p *simulated) differences() (all []string, want, got model.Outcome) {
	want, got = model.Play(p.Case), p.outcome()
	all = append(all, p.troubles...)
	all = append(all, model.Differences(want.Timeline, got.Timeline)...)
	for what, pair := range map[string][2]any{
		"the invoice was paid with": {want.Paid, got.Paid}, "unapplied": {want.Unapplied, got.Unapplied}, "the account is": {want.Standing, got.Standing},
		"the stages were": {want.Stages, got.Stages}, "finished": {want.Finished, got.Finished},
	} {
		if w, g := fmt.Sprint(pair[0]), fmt.Sprint(pair[1]); w != g {
			all = append(all, fmt.Sprintf("%s %s, the rules want %s", what, g, w))
		}
	}
	return all, want, got
}
