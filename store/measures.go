package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Measure is one number about the whole database: a gauge as it is, or how many things happened since the last measuring.
type Measure struct {
	Name   string // "cases_live"
	Labels [3]string
	Value  float64
}

// Measures is what dashboards and alerts watch.
type Measures struct {
	Gauges []Measure
	Counts []Measure
	// Upto is where the next measuring of counts begins: a transaction number below which everything is decided.
	Upto int64
}

// Measure reads the gauges, and counts what was committed since: transactions numbered from since up to those still open, so that each is counted
// exactly once however late it commits. since 0 counts nothing. Every query reads an index that holds live rows or new ones only.
func (s *Store) Measure(ctx context.Context, since int64) (Measures, error) {
	var m Measures
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").Scan(&m.Upto); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, gauges)
		var err error
		if m.Gauges, err = pgx.CollectRows(rows, measured); err != nil || since == 0 {
			return err
		}
		rows, _ = tx.Query(ctx, happened, since, m.Upto)
		m.Counts, err = pgx.CollectRows(rows, measured)
		return err
	})
	if err != nil {
		return Measures{}, fmt.Errorf("measure: %w", err)
	}
	return m, nil
}

func measured(row pgx.CollectableRow) (m Measure, err error) {
	err = row.Scan(&m.Name, &m.Labels[0], &m.Labels[1], &m.Labels[2], &m.Value)
	return m, err
}

const gauges = `
	select 'cases_live', stage, '', '', count(*)::float8 from cases where finished_at is null group by stage
	union all select 'attempts_open', gateway, state, '', count(*) from attempts
		where state in ('intent', 'sent', 'action_required', 'pending', 'unknown') group by 2, 3
	union all select 'tasks_open', kind, '', '', count(*) from tasks where closed_at is null group by kind
	union all select 'notices_waiting', case when tries > 0 then 'again' else 'first' end, '', '', count(*) from notices where state in ('queued', 'sending') group by 2
	union all select 'charging_stopped', gateway, '', '', 1 from charging_stops
	union all select 'suspensions_stopped', '', '', '', case when stopped_since is null then 0 else 1 end from suspension_breaker
	union all select 'outbox_oldest_seconds', q.outbox, '', '', coalesce(extract(epoch from now() - q.at), 0)::float8 from (
		select 'notices' as outbox, min(send_after) as at from notices where state in ('queued', 'sending') and send_after <= now()
		union all select 'standing_calls', min(send_after) from standing_calls where accepted_at is null and send_after <= now()
		union all select 'pokes', min(not_before) from pokes where not_before <= now()
		union all select 'reversal_checks', min(not_before) from reversal_checks where not_before <= now()) q`

// happened counts by the numbers of transactions. A class is that of the attempt as it is now.
const happened = `
	select 'attempts', a.gateway, v.to_state, a.class, count(*)::float8 from attempt_events v join attempts a on a.id = v.attempt_id
		where v.xid >= $1 and v.xid < $2 and v.from_state <> v.to_state and v.to_state not in ('intent', 'sent') group by 2, 3, 4
	union all select 'journal_transactions', kind, '', '', count(*) from journal_transactions where xid >= $1 and xid < $2 group by kind
	union all select 'gateway_events', gateway, about, '', count(*) from gateway_events where xid >= $1 and xid < $2 group by 2, 3`
