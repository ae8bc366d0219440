package audit

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// reader is the snapshot that all checks look at.
type reader struct {
	tx       pgx.Tx
	opts     Options
	now      time.Time
	booksAt  time.Time // when the reading of books began, by Postgres' clock
	gateways []string  // those whose books were read
	schema   string    // where the tables are, quoted

	since    map[string]watermark // per invariant, in an incremental audit
	filled   watermark            // what the views show
	scopedTo watermark            // what the present check looks at; zero: everything
	accounts int64                // shown by the views
	xmin     int64                // this snapshot's own watermark
	counter  string               // who counted it
}

// finding collects what one check finds. After an error its methods do nothing: the check need not look at each.
type finding struct {
	*reader
	Invariant
	err error
}

// args are what the checks' SQL may name.
func (r *reader) args() pgx.NamedArgs {
	return pgx.NamedArgs{"now": r.now, "grace": r.opts.Grace, "skew": r.opts.Skew, "key_window": r.opts.KeyWindow,
		"schema": r.schema, "books_at": r.booksAt, "gateways": r.gateways}
}

// count adds to what was looked at: sql gives one number.
func (f *finding) count(ctx context.Context, what, sql string) {
	c := Count{What: what}
	f.each(ctx, "count "+what, sql, nil, []any{&c.N}, func() { f.Checked = append(f.Checked, c) })
}

// broken adds what is wrong: sql gives (id, says) of things of one kind; a row whose says is null is well. All are counted, few listed.
func (f *finding) broken(ctx context.Context, kind, sql string, more ...pgx.NamedArgs) {
	// Materialized: the planner takes nearly every row for broken and would plan for the order of the few that are listed.
	sql = `with broken as materialized (select b.id::text, b.says from (` + sql + `) b (id, says) where b.says is not null)
		select id, says, count(*) over () from broken order by id, says limit @max`
	b := Breach{Kind: kind}
	var all int64
	f.each(ctx, "look for a broken "+kind, sql, append(more, pgx.NamedArgs{"max": f.opts.MaxBreaches}), []any{&b.ID, &b.Says, &all}, func() { f.list(b) })
	f.Total += all
}

// each calls row for every row of sql's answer, scanned into the targets.
func (f *finding) each(ctx context.Context, what, sql string, more []pgx.NamedArgs, targets []any, row func()) {
	if f.err != nil {
		return
	}
	args := f.args()
	for _, m := range more {
		maps.Copy(args, m)
	}
	rows, _ := f.tx.Query(ctx, strings.ReplaceAll(sql, "everywhere.", f.schema+"."), args)
	if _, err := pgx.ForEachRow(rows, targets, func() error { row(); return nil }); err != nil {
		f.err = fmt.Errorf("%s: %w", what, err)
	}
}

// list keeps a breach if there is room; the caller counts it.
func (f *finding) list(b Breach) {
	if len(f.Breaches) < f.opts.MaxBreaches {
		f.Breaches = append(f.Breaches, b)
	}
}

func (f *finding) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// uniqueIndexes looks whether the indexes that guard an invariant are there and whole: without one, that nothing is broken yet is luck.
func (f *finding) uniqueIndexes(ctx context.Context, names ...string) {
	const sql = `select g.name, case
			when x.indexrelid is null then 'is missing'
			when not x.indisunique or not x.indisvalid then 'is not unique or not valid' end
		from unnest(@names::text[]) g (name) left join pg_index x on x.indexrelid = to_regclass(@schema || '.' || g.name)`
	f.broken(ctx, "index", sql, pgx.NamedArgs{"names": names})
}

// triggers looks whether the triggers that guard an invariant are there and fire, given as table and trigger in turn.
func (f *finding) triggers(ctx context.Context, guards ...[2]string) {
	var tables, names []string
	for _, g := range guards {
		tables, names = append(tables, g[0]), append(names, g[1])
	}
	const sql = `select g.name || ' on ' || g.tab, case
			when t.oid is null then 'is missing'
			when t.tgenabled not in ('O', 'A') then 'is disabled' end
		from unnest(@tables::text[], @names::text[]) g (tab, name)
		left join pg_trigger t on t.tgrelid = to_regclass(@schema || '.' || g.tab) and t.tgname = g.name`
	f.broken(ctx, "trigger", sql, pgx.NamedArgs{"tables": tables, "names": names})
}

// checkConstraints looks whether constraints that guard an invariant are there and hold for every row.
func (f *finding) checkConstraints(ctx context.Context, names ...string) {
	const sql = `select g.name, case when c.oid is null then 'is missing' when not c.convalidated then 'is not validated' end
		from unnest(@names::text[]) g (name)
		left join pg_constraint c on c.conname = g.name and c.contype = 'c' and c.connamespace = (
			select relnamespace from pg_class where oid = to_regclass(@schema || '.invoices'))`
	f.broken(ctx, "constraint", sql, pgx.NamedArgs{"names": names})
}
