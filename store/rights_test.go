package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// appendOnlyTables are those in which the application may only add (I15).
var appendOnlyTables = []string{"journal_transactions", "journal_entries", "journal_links", "journal_checkpoints", "attempt_events", "case_events",
	"audit_log", "gateway_events", "reversals", "resolutions", "imports", "invoice_lines", "contacts"}

// TestEveryTableHasItsRights: what nobody decided about is out of the application's reach, and fails here.
func TestEveryTableHasItsRights(t *testing.T) {
	w := newWorld(t)
	const query = `select c.relname, has_table_privilege($1, c.oid, 'select') as may_read,
			has_table_privilege($1, c.oid, 'update') or has_any_column_privilege($1, c.oid, 'update') as may_update,
			has_table_privilege($1, c.oid, 'delete') as may_delete,
			has_table_privilege($1, c.oid, 'truncate') or has_table_privilege($1, c.oid, 'trigger') or has_table_privilege($1, c.oid, 'references') as may_more,
			has_any_column_privilege($1, c.oid, 'insert') as may_insert
		from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') order by 1`
	type table struct {
		Name                                         string
		Select, Update, Delete, MoreThanRows, Insert bool
	}
	rows, _ := w.owner.Query(t.Context(), query, appRole)
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		t.Fatal(err)
	}
	queues := []string{"pokes", "charging_stops", "reversal_checks"}
	byOwnerOnly := []string{"journal_links", "journal_heads", "goose_db_version"}
	for _, r := range tables {
		only := slices.Contains(byOwnerOnly, r.Name)
		switch {
		case !r.Select:
			t.Errorf("%s: the application may not read it: give it a line in rights (store/rights.go)", r.Name)
		case r.MoreThanRows:
			t.Errorf("%s: the application may truncate it, hang triggers on it or refer to it", r.Name)
		case r.Update && r.Name != "resolutions" && (only || slices.Contains(appendOnlyTables, r.Name)): // of those two columns only, see below
			t.Errorf("%s: the application may update it", r.Name)
		case r.Delete != slices.Contains(queues, r.Name):
			t.Errorf("%s: the application may delete: %v", r.Name, r.Delete)
		case r.Insert == only:
			t.Errorf("%s: the application may insert: %v", r.Name, r.Insert)
		}
	}
}

// TestI15TheApplicationCanNotChangeWhatWasWritten tries every way there is, on a database with rows, as a session of the role itself.
func TestI15TheApplicationCanNotChangeWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	app, err := pgx.Connect(t.Context(), strings.Replace(w.Pool().Config().ConnString(), "pool_", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close(context.Background()) })
	refused := func(sql string) {
		t.Helper()
		_, err := app.Exec(t.Context(), sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "42501" {
			t.Errorf("%s: %v, want it refused for want of rights", sql, err)
		}
	}
	for _, table := range appendOnlyTables {
		column := scan[string](w, `select attname::text from pg_attribute where attrelid = $1::regclass and attnum = 2`, table)
		// This one only warns.
		if _, err := app.Exec(t.Context(), "grant all on "+table+" to "+appRole); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			"update $ set " + column + " = " + column, "delete from $", "truncate $", "truncate $ cascade", "drop table $", "drop table $ cascade",
			"alter table $ disable trigger all", "alter table $ add column mine text", "alter table $ rename to mine", "alter table $ owner to " + appRole,
			"create trigger mine before insert on $ for each row execute function suppress_redundant_updates_trigger()",
			"create rule mine as on insert to $ do instead nothing",
			"alter table $ enable row level security",
		} {
			refused(strings.ReplaceAll(sql, "$", table))
		}
	}
	for _, table := range []string{"journal_transactions", "journal_entries", "attempt_events", "case_events", "audit_log", "gateway_events", "reversals"} {
		refused("drop trigger " + table + "_append_only on " + table)
		refused("alter table " + table + " disable trigger " + table + "_append_only")
	}
	for _, sql := range []string{
		"set session_replication_role = replica", "create function refuse_change() returns trigger language plpgsql as 'begin return null; end'",
		"create or replace function refuse_change() returns trigger language plpgsql as 'begin return null; end'", "drop function refuse_change cascade",
		"create table mine ()", "insert into journal_links (account_id, position, transaction_id, hash) values ('acme', 9, 1, '')",
		"update journal_heads set length = 0", "insert into journal_heads values ('x', 0, '')",
		"insert into case_events (case_id, kind, xid) values ('inv-1', 'hidden', 1)", "select journal_chain(t) from journal_transactions t",
		"delete from attempts", "delete from invoices", "truncate invoices", "update goose_db_version set is_applied = false",
		"create role mine superuser", "alter role " + appRole + " superuser",
	} {
		refused(sql)
	}
	if got := scan[int64](w, `select count(*) from journal_links`); got != 2 {
		t.Errorf("%d links, want those of the invoice and its receipt", got)
	}
}

func TestATemporaryTableDoesNotCatchTheChain(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	conn, err := w.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range []string{"create temp table journal_heads (account_id text, length bigint, hash bytea)",
		"create temp table journal_links (account_id text, position bigint, transaction_id bigint, hash bytea)", "begin",
		"insert into journal_transactions (kind, key, account_id) values ('correction', 'c/1', 'acme')", "commit", "discard temp"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if got := scan[int64](w, `select count(*) from journal_links`); got != 1 {
		t.Errorf("%d links in the chain, want 1", got)
	}
}

func TestGrantAppRefusesARoleThatRightsDoNotBind(t *testing.T) {
	database := pgtest.New(t)
	ctx := context.Background()
	if err := store.GrantApp(ctx, database, "postgres_nobody", ""); err == nil || !strings.Contains(err.Error(), "create role") {
		t.Errorf("a missing role without a password: %v", err)
	}
	config, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.GrantApp(ctx, database, config.User, ""); err == nil || !strings.Contains(err.Error(), "do not bind") {
		t.Errorf("the owner itself: %v", err)
	}
	for range 2 { // again is harmless
		if err := store.GrantApp(ctx, database, appRole, "another"); err != nil {
			t.Error(err)
		}
	}
	s, err := store.Open(ctx, asApp(t, database)) // the password stays
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
