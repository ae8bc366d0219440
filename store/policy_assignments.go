package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// AssignmentView is a rule in force with who made it.
type AssignmentView struct {
	dunning.Assignment
	CreatedAt time.Time
	CreatedBy string
	Reason    string
}

const assignmentColumns = `r.id, r.account_id, r.priority, r.currency, r.country, r.plan, r.from_minor, r.below_minor, r.policy, r.policy_version,
	r.created_at, r.created_by, r.reason`

func assignment(row pgx.CollectableRow) (AssignmentView, error) {
	var a AssignmentView
	var account, currency, country, plan *string
	var priority, version *int
	err := row.Scan(&a.ID, &account, &priority, &currency, &country, &plan, &a.From, &a.Below, &a.Policy, &version, &a.CreatedAt, &a.CreatedBy, &a.Reason)
	a.Account, a.Currency, a.Country, a.Plan = billing.AccountID(zeroIfNil(account)), zeroIfNil(currency), zeroIfNil(country), zeroIfNil(plan)
	a.Priority, a.Version = zeroIfNil(priority), zeroIfNil(version)
	return a, err
}

func zeroIfNil[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func nilIfZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// readAssignments reads the rules in force that can matter to an account; account "" gives all of them.
func readAssignments(ctx context.Context, q querier, account billing.AccountID) ([]dunning.Assignment, error) {
	const query = `select ` + assignmentColumns + ` from policy_assignments r
		where r.ended_at is null and (r.account_id is null or $1 = '' or r.account_id = $1) order by r.priority nulls first, r.account_id`
	rows, _ := q.Query(ctx, query, account)
	views, err := pgx.CollectRows(rows, assignment)
	if err != nil {
		return nil, fmt.Errorf("read assignments of policies: %w", err)
	}
	rules := make([]dunning.Assignment, len(views))
	for i, v := range views {
		rules[i] = v.Assignment
	}
	return rules, nil
}

// Assignments returns the rules in force: those for accounts, then those for segments in the order they are asked.
func (s *Store) Assignments(ctx context.Context) ([]AssignmentView, error) {
	const query = `select ` + assignmentColumns + ` from policy_assignments r where r.ended_at is null order by r.priority nulls first, r.account_id`
	rows, _ := s.pool.Query(ctx, query)
	views, err := pgx.CollectRows(rows, assignment)
	if err != nil {
		return nil, fmt.Errorf("list assignments of policies: %w", err)
	}
	return views, nil
}

// subjectOf reads what rules look at for one invoice.
func subjectOf(ctx context.Context, q querier, invoice billing.Invoice) (dunning.PolicySubject, error) {
	s := dunning.PolicySubject{Account: invoice.AccountID, Total: invoice.Total}
	err := q.QueryRow(ctx, `select policy, country, plan from accounts where id = $1`, invoice.AccountID).Scan(&s.Own, &s.Country, &s.Plan)
	if err != nil {
		return s, fmt.Errorf("read account %s: %w", invoice.AccountID, err)
	}
	return s, nil
}

// choosePolicy answers which policy a case of the invoice opened now follows, by the rules in force in this transaction.
func (s *Store) choosePolicy(ctx context.Context, q querier, invoice billing.Invoice) (dunning.Policy, dunning.PolicyChoice, error) {
	subject, err := subjectOf(ctx, q, invoice)
	if err != nil {
		return dunning.Policy{}, dunning.PolicyChoice{}, err
	}
	rules, err := readAssignments(ctx, q, invoice.AccountID)
	if err != nil {
		return dunning.Policy{}, dunning.PolicyChoice{}, err
	}
	choice := dunning.Choose(rules, subject)
	policy, err := s.policy(ctx, q, choice.Policy, choice.Version)
	if err != nil {
		return policy, choice, fmt.Errorf("invoice %s should follow policy %s (%s): %w", invoice.ID, choice.Policy, choice.Because, err)
	}
	choice.Version = policy.Version
	return policy, choice, nil
}

// accountPolicy is the policy that bounds decisions about an account as a whole: by its own rule, its import, or a rule that looks at no
// invoice.
func (s *Store) accountPolicy(ctx context.Context, q querier, id billing.AccountID) (dunning.Policy, error) {
	policy, _, err := s.choosePolicy(ctx, q, billing.Invoice{AccountID: id})
	return policy, err
}

// AssignPolicy puts a rule in force under a person's signature: new cases follow it, live ones keep their policy. A rule for an account
// ends the one before; a priority that is taken is refused. The same rule again changes nothing and is not fresh.
func (s *Store) AssignPolicy(ctx context.Context, r dunning.Assignment, o Order) (rule dunning.Assignment, fresh bool, err error) {
	if err := errors.Join(o.check(), r.Check()); err != nil {
		return r, false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		rule, fresh, err = s.assign(ctx, tx, r, o)
		return err
	})
	if err != nil {
		return r, false, fmt.Errorf("assign policy %s: %w", r.Policy, err)
	}
	return rule, fresh, nil
}

func (s *Store) assign(ctx context.Context, tx pgx.Tx, r dunning.Assignment, o Order) (dunning.Assignment, bool, error) {
	if err := lockPolicies(ctx, tx); err != nil {
		return r, false, err
	}
	if _, err := s.policy(ctx, tx, r.Policy, r.Version); err != nil {
		return r, false, err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return r, false, err
	}
	var there bool
	if r.Account != "" {
		if err := tx.QueryRow(ctx, `select exists (select 1 from accounts where id = $1)`, r.Account).Scan(&there); err != nil {
			return r, false, err
		}
		if !there {
			return r, false, billing.Refuse(billing.RefusedNotFound, "account", "there is no account %s", r.Account)
		}
	}
	const taken = `select ` + assignmentColumns + ` from policy_assignments r where r.ended_at is null and (r.account_id = $1 or r.priority = $2)`
	rows, _ := tx.Query(ctx, taken, nilIfZero(string(r.Account)), nilIfZero(r.Priority))
	before, err := pgx.CollectRows(rows, assignment)
	if err != nil {
		return r, false, err
	}
	for _, b := range before {
		switch {
		case sameRule(b.Assignment, r):
			return b.Assignment, false, nil
		case r.Account == "":
			return r, false, billing.Refuse(billing.RefusedConflict, "priority", "%d is taken by rule %d (%s → %s): end that one first or choose another",
				r.Priority, b.ID, b.Says(), b.Policy)
		}
		if err := endRule(ctx, tx, b, o, now); err != nil {
			return r, false, err
		}
	}
	const insert = `insert into policy_assignments (account_id, priority, currency, country, plan, from_minor, below_minor, policy, policy_version,
		created_at, created_by, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id`
	if err := tx.QueryRow(ctx, insert, nilIfZero(string(r.Account)), nilIfZero(r.Priority), nilIfZero(r.Currency), nilIfZero(r.Country),
		nilIfZero(r.Plan), r.From, r.Below, r.Policy, nilIfZero(r.Version), now, o.Actor, o.Reason).Scan(&r.ID); err != nil {
		return r, false, err
	}
	return r, true, logPolicyRule(ctx, tx, now, "policy_assigned", r.Account, o, nil, r)
}

func sameRule(a, b dunning.Assignment) bool {
	equal := func(x, y *int64) bool { return (x == nil) == (y == nil) && (x == nil || *x == *y) }
	return a.Account == b.Account && a.Priority == b.Priority && a.Currency == b.Currency && a.Country == b.Country && a.Plan == b.Plan &&
		equal(a.From, b.From) && equal(a.Below, b.Below) && a.Policy == b.Policy && a.Version == b.Version
}

func endRule(ctx context.Context, tx pgx.Tx, r AssignmentView, o Order, now time.Time) error {
	const update = `update policy_assignments set ended_at = $2, ended_by = $3, ended_why = $4 where id = $1`
	if _, err := tx.Exec(ctx, update, r.ID, now, o.Actor, o.Reason); err != nil {
		return err
	}
	return logPolicyRule(ctx, tx, now, "policy_unassigned", r.Account, o, r.Assignment, nil)
}

func logPolicyRule(ctx context.Context, tx pgx.Tx, now time.Time, act string, account billing.AccountID, o Order, before, after any) error {
	const insert = `insert into audit_log (at, actor, act, reason, request_id, account_id, before, after) values ($1, $2, $3, $4, $5, $6, $7, $8)`
	_, err := tx.Exec(ctx, insert, now, o.Actor, act, o.Reason, o.RequestID, nilIfZero(string(account)), before, after)
	return err
}

// EndAssignment takes a rule out of force. It reports false when it was not in force any more.
func (s *Store) EndAssignment(ctx context.Context, id int64, o Order) (ended bool, err error) {
	if err := o.check(); err != nil {
		return false, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		ended = false
		if err := lockPolicies(ctx, tx); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select `+assignmentColumns+` from policy_assignments r where r.id = $1`, id)
		rule, err := pgx.CollectExactlyOneRow(rows, assignment)
		if errors.Is(err, pgx.ErrNoRows) {
			return billing.Refuse(billing.RefusedNotFound, "rule", "there is no rule %d", id)
		}
		if err != nil {
			return err
		}
		var over bool
		if err := tx.QueryRow(ctx, `select ended_at is not null from policy_assignments where id = $1`, id).Scan(&over); err != nil || over {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		ended = true
		return endRule(ctx, tx, rule, o, now)
	})
	if err != nil {
		return false, fmt.Errorf("end rule %d: %w", id, err)
	}
	return ended, nil
}
