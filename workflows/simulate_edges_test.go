package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// edge is a change of state that a case, an attempt, an overlay or an account can make.
type edge struct{ of, from, to string }

// everyEdge lists the edges of the published state machines (I14), of the overlays (rules.md §0) and of the account's standing (S1).
func everyEdge() []edge {
	all := []edge{{"stage", "", string(dunning.StageCollecting)}, {"attempt", "", string(billing.AttemptIntent)}}
	for _, a := range dunning.Stages() {
		for _, b := range dunning.Stages() {
			if a.CanBecome(b) {
				all = append(all, edge{"stage", string(a), string(b)})
			}
		}
	}
	states := []billing.AttemptState{billing.AttemptIntent, billing.AttemptSent, billing.AttemptSucceeded, billing.AttemptDeclined,
		billing.AttemptActionRequired, billing.AttemptPending, billing.AttemptUnknown, billing.AttemptNotSent}
	for _, a := range states {
		for _, b := range states {
			if a.CanBecome(b) {
				all = append(all, edge{"attempt", string(a), string(b)})
			}
		}
	}
	for _, overlay := range []string{"awaiting_settlement", "awaiting_customer", "outcome_unknown"} {
		all = append(all, edge{"overlay", overlay, "entered"}, edge{"overlay", overlay, "left"})
	}
	for _, way := range []string{"entered", "extended", "released", "ran out"} {
		all = append(all, edge{"overlay", "held", way})
	}
	return append(all, edge{"account", "active", "suspended"}, edge{"account", "suspended", "active"}, edge{"account", "suspended", "closed"},
		edge{"case", "finished", "reopened"})
}

// edgesHit counts the changes that a database's records tell of.
const edgesHit = `
	with stages as (
		select case kind when 'opened' then '' else data ->> 'from' end as a,
		       case kind when 'opened' then 'collecting' when 'finished' then 'finished' else data ->> 'to' end as b
		  from case_events where kind in ('opened', 'stage', 'finished')),
	overlays (state, name) as (values ('pending', 'awaiting_settlement'), ('action_required', 'awaiting_customer'), ('unknown', 'outcome_unknown')),
	holds as (select r.*, (r.fields ->> 'until')::timestamptz as until, exists (select 1 from resolutions b where b.case_id = r.case_id and b.kind = 'hold'
			and b.decided_at < r.decided_at and (b.fields ->> 'until')::timestamptz > r.decided_at and not exists (select 1 from resolutions x
				where x.case_id = b.case_id and x.kind = 'release' and x.decided_at between b.decided_at and r.decided_at)) as extends
		from resolutions r where r.kind = 'hold'),
	standings as (select account_id, e.data ->> 'standing' as b, lag(e.data ->> 'standing', 1, 'active') over (partition by account_id order by e.id) as a
		from case_events e join cases c on c.id = e.case_id where e.kind = 'standing')
	select 'stage', a, b, count(*) from stages group by 1, 2, 3
	union all select 'attempt', from_state, to_state, count(*) from attempt_events group by 1, 2, 3
	union all select 'overlay', name, 'entered', count(*) from attempt_events join overlays on to_state = state and from_state <> state group by 1, 2, 3
	union all select 'overlay', name, 'left', count(*) from attempt_events join overlays on from_state = state and to_state <> state group by 1, 2, 3
	union all select 'overlay', 'held', case when extends then 'extended' else 'entered' end, count(*) from holds group by 1, 2, 3
	union all select 'overlay', 'held', 'released', count(*) from resolutions where kind = 'release' group by 1, 2, 3
	union all select 'overlay', 'held', 'ran out', count(*) from holds h join cases c on c.id = h.case_id where c.finished_at > h.until
		and not exists (select 1 from resolutions r where r.case_id = h.case_id and r.kind in ('hold', 'release') and r.decided_at > h.decided_at
			and r.decided_at < h.until) group by 1, 2, 3
	union all select 'account', a, b, count(*) from standings group by 1, 2, 3
	union all select 'case', 'finished', 'reopened', count(*) from cases where reopens is not null group by 1, 2, 3`

// edges counts the edges that the cases of these databases went along.
func edges(t *testing.T, stores []*store.Store) map[edge]int {
	hit := map[edge]int{}
	for _, s := range stores {
		rows, err := s.Pool().Query(context.Background(), edgesHit)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var e edge
			var n int
			if err := rows.Scan(&e.of, &e.from, &e.to, &n); err != nil {
				t.Fatal(err)
			}
			hit[e] += n
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return hit
}

// edgesAll is the number of cases from which on an edge that none of them went along is a failure.
const edgesAll = 1000

// tabulate prints every edge with how often it was hit, and returns how many were.
func tabulate(t *testing.T, hit map[edge]int, cases int) (were, all int) {
	var out strings.Builder
	var never []string
	for _, e := range everyEdge() {
		all++
		fmt.Fprintf(&out, "  %-8s %-22s %-22s %8d\n", e.of, e.from, e.to, hit[e])
		if hit[e] > 0 {
			were++
		} else {
			never = append(never, fmt.Sprintf("%s %s → %s", e.of, e.from, e.to))
		}
	}
	if cases >= edgesAll && len(never) > 0 {
		t.Errorf("no case of %d went along %s", cases, strings.Join(never, ", "))
	}
	if testing.Verbose() {
		t.Logf("edges\n%s", out.String())
	}
	return were, all
}

// TestEveryEdgeIsNamed keeps the table from losing a state machine.
func TestEveryEdgeIsNamed(t *testing.T) {
	all := everyEdge()
	for _, want := range []edge{{"stage", "suspended", "finished"}, {"attempt", "unknown", "intent"}, {"attempt", "pending", "declined"}} {
		if !slices.Contains(all, want) {
			t.Errorf("%v is missing", want)
		}
	}
	if slices.Contains(all, edge{"stage", "retrying", "collecting"}) || slices.Contains(all, edge{"attempt", "declined", "succeeded"}) {
		t.Error("there are edges that the state machines don't have")
	}
}
