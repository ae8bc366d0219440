package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// shippedBy and shippedWhy sign what a release brings along.
const (
	shippedBy  = "recoup"
	shippedWhy = "shipped with Recoup"
)

// StoredPolicy is one version of a policy as it was written.
type StoredPolicy struct {
	dunning.Policy
	Document string
	AddedAt  time.Time
	AddedBy  string
	Reason   string
	// Live counts the cases that follow it now.
	Live int
}

type policyKey struct {
	name    string
	version int
}

// querier is what reads: a transaction or the pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// policy returns a version, or with version 0 the newest; each is read from Postgres once, because it never changes. An unknown one is a
// refusal that lists what there is.
func (s *Store) policy(ctx context.Context, q querier, name string, version int) (dunning.Policy, error) {
	if p, ok := s.policies.Load(policyKey{name, version}); ok && version != 0 {
		return p.(dunning.Policy), nil //nolint:forcetypeassert // nothing else is stored
	}
	if version == 0 {
		var newest *int
		if err := q.QueryRow(ctx, `select max(version) from policies where name = $1`, name).Scan(&newest); err != nil {
			return dunning.Policy{}, fmt.Errorf("read policy %s: %w", name, err)
		}
		if newest == nil {
			return dunning.Policy{}, noPolicy(ctx, q, name, version)
		}
		return s.policy(ctx, q, name, *newest)
	}
	var document string
	err := q.QueryRow(ctx, `select document from policies where name = $1 and version = $2`, name, version).Scan(&document)
	if errors.Is(err, pgx.ErrNoRows) {
		return dunning.Policy{}, noPolicy(ctx, q, name, version)
	}
	if err != nil {
		return dunning.Policy{}, fmt.Errorf("read policy %s version %d: %w", name, version, err)
	}
	p, err := dunning.ParsePolicy([]byte(document))
	if err != nil {
		return dunning.Policy{}, fmt.Errorf("read policy %s version %d: %w", name, version, err)
	}
	s.policies.Store(policyKey{name, version}, p)
	return p, nil
}

// keptPolicy returns the version that a case keeps. That it is missing is nobody's mistake but ours, so it is no refusal.
func (s *Store) keptPolicy(ctx context.Context, q querier, c caseRow) (dunning.Policy, error) {
	p, err := s.policy(ctx, q, c.Policy, c.PolicyVersion)
	var missing *billing.Refusal
	if errors.As(err, &missing) {
		return p, errors.New(missing.Message)
	}
	return p, err
}

func noPolicy(ctx context.Context, q querier, name string, version int) error {
	const list = `select name || ' version ' || string_agg(version::text, ', ' order by version) from policies group by name order by name`
	rows, _ := q.Query(ctx, list)
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list policies: %w", err)
	}
	wanted := fmt.Sprintf("policy %q", name)
	if version != 0 {
		wanted += fmt.Sprintf(" version %d", version)
	}
	if len(there) == 0 {
		return billing.Refuse(billing.RefusedNotFound, "policy", "there is no %s, and no other either; run recoup migrate", wanted)
	}
	return billing.Refuse(billing.RefusedNotFound, "policy", "there is no %s; there are %s", wanted, strings.Join(there, "; "))
}

// PolicyOf returns a version of a policy, or with version 0 the newest.
func (s *Store) PolicyOf(ctx context.Context, name string, version int) (dunning.Policy, error) {
	return s.policy(ctx, s.pool, name, version)
}

const policyColumns = `p.document, p.added_at, p.added_by, p.reason,
	(select count(*)::int from cases c where c.finished_at is null and c.policy = p.name and c.policy_version = p.version)`

// storedPolicies reads what a query of policyColumns gives.
func storedPolicies(rows pgx.Rows) ([]StoredPolicy, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (StoredPolicy, error) {
		var p StoredPolicy
		if err := row.Scan(&p.Document, &p.AddedAt, &p.AddedBy, &p.Reason, &p.Live); err != nil {
			return p, err
		}
		var err error
		p.Policy, err = dunning.ParsePolicy([]byte(p.Document))
		return p, err
	})
}

// Policies returns every version of every policy, by name and version.
func (s *Store) Policies(ctx context.Context) ([]StoredPolicy, error) {
	rows, _ := s.pool.Query(ctx, `select `+policyColumns+` from policies p order by p.name, p.version`)
	all, err := storedPolicies(rows)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	return all, nil
}

// FindPolicy returns one version as it was written, or with version 0 the newest.
func (s *Store) FindPolicy(ctx context.Context, name string, version int) (StoredPolicy, error) {
	const query = `select ` + policyColumns + ` from policies p where p.name = $1 and ($2 = 0 or p.version = $2) order by p.version desc limit 1`
	rows, _ := s.pool.Query(ctx, query, name, version)
	found, err := storedPolicies(rows)
	if err != nil {
		return StoredPolicy{}, fmt.Errorf("read policy %s: %w", name, err)
	}
	if len(found) == 0 {
		return StoredPolicy{}, noPolicy(ctx, s.pool, name, version)
	}
	return found[0], nil
}

// CheckPolicy reads a document and says whether it could be added: as a new policy, as the next version, or as one that is there already.
// dunning.PolicyProblems lists what is wrong with the document itself; a billing.Refusal says what its version must be.
func (s *Store) CheckPolicy(ctx context.Context, document []byte) (p dunning.Policy, there bool, err error) {
	if p, err = dunning.ParsePolicy(document); err != nil {
		return p, false, err
	}
	there, err = s.nextVersion(ctx, s.pool, p)
	return p, there, err
}

// nextVersion refuses a version that is neither the next one nor there already with the same content.
func (s *Store) nextVersion(ctx context.Context, q querier, p dunning.Policy) (there bool, err error) {
	var newest int
	if err := q.QueryRow(ctx, `select coalesce(max(version), 0) from policies where name = $1`, p.Name).Scan(&newest); err != nil {
		return false, fmt.Errorf("read policy %s: %w", p.Name, err)
	}
	if p.Version == newest+1 {
		return false, nil
	}
	if p.Version > newest {
		return false, billing.Refuse(billing.RefusedConflict, "version", "%d leaves a gap: the next version of %s is %d", p.Version, p.Name, newest+1)
	}
	was, err := s.policy(ctx, q, p.Name, p.Version)
	if err != nil {
		return false, err
	}
	if was.Same(p) {
		return true, nil
	}
	return false, billing.Refuse(billing.RefusedConflict, "version", "%s version %d is there already and is never changed (%s); the next version is %d",
		p.Name, p.Version, differences(was, p), newest+1)
}

func differences(was, is dunning.Policy) string {
	var parts []string
	for _, c := range dunning.Diff(was, is) {
		parts = append(parts, c.Field+" "+c.Says)
	}
	return strings.Join(parts, "; ")
}

// AddPolicy stores the next version of a policy, or the first of a new one, under a person's signature. The same content again changes
// nothing and is not fresh. New cases of accounts that follow the policy without naming a version take it from then on; live ones keep
// theirs.
func (s *Store) AddPolicy(ctx context.Context, document []byte, o Order) (p dunning.Policy, fresh bool, err error) {
	if err := o.check(); err != nil {
		return p, false, err
	}
	if p, err = dunning.ParsePolicy(document); err != nil {
		return p, false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		fresh = false
		if err := lockPolicies(ctx, tx); err != nil {
			return err
		}
		there, err := s.nextVersion(ctx, tx, p)
		if err != nil || there {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		if err := insertPolicy(ctx, tx, p, string(document), o.Actor, o.Reason, &now); err != nil {
			return err
		}
		fresh = true
		return logOrder(ctx, tx, now, "policy_added", o, nil, map[string]any{"policy": p.Name, "version": p.Version})
	})
	if err != nil {
		return p, false, fmt.Errorf("add policy %s version %d: %w", p.Name, p.Version, err)
	}
	return p, fresh, nil
}

func insertPolicy(ctx context.Context, tx pgx.Tx, p dunning.Policy, document, by, why string, at *time.Time) error {
	const insert = `insert into policies (name, version, document, added_at, added_by, reason) values ($1, $2, $3, coalesce($4, clock_timestamp()), $5, $6)`
	_, err := tx.Exec(ctx, insert, p.Name, p.Version, document, at, by, why)
	return err
}

// lockPolicies orders changes of policies and of the rules that choose them: there are few, so one lock does for all.
func lockPolicies(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('recoup policies'))`)
	return err
}

// shipPolicies puts the policies that this release brings into the database, once. A version that is there with other content is an
// error that names both, because neither may be changed: somebody wrote one of their own under the number.
func shipPolicies(ctx context.Context, conn *pgx.Conn, files []dunning.ShippedPolicy) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := lockPolicies(ctx, tx); err != nil {
			return err
		}
		for _, f := range files {
			var document string
			err := tx.QueryRow(ctx, `select document from policies where name = $1 and version = $2`, f.Name, f.Version).Scan(&document)
			if errors.Is(err, pgx.ErrNoRows) {
				if err := insertPolicy(ctx, tx, f.Policy, f.Document, shippedBy, shippedWhy, nil); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			stored, err := dunning.ParsePolicy([]byte(document))
			if err != nil {
				return fmt.Errorf("policy %s version %d in the database: %w", f.Name, f.Version, err)
			}
			if !stored.Same(f.Policy) {
				return fmt.Errorf("%s of this release is not the %s version %d in the database (%s): versions are never changed, "+
					"so this release cannot be used with this database", f.File, f.Name, f.Version, differences(stored, f.Policy))
			}
		}
		return nil
	})
}
