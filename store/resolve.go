package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
)

// Resolve records what a person decided and carries it out, in one transaction (R1): validated, audited, idempotent by request id (R2).
// The workflow is then told to re-read; nothing is lost when it does not run.
func (s *Store) Resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	if err := r.Check(); err != nil {
		return billing.ResolutionAnswer{}, err
	}
	r.RequestID = keptUnder(r)
	var answer billing.ResolutionAnswer
	err := s.withCase(ctx, r.Case, func(e *episode) error {
		first, err := e.firstAnswer(ctx, r)
		if err != nil {
			return err
		}
		if first != nil {
			answer = *first
			return nil
		}
		answer, err = e.resolve(ctx, r)
		return err
	})
	if err == nil {
		boundary.At(boundary.AfterResolve, r.Case)
	}
	return answer, err
}

// firstAnswer returns the stored answer of a request id; another content under the same id is refused.
func (e *episode) firstAnswer(ctx context.Context, r billing.Resolution) (*billing.ResolutionAnswer, error) {
	var fields, stored []byte
	// The account's lock does not keep apart two requests of one id for cases of different accounts.
	if _, err := e.tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('recoup resolution ' || $1, 0))`, r.RequestID); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	err := e.tx.QueryRow(ctx, `select fields, answer from resolutions where request_id = $1`, r.RequestID).Scan(&fields, &stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	var before billing.Resolution
	var answer billing.ResolutionAnswer
	if err := errors.Join(json.Unmarshal(fields, &before), json.Unmarshal(stored, &answer)); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	a, errA := json.Marshal(before)
	b, errB := json.Marshal(r)
	if err := errors.Join(errA, errB); err != nil {
		return nil, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	if string(a) != string(b) {
		return nil, billing.Refuse(billing.RefusedConflict, "request_id", "%s was used for another decision", r.RequestID)
	}
	answer.Repeated = true
	return &answer, nil
}

func (e *episode) resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	answer := billing.ResolutionAnswer{RequestID: r.RequestID}
	var err error
	switch r.Kind {
	case billing.PaidOutOfBand:
		answer.Changed, err = e.paidOutOfBand(ctx, r)
	case billing.RetryNow:
		answer.Changed, err = e.retryNow(ctx, r)
	case billing.Hold:
		answer.Changed, err = e.hold(ctx, r)
	case billing.Release:
		answer.Changed, err = e.release(ctx)
	case billing.ResolveUnknown:
		answer.Changed, err = e.resolveUnknown(ctx, r)
	}
	if err != nil {
		return answer, err
	}
	if err := e.event(ctx, "resolution", map[string]any{"kind": r.Kind, "actor": r.Actor, "reason": r.Reason, "changed": answer.Changed}); err != nil {
		return answer, err
	}
	step, err := e.advance(ctx)
	if err != nil {
		return answer, err
	}
	answer.Next = describe(step)
	fields, errF := json.Marshal(r)
	stored, errS := json.Marshal(answer)
	if err := errors.Join(errF, errS); err != nil {
		return answer, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	const insert = `with decided as (
			insert into resolutions (request_id, kind, case_id, invoice_id, actor, reason, fields, answer, decided_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9))
		insert into audit_log (at, actor, act, reason, request_id, account_id, invoice_id, case_id, after)
		values ($9, $5, $2, $6, $1, $10, $4, $3, $8)`
	if _, err := e.tx.Exec(ctx, insert, r.RequestID, string(r.Kind), e.row.ID, e.invoice.ID, r.Actor, r.Reason, fields, stored, e.now,
		e.account.ID); err != nil {
		return answer, fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	return answer, poke(ctx, e.tx, e.row.ID, string(r.Kind))
}

func describe(s dunning.Step) string {
	switch {
	case s.Do == dunning.DoFinish:
		return "the case is finished: the invoice is " + string(s.Outcome)
	case s.Do == dunning.DoCharge:
		return "a charge of " + s.Due.String() + " on " + s.Masked
	case s.Do == dunning.DoWait && s.At.IsZero():
		return "waiting for " + s.Why
	case s.Do == dunning.DoWait:
		return "waiting for " + s.Why + ", " + s.At.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return string(s.Do)
}

// retryNow asks for one round at once; refused with the reason when it may not be (D4: people's attempts count too).
func (e *episode) retryNow(ctx context.Context, r billing.Resolution) (string, error) {
	f, err := e.facts(ctx)
	if err != nil {
		return "", err
	}
	switch {
	case f.State != billing.InvoiceOpen:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the invoice is %s", f.State)
	case f.Attempt != nil:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "an attempt on %s is still open: waiting for %s", f.Attempt.Method.Masked, f.Attempt.Waiting)
	case f.Parked != "":
		return e.unpark(ctx, r.Actor)
	case f.Open != nil:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "round %d is running now", f.Open.Number)
	case len(f.HeldScopes) > 0 && f.HeldUntil.After(e.now):
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is held until %s: release it first", f.HeldUntil.Format(time.RFC3339))
	}
	methods, err := readMethods(ctx, e.tx, e.account.ID, e.now, budgetFor{invoice: e.invoice.ID})
	if err != nil {
		return "", err
	}
	var earliest time.Time
	usable := 0
	for _, m := range methods {
		if r.Method != "" && m.ID != r.Method {
			continue
		}
		switch m.Skip(e.now, f.Due.Currency()) {
		case billing.SkipNone:
			usable++
		case billing.SkipAdvice:
			if earliest.IsZero() || m.RetryNotBefore.Before(earliest) {
				earliest = m.RetryNotBefore
			}
		}
	}
	switch {
	case usable == 0 && !earliest.IsZero():
		return "", billing.Refuse(billing.RefusedNotNow, "method", "the network asks to wait until %s", earliest.UTC().Format(time.RFC3339))
	case usable == 0:
		return "", billing.Refuse(billing.RefusedNotNow, "method", "no usable payment method: one must be added, replaced or enabled first")
	}
	e.row.Wake = dunning.WakePerson
	e.row.WakeMethod, e.row.RoundDeferredUntil = r.Method, nil
	if _, err := e.tx.Exec(ctx, `update cases set wake = 'person', wake_method = $2, round_deferred_until = null where id = $1`, e.row.ID, r.Method); err != nil {
		return "", fmt.Errorf("retry now case %s: %w", e.row.ID, err)
	}
	return "one round at once", nil
}
