package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// right is what the application's role may do with a table beyond reading it.
type right string

const (
	readOnly right = "select"                 // written by the owner's functions only
	appends  right = "select, insert"         // what was written stays
	keeps    right = "select, insert, update" // facts with a state
	// moves: what was written stays, but for where it stands and what it did
	moves  right = "select, insert, update (state), update (effect)"
	queues right = "select, insert, update, delete" // forgotten when done
)

// rights are all tables. One that is not here is out of the application's reach, and a test fails: whoever adds a table decides.
var rights = map[string]right{
	"accounts": keeps, "contacts": appends, "payment_methods": keeps, "method_changes": appends,
	"invoices": keeps, "invoice_lines": appends, "imports": appends,
	"credits": keeps, "credit_applications": keeps, "deposits": keeps, "deposit_uses": keeps,
	"journal_transactions": appends, "journal_entries": appends, "journal_links": readOnly, "journal_heads": readOnly,
	"journal_checkpoints": appends, "audit_watermarks": keeps,
	"cases": keeps, "rounds": keeps, "round_methods": keeps, "attempts": keeps, "attempt_events": appends, "case_events": appends,
	"gateway_events": appends, "reversals": appends, "reversal_checks": queues,
	"notices": keeps, "standing_calls": keeps, "suspensions": keeps, "resolutions": moves, "promises": keeps, "disputes": keeps, "tasks": keeps, "audit_log": appends,
	"pokes": queues, "charging_stops": queues, "suspension_breaker": keeps,
	"sessions": keeps, "api_tokens": keeps, "portal_links": keeps,
	"policies": appends, "policy_assignments": keeps, "policy_moves": appends,
	"batches": keeps, "batch_items": keeps,
	"goose_db_version": readOnly,
}

// ours are columns that only their defaults may fill: who could choose them could hide a row from an incremental audit.
var ours = []string{"xid"}

// GrantApp gives the application's role exactly its rights (I15): append-only tables can't be changed by it, whatever it runs. It runs as
// the owner after every Migrate, so that new tables are covered. A role that does not exist is made, with the password, if one is given;
// an existing role's password stays. Running it again is harmless.
func GrantApp(ctx context.Context, ownerURL, role, password string) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("grant rights to %s: connect: %w", role, err)
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext('recoup migrate'))"); err != nil {
			return err
		}
		if err := ensureRole(ctx, tx, role, password); err != nil {
			return err
		}
		return grant(ctx, tx, pgx.Identifier{role}.Sanitize())
	})
	if err != nil {
		return fmt.Errorf("grant rights to %s: %w", role, err)
	}
	return nil
}

// ensureRole makes the role when it is missing, and refuses one that rights can't bind.
func ensureRole(ctx context.Context, tx pgx.Tx, role, password string) error {
	// Roles belong to the whole server: another database's migration may make it at this moment.
	const create = `do $$ begin execute format('create role %%I login password %%L', %s, %s);
		exception when duplicate_object or unique_violation then null; end $$`
	const look = `select rolsuper or rolbypassrls or rolcreaterole or pg_has_role(oid, current_user, 'member') from pg_roles where rolname = $1`
	var unbound bool
	err := tx.QueryRow(ctx, look, role).Scan(&unbound)
	if errors.Is(err, pgx.ErrNoRows) {
		if password == "" {
			return fmt.Errorf("there is no such role: make it with `create role %s login password '…'`, or set RECOUP_APP_PASSWORD",
				pgx.Identifier{role}.Sanitize())
		}
		if _, err := tx.Exec(ctx, fmt.Sprintf(create, literal(role), literal(password))); err != nil {
			return fmt.Errorf("make the role: %w", err)
		}
		err = tx.QueryRow(ctx, look, role).Scan(&unbound)
	}
	if err == nil && unbound {
		return errors.New("it is a superuser, the owner or a member of it, or may make roles: rights do not bind it. Name another role")
	}
	return err
}

// literal quotes a string for SQL that takes no parameters.
func literal(s string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + `'`
}

// grant takes everything away and gives what rights say, at once for everybody else.
func grant(ctx context.Context, tx pgx.Tx, role string) error {
	var name string
	if err := tx.QueryRow(ctx, "select current_schema()").Scan(&name); err != nil {
		return err
	}
	in := pgx.Identifier{name}.Sanitize()
	statements := []string{
		"revoke create on schema " + in + " from public",
		"revoke all on schema " + in + " from " + role,
		"grant usage on schema " + in + " to " + role,
		"revoke all on all tables in schema " + in + " from " + role,
		"revoke all on all sequences in schema " + in + " from " + role,
		"grant usage on all sequences in schema " + in + " to " + role,
	}
	for _, table := range slices.Sorted(maps.Keys(rights)) {
		columns, err := insertable(ctx, tx, name, table)
		if err != nil {
			return err
		}
		for _, what := range strings.Split(string(rights[table]), ", ") {
			if what == "insert" {
				what += " (" + columns + ")"
			}
			statements = append(statements, "grant "+what+" on "+pgx.Identifier{name, table}.Sanitize()+" to "+role)
		}
	}
	_, err := tx.Exec(ctx, strings.Join(statements, ";\n"))
	return err
}

// insertable lists the columns that the application may fill.
func insertable(ctx context.Context, tx pgx.Tx, schema, table string) (string, error) {
	const query = `select coalesce(string_agg(quote_ident(attname), ', ' order by attnum), '') from pg_attribute
		where attrelid = to_regclass(quote_ident($1) || '.' || quote_ident($2)) and attnum > 0 and not attisdropped and attgenerated = ''
		  and not attname = any($3)`
	var columns string
	if err := tx.QueryRow(ctx, query, schema, table, ours).Scan(&columns); err != nil {
		return "", err
	}
	if columns == "" {
		return "", fmt.Errorf("there is no table %s: migrate first", table)
	}
	return columns, nil
}
