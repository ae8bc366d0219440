package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/store"
)

// An incremental audit runs the same checks over fewer rows. It finds the accounts of which something was committed since the
// watermark, and lets temporary views with the tables' names show only these. Whole accounts and organisations, because what a check
// compares belongs to one.

// touched fills the accounts to look at. A transaction that the last snapshot did not see has a number of at least its xmin, so nothing
// that commits late is missed. Notices change when they are sent, by times; the lag is far above any transaction's bound.
const touched = `
	insert into pg_temp.audit_touched (account_id)
	with hit as (
		select t.account_id from everywhere.journal_transactions t where t.xid >= @since
		union select e.account_id from everywhere.journal_transactions t join everywhere.journal_entries e on e.transaction_id = t.id where t.xid >= @since
		union select c.account_id from everywhere.case_events v join everywhere.cases c on c.id = v.case_id where v.xid >= @since
		union select a.account_id from everywhere.attempt_events v join everywhere.attempts a on a.id = v.attempt_id where v.xid >= @since
		union select l.account_id from everywhere.audit_log l where l.xid >= @since and l.account_id is not null
		union select a.account_id from everywhere.gateway_events v join everywhere.attempts a on a.id = v.attempt_id where v.xid >= @since
		union select a.account_id from everywhere.reversals v join everywhere.attempts a on a.id = v.attempt_id where v.xid >= @since
		union select n.account_id from everywhere.notices n where n.sent_at >= @since_at::timestamptz - @lag::interval),
	-- D4 counts per instrument, which accounts may share.
	sharing as (
		select account_id from hit
		union select o.account_id from hit join everywhere.payment_methods m on m.account_id = hit.account_id
			join everywhere.payment_methods o on o.fingerprint = m.fingerprint)
	select distinct o.id from sharing join everywhere.accounts a on a.id = sharing.account_id
	join everywhere.accounts o on o.id = coalesce(a.parent_id, a.id) or o.parent_id = coalesce(a.parent_id, a.id)
	where @since::bigint > 0`

// lag is how far sent_at may lie before the commit of its transaction, and before another machine's clock.
const lag = 10 * time.Minute

// scoped are the views, in an order in which each finds those that it needs.
var scoped = []struct{ table, where string }{
	{"accounts", "x.id in (select account_id from pg_temp.audit_touched)"},
	{"payment_methods", ofTouched},
	{"invoices", ofTouched},
	{"credits", ofTouched},
	{"deposits", ofTouched},
	{"credit_applications", "x.invoice_id in (select id from pg_temp.invoices)"},
	{"deposit_uses", "x.invoice_id in (select id from pg_temp.invoices)"},
	{"cases", ofTouched},
	{"case_events", "x.case_id in (select id from pg_temp.cases)"},
	{"resolutions", "x.case_id in (select id from pg_temp.cases)"},
	{"attempts", "x.invoice_id in (select id from pg_temp.invoices)"},
	{"attempt_events", "x.attempt_id in (select id from pg_temp.attempts)"},
	{"reversals", "x.attempt_id in (select id from pg_temp.attempts)"},
	{"notices", ofTouched},
	{"suspensions", ofTouched},
	{"standing_calls", ofTouched},
	// What is of no account is read again each time that something of it is new.
	{"audit_log", "x.account_id in (select account_id from pg_temp.audit_touched) or x.account_id is null and x.xid >= (select since from pg_temp.audit_since)"},
	{"journal_transactions", ofTouched},
	{"journal_entries", "x.transaction_id in (select id from pg_temp.journal_transactions)"},
	{"journal_links", ofTouched},
	{"journal_heads", ofTouched},
}

const ofTouched = "x.account_id in (select account_id from pg_temp.audit_touched)"

// prepareScope makes the views in the session, empty for now. It writes to nothing but the session's temporary schema.
func prepareScope(ctx context.Context, tx pgx.Tx, schema string) error {
	sql := &strings.Builder{}
	sql.WriteString(`create temporary table audit_touched (account_id text primary key); create temporary table audit_since (since bigint);`)
	for _, v := range scoped {
		fmt.Fprintf(sql, "create temporary view %[1]s as select x.* from %[2]s.%[1]s x where %[3]s;\n", v.table, schema, v.where)
	}
	if _, err := tx.Exec(ctx, sql.String()); err != nil {
		return fmt.Errorf("prepare an incremental audit: %w", err)
	}
	return nil
}

// watermark is up to where an invariant was found well.
type watermark struct {
	xid int64
	at  time.Time
}

// readWatermarks also finds the present one: whatever is not in this snapshot will have a number of at least xmin.
func (r *reader) readWatermarks(ctx context.Context) error {
	const present = `select pg_snapshot_xmin(pg_current_snapshot())::text::bigint, ` + store.AuditCounter
	if err := r.tx.QueryRow(ctx, present).Scan(&r.xmin, &r.counter); err != nil {
		return fmt.Errorf("read the snapshot: %w", err)
	}
	r.since = map[string]watermark{}
	if !r.opts.SinceLast {
		return nil
	}
	var id string
	var w watermark
	// A number from the future was counted by somebody else, whatever the counter's name says.
	rows, _ := r.tx.Query(ctx, `select invariant, xid, at from audit_watermarks where counter = $1 and xid <= $2`, r.counter, r.xmin)
	_, err := pgx.ForEachRow(rows, []any{&id, &w.xid, &w.at}, func() error { r.since[id] = w; return nil })
	if err != nil {
		return fmt.Errorf("read the watermarks: %w", err)
	}
	return nil
}

// look makes the tables show what a check is to look at: all, or the accounts touched since its watermark.
func (r *reader) look(ctx context.Context, c check) error {
	w, known := r.since[c.id]
	if !r.opts.SinceLast || !known || c.always {
		_, err := r.tx.Exec(ctx, "set local search_path = "+r.schema+", pg_temp")
		r.scopedTo = watermark{}
		return err
	}
	if r.filled != w {
		if _, err := r.tx.Exec(ctx, "delete from pg_temp.audit_touched; delete from pg_temp.audit_since"); err != nil {
			return err
		}
		args := pgx.NamedArgs{"since": w.xid, "since_at": w.at, "lag": lag}
		if _, err := r.tx.Exec(ctx, strings.ReplaceAll(touched, "everywhere.", r.schema+"."), args); err != nil {
			return fmt.Errorf("find what was touched: %w", err)
		}
		if _, err := r.tx.Exec(ctx, "insert into pg_temp.audit_since values ($1)", w.xid); err != nil {
			return err
		}
		if err := r.tx.QueryRow(ctx, "select count(*) from pg_temp.audit_touched").Scan(&r.accounts); err != nil {
			return err
		}
		r.filled = w
	}
	r.scopedTo = w
	_, err := r.tx.Exec(ctx, "set local search_path = pg_temp, "+r.schema)
	return err
}

// forget clears up what was left in the session; a session that can't be cleared is closed.
func forget(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "discard temp"); err != nil {
		_ = conn.Close(ctx)
	}
}
