package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// PolicyMoveAnswer is what came of having a case follow another policy.
type PolicyMoveAnswer struct {
	Case        billing.CaseID `json:"case"`
	FromPolicy  string         `json:"from_policy"`
	FromVersion int            `json:"from_version"`
	ToPolicy    string         `json:"to_policy"`
	ToVersion   int            `json:"to_version"`
	// Move has the changed dates.
	Move dunning.Move `json:"move"`
	// Unchanged: it followed that version already, and nothing was recorded. Repeated: the request id was carried out before.
	Unchanged bool `json:"unchanged,omitempty"`
	Repeated  bool `json:"-"`
}

// PreviewMovePolicy says what would change if a case followed a version of a policy (0: the newest) from now on; Move.Refused says why
// it may not. It changes nothing.
func (s *Store) PreviewMovePolicy(ctx context.Context, id billing.CaseID, name string, version int) (PolicyMoveAnswer, error) {
	var answer PolicyMoveAnswer
	err := s.withCase(ctx, id, func(e *episode) error {
		to, err := s.policy(ctx, e.tx, name, version)
		if err != nil {
			return err
		}
		answer, err = e.previewMove(to)
		return err
	})
	if err != nil {
		return PolicyMoveAnswer{}, fmt.Errorf("preview the move of case %s to policy %s: %w", id, name, err)
	}
	return answer, nil
}

func (e *episode) previewMove(to dunning.Policy) (PolicyMoveAnswer, error) {
	answer := PolicyMoveAnswer{Case: e.row.ID, FromPolicy: e.row.Policy, FromVersion: e.row.PolicyVersion, ToPolicy: to.Name, ToVersion: to.Version}
	answer.Unchanged = to.Name == e.row.Policy && to.Version == e.row.PolicyVersion
	var err error
	answer.Move, err = dunning.PreviewMove(dunning.MoveFrom{
		Now: e.now, Policy: e.policy, Stage: e.row.Stage, Start: e.row.ClockStartedAt, Shift: time.Duration(e.row.ClockShiftSeconds) * time.Second,
		Zone: e.account.TimeZone, Invoice: e.invoice.ID, ScheduledRounds: e.row.ScheduledRounds, DeferredUntil: orZero(e.row.RoundDeferredUntil),
	}, to)
	return answer, err
}

var requestIDShape = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,128}$`)

// MoveCasePolicy has a live case follow a version of a policy (0: the newest) from now on, under a person's signature. What is due now
// under the old one is done first. It is refused when it would take time from the customer that a notice gives (dunning.PreviewMove).
// The same request id returns the first answer (R2); the workflow is told to re-read.
func (s *Store) MoveCasePolicy(ctx context.Context, id billing.CaseID, name string, version int, o Order) (PolicyMoveAnswer, error) {
	if err := o.check(); err != nil {
		return PolicyMoveAnswer{}, err
	}
	if !requestIDShape.MatchString(o.RequestID) {
		return PolicyMoveAnswer{}, billing.Refuse(billing.RefusedInvalid, "request_id", "must be 1 to 128 letters, digits, \".\", \"_\", \":\", \"/\" or \"-\"")
	}
	var answer PolicyMoveAnswer
	err := s.withCase(ctx, id, func(e *episode) error {
		var err error
		answer, err = e.moveOnce(ctx, name, version, o)
		return err
	})
	if err != nil {
		return PolicyMoveAnswer{}, fmt.Errorf("move case %s to policy %s: %w", id, name, err)
	}
	return answer, nil
}

// moveOnce moves the case, or returns the first answer of the request id.
func (e *episode) moveOnce(ctx context.Context, name string, version int, o Order) (PolicyMoveAnswer, error) {
	first, err := e.firstMove(ctx, name, version, o)
	switch {
	case err != nil:
		return PolicyMoveAnswer{}, err
	case first != nil:
		return *first, nil
	}
	to, err := e.s.policy(ctx, e.tx, name, version)
	if err != nil {
		return PolicyMoveAnswer{}, err
	}
	return e.movePolicy(ctx, to, o)
}

// firstMove returns the stored answer of a request id; another case or policy under the same id is refused.
func (e *episode) firstMove(ctx context.Context, name string, version int, o Order) (*PolicyMoveAnswer, error) {
	if _, err := e.tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('recoup policy move ' || $1, 0))`, o.RequestID); err != nil {
		return nil, err
	}
	var stored []byte
	err := e.tx.QueryRow(ctx, `select answer from policy_moves where request_id = $1`, o.RequestID).Scan(&stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var answer PolicyMoveAnswer
	if err := json.Unmarshal(stored, &answer); err != nil {
		return nil, err
	}
	if answer.Case != e.row.ID || answer.ToPolicy != name || version != 0 && answer.ToVersion != version {
		return nil, billing.Refuse(billing.RefusedConflict, "request_id", "%s was used for another move", o.RequestID)
	}
	answer.Repeated = true
	return &answer, nil
}

func (e *episode) movePolicy(ctx context.Context, to dunning.Policy, o Order) (PolicyMoveAnswer, error) {
	if e.row.FinishedAt == nil && (to.Name != e.row.Policy || to.Version != e.row.PolicyVersion) {
		// A round that is due begins by the policy that made it due.
		if _, err := e.advance(ctx); err != nil {
			return PolicyMoveAnswer{}, err
		}
	}
	answer, err := e.previewMove(to)
	switch {
	case err != nil || answer.Unchanged && answer.Move.Refused == "":
		return answer, err
	case answer.Move.Refused != "":
		return answer, billing.Refuse(billing.RefusedNotNow, "policy", "case %s may not move to %s version %d: %s", e.row.ID, to.Name, to.Version, answer.Move.Refused)
	}
	const update = `update cases set policy = $2, policy_version = $3, scheduled_rounds = $4 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, to.Name, to.Version, answer.Move.ScheduledRounds); err != nil {
		return answer, err
	}
	e.policy, e.row.Policy, e.row.PolicyVersion, e.row.ScheduledRounds = to, to.Name, to.Version, answer.Move.ScheduledRounds
	from := map[string]any{"policy": answer.FromPolicy, "version": answer.FromVersion}
	after := map[string]any{"policy": to.Name, "version": to.Version}
	if err := e.event(ctx, "policy_moved", map[string]any{"from": from, "to": after, "actor": o.Actor, "reason": o.Reason}); err != nil {
		return answer, err
	}
	if _, err := e.advance(ctx); err != nil {
		return answer, err
	}
	stored, err := json.Marshal(answer)
	if err != nil {
		return answer, err
	}
	const insert = `with moved as (
			insert into policy_moves (request_id, case_id, from_policy, from_version, to_policy, to_version, actor, reason, answer, moved_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
		insert into audit_log (at, actor, act, reason, request_id, account_id, invoice_id, case_id, before, after)
		values ($10, $7, 'policy_moved', $8, $1, $11, $12, $2, $13, $14)`
	if _, err := e.tx.Exec(ctx, insert, o.RequestID, e.row.ID, answer.FromPolicy, answer.FromVersion, to.Name, to.Version, o.Actor, o.Reason,
		stored, e.now, e.account.ID, e.invoice.ID, from, after); err != nil {
		return answer, err
	}
	return answer, poke(ctx, e.tx, e.row.ID, "policy moved")
}
