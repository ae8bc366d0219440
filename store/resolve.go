package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
)

// Resolve records what a person decided about a case or an account and carries it out, in one transaction (R1): validated, audited,
// idempotent by request id (R2). The workflows are then told to re-read; nothing is lost when they do not run.
func (s *Store) Resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	if err := r.Check(); err != nil {
		return billing.ResolutionAnswer{}, err
	}
	r.RequestID = keptUnder(r)
	var answer billing.ResolutionAnswer
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		answer, err = s.resolveIn(ctx, tx, r)
		return err
	})
	if err == nil {
		boundary.At(boundary.AfterResolve, r.Case)
	}
	return answer, err
}

// resolveIn is Resolve inside a transaction: a batch's item is carried out by it too.
func (s *Store) resolveIn(ctx context.Context, tx pgx.Tx, r billing.Resolution) (billing.ResolutionAnswer, error) {
	e, err := s.lockSubject(ctx, tx, r)
	if err != nil {
		return billing.ResolutionAnswer{}, err
	}
	first, err := e.firstAnswer(ctx, r)
	switch {
	case err != nil:
		return billing.ResolutionAnswer{}, err
	case first != nil:
		return *first, nil
	}
	return e.resolve(ctx, r)
}

// lockSubject locks what a decision is about.
func (s *Store) lockSubject(ctx context.Context, tx pgx.Tx, r billing.Resolution) (*episode, error) {
	if r.Account != "" {
		return s.lockWholeAccount(ctx, tx, r.Account)
	}
	return s.lockCase(ctx, tx, r.Case)
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

// decision is one resolution while it is carried out.
type decision struct {
	billing.Resolution        // what was decided; of a confirmation, what was proposed
	asked              string // the request id that asks now: the confirmation's, else the decision's own
	by                 string // who asks now

	state  billing.ResolutionState
	effect map[string]any // for whoever takes it back
	next   *episode       // the case that goes on, when it is not the one decided about
	all    bool           // it changes what every case of the account does next
}

// resolve carries a decision out, or records it as waiting for a second person (R2).
func (e *episode) resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error) {
	before := e.snapshot()
	d := &decision{Resolution: r, asked: r.RequestID, by: r.Actor, state: billing.ResolutionDone, effect: map[string]any{}}
	if r.Confirms != "" {
		proposal, err := e.confirm(ctx, r)
		if err != nil {
			return billing.ResolutionAnswer{}, err
		}
		d.Resolution = proposal
	} else if above, err := e.needsSecondPerson(ctx, d); err != nil {
		return billing.ResolutionAnswer{}, err
	} else if above != "" {
		return e.propose(ctx, d, above, before)
	}
	changed, err := e.carryOut(ctx, d)
	if err != nil {
		return billing.ResolutionAnswer{}, err
	}
	return e.answer(ctx, r, d, changed, before)
}

// carryOut does what was decided and says what changed.
func (e *episode) carryOut(ctx context.Context, d *decision) (string, error) {
	if e.row.ID == "" {
		return e.carryOutForAccount(ctx, d)
	}
	switch d.Kind {
	case billing.PaidOutOfBand:
		return e.paidOutOfBand(ctx, d)
	case billing.RetryNow:
		return e.retryNow(ctx, d.Resolution)
	case billing.PromiseToPay:
		return e.promise(ctx, d)
	case billing.Hold:
		return e.hold(ctx, d.Resolution)
	case billing.Release:
		return e.release(ctx)
	case billing.Dispute:
		return e.dispute(ctx, d)
	case billing.EndDispute:
		return e.endDispute(ctx, d)
	case billing.Extend:
		return e.extend(ctx, d)
	case billing.GrantCredit:
		return e.grantCredit(ctx, d)
	case billing.WriteOffInvoice:
		return e.end(ctx, d, billing.InvoiceWrittenOff)
	case billing.VoidInvoice:
		return e.end(ctx, d, billing.InvoiceVoid)
	case billing.ResolveUnknown:
		return e.resolveUnknown(ctx, d.Resolution)
	case billing.SuspendNow, billing.Reinstate, billing.NeverSuspend, billing.CloseAccount:
		return e.decideStanding(ctx, d)
	case billing.Reverse:
		return e.takeBack(ctx, d)
	}
	return "", billing.Refuse(billing.RefusedInvalid, "kind", "%q is none of %v", string(d.Kind), billing.ResolutionKinds())
}

// answer lets the case go on, says what comes next, and records the decision with its answer.
func (e *episode) answer(ctx context.Context, r billing.Resolution, d *decision, changed string, before map[string]any) (billing.ResolutionAnswer, error) {
	answer := billing.ResolutionAnswer{RequestID: r.RequestID, Changed: changed, State: d.state}
	if err := e.tellOfDecision(ctx, d, changed); err != nil {
		return answer, err
	}
	if e.row.ID == "" {
		answer.Next = e.describeAccount()
	} else {
		goesOn := e
		if d.next != nil {
			goesOn = d.next
		}
		// What waited for an attempt that the decision ended goes before a round (AF1).
		if err := goesOn.applyBalances(ctx); err != nil {
			return answer, err
		}
		step, err := goesOn.advance(ctx)
		if err != nil {
			return answer, err
		}
		answer.Next = describe(step)
		if d.next != nil {
			answer.Next = "case " + string(d.next.row.ID) + ": " + answer.Next
		}
		if err := poke(ctx, e.tx, goesOn.row.ID, string(r.Kind)); err != nil {
			return answer, err
		}
	}
	if d.all {
		if err := e.pokeAll(ctx, string(r.Kind)); err != nil {
			return answer, err
		}
	}
	if err := e.record(ctx, r, d, answer, before); err != nil {
		return answer, err
	}
	if r.Confirms == "" {
		return answer, nil
	}
	return answer, e.setResolution(ctx, r.Confirms, d.state, d.effect)
}

// tellOfDecision writes it on the case's timeline, or on those of all live cases of the account.
func (e *episode) tellOfDecision(ctx context.Context, d *decision, changed string) error {
	data := map[string]any{"kind": d.Kind, "actor": d.by, "reason": d.Reason, "changed": changed}
	if e.row.ID != "" {
		return e.event(ctx, "resolution", data)
	}
	data["account"] = e.account.ID
	const insert = `insert into case_events (case_id, at, kind, data)
		select id, $2, 'resolution', $3 from cases where account_id = $1 and finished_at is null`
	if _, err := e.tx.Exec(ctx, insert, e.account.ID, e.now, data); err != nil {
		return fmt.Errorf("tell of decision %s: %w", d.asked, err)
	}
	return nil
}

// record keeps the decision, its first answer and an entry of the audit log with how things stood before and after (R2, I16).
func (e *episode) record(ctx context.Context, r billing.Resolution, d *decision, answer billing.ResolutionAnswer, before map[string]any) error {
	fields, errF := json.Marshal(r)
	stored, errS := json.Marshal(answer)
	if err := errors.Join(errF, errS); err != nil {
		return fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	after := e.snapshot()
	after["changed"], after["next"] = answer.Changed, answer.Next
	const insert = `with decided as (
			insert into resolutions (request_id, kind, case_id, invoice_id, account_id, actor, reason, fields, answer, decided_at, state, effect,
				confirms, reverses)
			values ($1, $2, nullif($3, ''), nullif($4, ''), $10, $5, $6, $7, $8, $9, $11, $12, nullif($13, ''), nullif($14, '')))
		insert into audit_log (at, actor, act, reason, request_id, account_id, invoice_id, case_id, before, after)
		values ($9, $5, $2, $6, $1, $10, nullif($4, ''), nullif($3, ''), $15, $16)`
	if _, err := e.tx.Exec(ctx, insert, r.RequestID, string(r.Kind), e.row.ID, e.invoice.ID, r.Actor, r.Reason, fields, stored, e.now,
		e.account.ID, d.state, d.effect, r.Confirms, r.Reverses, before, after); err != nil {
		return fmt.Errorf("resolve %s: %w", r.RequestID, err)
	}
	return nil
}

// snapshot is how things stand, for the audit log: ids, amounts, codes and dates.
func (e *episode) snapshot() map[string]any {
	account := map[string]any{"standing": e.account.Standing, "generation": e.account.Generation}
	if !e.account.NeverSuspendUntil.IsZero() {
		account["never_suspend_until"] = e.account.NeverSuspendUntil
	}
	if !e.account.HeldUntil.IsZero() {
		account["held_until"] = e.account.HeldUntil
	}
	out := map[string]any{"account": account}
	if e.row.ID == "" {
		return out
	}
	invoice := map[string]any{"state": e.invoice.State, "total": e.invoice.Total, "allocated": e.invoice.Allocated}
	if e.invoice.Disputed.IsPositive() {
		invoice["disputed"] = e.invoice.Disputed
	}
	kase := map[string]any{"stage": e.row.Stage, "clock_shift_seconds": e.row.ClockShiftSeconds}
	if e.row.HeldUntil != nil {
		kase["held_until"], kase["hold_scopes"] = e.row.HeldUntil, e.row.HoldScopes
	}
	if e.row.PromisedUntil != nil {
		kase["promised_until"] = e.row.PromisedUntil
	}
	if e.row.Closing != "" {
		kase["closing"] = e.row.Closing
	}
	out["invoice"], out["case"] = invoice, kase
	return out
}

func describe(s dunning.Step) string {
	switch {
	case s.Do == dunning.DoFinish:
		return "the case is finished: the invoice is " + string(s.Outcome)
	case s.Do == dunning.DoCharge:
		return "a charge of " + s.Charges().String() + " on " + s.Masked
	case s.Do == dunning.DoWait && s.At.IsZero():
		return "waiting for " + s.Why
	case s.Do == dunning.DoWait:
		return "waiting for " + s.Why + ", " + s.At.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return string(s.Do)
}
