package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// resolveUnknown ends an attempt by a person's verdict, when neither an answer nor a look-up told what became of it (U1), or when a bank
// or a customer let its deadline pass and it could not be cancelled (U3). What the gateway says later still counts: money that
// comes after all is booked to unapplied funds (U4).
func (e *episode) resolveUnknown(ctx context.Context, r billing.Resolution) (string, error) {
	open, err := e.openAttempt(ctx)
	if err != nil {
		return "", err
	}
	if open == nil {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "no attempt on this invoice is open")
	}
	row, err := e.attemptRow(ctx, open.ID)
	if err != nil {
		return "", err
	}
	if err := e.mayJudge(row, open, r.Verdict); err != nil {
		return "", err
	}
	answer, changed, err := e.verdict(ctx, row, open, r)
	if err != nil {
		return "", err
	}
	if err := e.endAttempt(ctx, row, answer); err != nil {
		return "", err
	}
	return changed, e.closeAttemptTasks(ctx, row, r.Actor)
}

// mayJudge refuses a verdict on an attempt that the gateway can still be asked about. A wrong "not captured" charges the customer again,
// so it is taken only when a person was asked: a day after the first send (U1).
func (e *episode) mayJudge(row attemptRow, open *dunning.OpenAttempt, v billing.Verdict) error {
	overdue := !open.Deadline.IsZero() && !open.Deadline.After(e.now)
	if row.State != billing.AttemptUnknown && !overdue {
		return billing.Refuse(billing.RefusedNotNow, "kind", "the attempt on %s is %s: waiting for %s", open.Method.Masked, row.State, open.Waiting)
	}
	from := orZero(row.FirstSentAt).Add(dunning.AskPersonAfter)
	if v == billing.NotCaptured && row.State == billing.AttemptUnknown && e.now.Before(from) {
		return billing.Refuse(billing.RefusedNotNow, "verdict", "the gateway is still asked: not before %s", from.UTC().Format(time.RFC3339))
	}
	return nil
}

// verdict is the answer that a person gives in the gateway's place.
func (e *episode) verdict(ctx context.Context, row attemptRow, open *dunning.OpenAttempt, r billing.Resolution) (billing.Answer, string, error) {
	if r.Verdict == billing.NotCaptured {
		answer := billing.Answer{State: billing.AttemptNotSent, Message: "a person found that nothing was captured"}
		if row.State != billing.AttemptUnknown {
			// It was sent and accepted: it ended without money.
			answer.State = billing.AttemptDeclined
		}
		return answer, fmt.Sprintf("the attempt on %s has ended without money", open.Method.Masked), nil
	}
	var taken bool
	const query = `select exists (select 1 from attempts where gateway = $1 and gateway_reference = $2 and id <> $3)`
	if err := e.tx.QueryRow(ctx, query, row.Gateway, r.Reference, row.ID).Scan(&taken); err != nil {
		return billing.Answer{}, "", fmt.Errorf("resolve unknown attempt %s: %w", row.ID, err)
	}
	if taken {
		return billing.Answer{}, "", billing.Refuse(billing.RefusedConflict, "reference", "%s is the payment of another attempt", r.Reference)
	}
	currency, err := money.ParseCurrency(row.Currency)
	if err != nil {
		return billing.Answer{}, "", err
	}
	answer := billing.Answer{State: billing.AttemptSucceeded, Reference: r.Reference, Captured: money.New(row.AmountMinor, currency), Message: "a person found that it was captured"}
	if r.Amount != nil {
		answer.Captured = *r.Amount
	}
	return answer, fmt.Sprintf("the attempt on %s has captured %s", open.Method.Masked, answer.Captured), nil
}

// closeAttemptTasks closes what was asked about an attempt's outcome: it is known now.
func (e *episode) closeAttemptTasks(ctx context.Context, row attemptRow, by string) error {
	const update = `update tasks set closed_at = $2, closed_by = $3
		where attempt_id = $1 and kind in ('outcome_unknown', 'settlement_overdue') and closed_at is null`
	if _, err := e.tx.Exec(ctx, update, row.ID, e.now, by); err != nil {
		return fmt.Errorf("close tasks of attempt %s: %w", row.ID, err)
	}
	return nil
}
