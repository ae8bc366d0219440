package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// deadline is when an attempt in a state that waits for the customer or a bank is cancelled (U3); zero when the state has none.
func (e *episode) deadline(ctx context.Context, row attemptRow, state billing.AttemptState) (time.Time, error) {
	if state != billing.AttemptPending && state != billing.AttemptActionRequired {
		return time.Time{}, nil
	}
	var kind billing.MethodKind
	if err := e.tx.QueryRow(ctx, `select kind from payment_methods where id = $1`, row.MethodID).Scan(&kind); err != nil {
		return time.Time{}, fmt.Errorf("deadline of attempt %s: %w", row.ID, err)
	}
	return e.policy.Unit.DeadlineOf(state, kind, orZero(row.FirstSentAt)), nil
}

// tellWaiting tells the customer once that a payment is being processed, or that they must act (U3, N1). A demonstration's banks settle
// within seconds, so the dispatcher may find that the notice is out of date by then.
func (e *episode) tellWaiting(ctx context.Context, row attemptRow, state billing.AttemptState) error {
	kind := map[billing.AttemptState]dunning.NoticeKind{
		billing.AttemptPending: dunning.NoticePaymentProcessing, billing.AttemptActionRequired: dunning.NoticeActionRequired,
	}[state]
	if kind == "" {
		return nil
	}
	data := billing.NoticeData{Attempt: billing.AttemptID(row.ID.String()), Round: row.Round}
	return e.tell(ctx, kind, "attempt-"+row.ID.String(), data)
}

// askAboutOverdue asks a person about an attempt that neither ended in time nor could be cancelled (I17).
func (e *episode) askAboutOverdue(ctx context.Context, row attemptRow, state billing.AttemptState, deadline time.Time) error {
	return e.openTask(ctx, task{Kind: "settlement_overdue", Key: "settlement_overdue/" + row.ID.String(), Attempt: row.ID.String(),
		Detail: map[string]any{"state": state, "deadline": deadline, "amount_minor": row.AmountMinor, "currency": row.Currency}})
}
