package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// needsSecondPerson returns the sum that makes a decision need a second person, as a text, or "" (R2).
func (e *episode) needsSecondPerson(ctx context.Context, d *decision) (string, error) {
	sum, err := e.sumOf(ctx, d)
	if err != nil || !sum.IsPositive() {
		return "", err
	}
	if sum.Minor() <= e.policy.SecondPersonFrom(sum.Currency()).Minor() {
		return "", nil
	}
	return sum.String(), nil
}

// sumOf is how much value a decision moves; zero when none.
func (e *episode) sumOf(ctx context.Context, d *decision) (money.Amount, error) {
	switch d.Kind {
	case billing.PaidOutOfBand, billing.GrantCredit:
		return *d.Amount, nil
	case billing.WriteOffInvoice:
		return e.invoice.Due()
	case billing.VoidInvoice:
		return e.invoice.Total, nil
	case billing.EndDispute:
		if d.Outcome == billing.DisputeUpheld {
			return e.invoice.Withheld()
		}
	case billing.Reverse:
		taken, err := e.decided(ctx, d.Reverses)
		if err != nil || taken.State == billing.ResolutionProposed {
			return money.Amount{}, err
		}
		return taken.moved(), nil
	case billing.RetryNow, billing.PromiseToPay, billing.Hold, billing.Release, billing.Dispute, billing.Extend, billing.ResolveUnknown,
		billing.SuspendNow, billing.Reinstate, billing.NeverSuspend, billing.CloseAccount:
	}
	return money.Amount{}, nil
}

// propose records a decision that a second person has to confirm. It is tried and undone first, so that what can't be done is refused to
// the one who asks.
func (e *episode) propose(ctx context.Context, d *decision, above string, before map[string]any) (billing.ResolutionAnswer, error) {
	if err := e.rehearse(ctx, *d); err != nil {
		return billing.ResolutionAnswer{}, err
	}
	d.state = billing.ResolutionProposed
	answer := billing.ResolutionAnswer{RequestID: d.RequestID, State: d.state, Changed: "nothing yet: " + above + " needs a second person",
		Next: "somebody else confirms it: kind " + string(d.Kind) + ", confirms " + d.RequestID}
	if err := e.tellOfDecision(ctx, d, answer.Changed); err != nil {
		return answer, err
	}
	err := e.openTask(ctx, task{Kind: "second_person", Key: "second_person/" + d.RequestID,
		Detail: map[string]any{"request": d.RequestID, "kind": d.Kind, "amount": above, "by": d.by}})
	if err != nil {
		return answer, err
	}
	return answer, e.record(ctx, d.Resolution, d, answer, before)
}

// rehearse carries a decision out on copies inside a savepoint and undoes it.
func (e *episode) rehearse(ctx context.Context, d decision) error {
	nested, err := e.tx.Begin(ctx)
	if err != nil {
		return fmt.Errorf("try decision %s: %w", d.RequestID, err)
	}
	trial := *e
	trial.tx = nested
	d.effect = map[string]any{}
	_, refused := trial.carryOut(ctx, &d)
	if err := nested.Rollback(ctx); err != nil {
		return errors.Join(refused, fmt.Errorf("try decision %s: %w", d.RequestID, err))
	}
	return refused
}

// confirm returns the decision that the second person of r confirms; the first one can't (R2).
func (e *episode) confirm(ctx context.Context, r billing.Resolution) (billing.Resolution, error) {
	proposal, err := e.decided(ctx, r.Confirms)
	switch {
	case err != nil:
		return billing.Resolution{}, asField(err, "confirms")
	case proposal.Kind != r.Kind:
		return billing.Resolution{}, billing.Refuse(billing.RefusedInvalid, "kind", "%s is about %s", r.Confirms, proposal.Kind)
	case proposal.State != billing.ResolutionProposed:
		return billing.Resolution{}, billing.Refuse(billing.RefusedNotNow, "confirms", "%s is %s: it does not wait for a second person", r.Confirms, proposal.State)
	case strings.EqualFold(strings.TrimSpace(proposal.Actor), strings.TrimSpace(r.Actor)):
		return billing.Resolution{}, billing.Refuse(billing.RefusedInvalid, "actor", "%s proposed it: the second person must be somebody else", r.Actor)
	}
	return proposal.Fields, e.closeTask(ctx, "second_person/"+r.Confirms, r.Actor)
}

// decided is a decision that was recorded, about this case or its account.
type decided struct {
	RequestID string
	Kind      billing.ResolutionKind
	Actor     string
	State     billing.ResolutionState
	CaseID    *billing.CaseID
	Fields    billing.Resolution
	Effect    effect
}

// effect is what a decision did, as it was kept for whoever takes it back.
type effect struct {
	ToInvoice *money.Amount    `json:"to_invoice,omitempty"`
	Unapplied *money.Amount    `json:"unapplied,omitempty"`
	Amount    *money.Amount    `json:"amount,omitempty"`
	Credit    billing.CreditID `json:"credit,omitempty"`
	Seconds   int64            `json:"seconds,omitempty"`
}

// moved is how much value the decision moved; zero when none.
func (d decided) moved() money.Amount {
	switch {
	case d.Effect.Amount != nil:
		return *d.Effect.Amount
	case d.Fields.Amount != nil && d.Kind == billing.PaidOutOfBand:
		return *d.Fields.Amount
	}
	return money.Amount{}
}

// decided reads and locks a recorded decision; refused when it is about another invoice or account. A confirmation stands for what it
// confirms.
func (e *episode) decided(ctx context.Context, id string) (decided, error) {
	const query = `select d.request_id, d.kind, d.actor, d.state, d.case_id, d.fields, d.effect
		from resolutions r join resolutions d on d.request_id = coalesce(r.confirms, r.request_id)
		where r.request_id = $1 and d.account_id = $2 and ($3 = '' and d.case_id is null or d.invoice_id = nullif($3, '') or d.case_id is null)
		for update of d`
	var out decided
	var fields, effects []byte
	err := e.tx.QueryRow(ctx, query, id, e.account.ID, e.invoice.ID).Scan(&out.RequestID, &out.Kind, &out.Actor, &out.State, &out.CaseID, &fields, &effects)
	if errors.Is(err, pgx.ErrNoRows) {
		return out, billing.Refuse(billing.RefusedNotFound, "reverses", "there is no decision %s here", id)
	}
	if err == nil {
		err = errors.Join(json.Unmarshal(fields, &out.Fields), json.Unmarshal(effects, &out.Effect))
	}
	if err != nil {
		return out, fmt.Errorf("read decision %s: %w", id, err)
	}
	return out, nil
}

// asField names another field in a refusal.
func asField(err error, field string) error {
	var r *billing.Refusal
	if errors.As(err, &r) {
		return billing.Refuse(r.Code, field, "%s", r.Message)
	}
	return err
}

// setResolution says where a decision stands now, and its confirmation with it.
func (e *episode) setResolution(ctx context.Context, id string, state billing.ResolutionState, effect any) error {
	const update = `update resolutions set state = $2, effect = coalesce($3::jsonb, effect) where request_id = $1 or confirms = $1`
	if _, err := e.tx.Exec(ctx, update, id, state, effect); err != nil {
		return fmt.Errorf("set decision %s to %s: %w", id, state, err)
	}
	return nil
}

// closeTask closes one task, when it is open.
func (e *episode) closeTask(ctx context.Context, key, by string) error {
	const update = `update tasks set closed_at = $2, closed_by = $3 where key = $1 and closed_at is null`
	if _, err := e.tx.Exec(ctx, update, key, e.now, by); err != nil {
		return fmt.Errorf("close task %s: %w", key, err)
	}
	return nil
}
