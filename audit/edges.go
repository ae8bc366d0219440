package audit

import (
	"context"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// I14: what happened is compared with the published state machines themselves (billing.AttemptState, dunning.Stage), not with a copy.
var changesAreEdges = check{
	id: "I14", says: "every state change is an edge of the published state machine",
	next: "the row was changed past the store, or the state machine changed without a new version: look at its events",
	run: func(ctx context.Context, f *finding) {
		f.count(ctx, "attempt events", `select count(*) from attempt_events`)
		f.broken(ctx, "attempt", attemptsOffTheEdges, attemptEdges())
		f.broken(ctx, "attempt", attemptsVersusEvents)
		f.count(ctx, "stage changes", `select count(*) from case_events where kind in ('opened', 'stage', 'finished')`)
		f.broken(ctx, "case", stagesOffTheEdges, stageEdges())
		f.broken(ctx, "case", casesVersusEvents)
	},
}

// edges are two lists of equal length, for SQL's unnest.
func edges(from, to []string) pgx.NamedArgs { return pgx.NamedArgs{"from": from, "to": to} }

// attemptEdges lists the edges of an attempt: it begins as an intent; sending the same key again is no change (U1); what is heard late
// of a final attempt leaves it as it is (U4).
func attemptEdges() pgx.NamedArgs {
	all := []billing.AttemptState{billing.AttemptIntent, billing.AttemptSent, billing.AttemptSucceeded, billing.AttemptDeclined,
		billing.AttemptActionRequired, billing.AttemptPending, billing.AttemptUnknown, billing.AttemptNotSent}
	from, to := []string{""}, []string{string(billing.AttemptIntent)}
	for _, a := range all {
		for _, b := range all {
			if a.CanBecome(b) || a == b && (a == billing.AttemptSent || a.Final()) {
				from, to = append(from, string(a)), append(to, string(b))
			}
		}
	}
	return edges(from, to)
}

func stageEdges() pgx.NamedArgs {
	from, to := []string{""}, []string{string(dunning.StageCollecting)}
	for _, a := range dunning.Stages() {
		for _, b := range dunning.Stages() {
			if a.CanBecome(b) {
				from, to = append(from, string(a)), append(to, string(b))
			}
		}
	}
	return edges(from, to)
}

// attemptsOffTheEdges: each event goes on where the one before ended, along an edge.
const attemptsOffTheEdges = `with steps as (
		select attempt_id, from_state, to_state, lag(to_state, 1, '') over (partition by attempt_id order by id) as before from attempt_events)
	select s.attempt_id, case
		when s.from_state <> s.before then format('goes from %L to %L, but was %L', s.from_state, s.to_state, s.before)
		when e.a is null then format('goes from %L to %L, which is no edge', s.from_state, s.to_state)
		end
	from steps s left join unnest(@from::text[], @to::text[]) e (a, b) on e.a = s.from_state and e.b = s.to_state`

const attemptsVersusEvents = `with last as (select distinct on (attempt_id) attempt_id, to_state from attempt_events order by attempt_id, id desc)
	select a.id, case
		when l.to_state is null then format('is %s without any event', a.state)
		when l.to_state <> a.state then format('is %s, its events end in %s', a.state, l.to_state)
		end
	from attempts a left join last l on l.attempt_id = a.id`

// stageSteps reads the timeline: a case opens as collecting, then each event names both ends.
const stageSteps = `steps as (
		select id, case_id, case kind when 'opened' then '' else coalesce(data ->> 'from', '?') end as from_stage,
		       case kind when 'opened' then 'collecting' when 'finished' then 'finished' else coalesce(data ->> 'to', '?') end as to_stage
		  from case_events where kind in ('opened', 'stage', 'finished'))`

const stagesOffTheEdges = `with ` + stageSteps + `,
	ordered as (select *, lag(to_stage, 1, '') over (partition by case_id order by id) as before from steps)
	select s.case_id, case
		when s.from_stage <> s.before then format('goes from %L to %L, but was %L', s.from_stage, s.to_stage, s.before)
		when e.a is null then format('goes from %L to %L, which is no edge', s.from_stage, s.to_stage)
		end
	from ordered s left join unnest(@from::text[], @to::text[]) e (a, b) on e.a = s.from_stage and e.b = s.to_stage`

const casesVersusEvents = `with ` + stageSteps + `,
	last as (select distinct on (case_id) case_id, to_stage from steps order by case_id, id desc)
	select c.id, case
		when l.to_stage is null then format('is in %s without any event', c.stage)
		when l.to_stage <> c.stage then format('is in %s, its events end in %s', c.stage, l.to_stage)
		end
	from cases c left join last l on l.case_id = c.id`
