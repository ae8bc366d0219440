package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// lockInstrument lets one transaction at a time count what an instrument used of its budgets and take one attempt more: the accounts that
// share a token share no row lock (D4). It is taken after all row locks.
func (e *episode) lockInstrument(ctx context.Context, id billing.MethodID) error {
	const lock = `select pg_advisory_xact_lock(hashtextextended(fingerprint, 0)) from payment_methods where id = $1`
	if _, err := e.tx.Exec(ctx, lock, id); err != nil {
		return fmt.Errorf("lock the instrument of method %s: %w", id, err)
	}
	return nil
}

// chargesOfTheDay counts the invoice's attempts of the last 24 hours that were sent or are about to be, and when the oldest leaves.
func (e *episode) chargesOfTheDay(ctx context.Context) (n int, next time.Time, err error) {
	const query = `select count(*)::int, min(coalesce(first_sent_at, created_at)) from attempts where invoice_id = $1 and state <> 'not_sent'
		and (first_sent_at is null or first_sent_at > $2::timestamptz - interval '24 hours')`
	var oldest *time.Time
	if err := e.tx.QueryRow(ctx, query, e.invoice.ID, e.now).Scan(&n, &oldest); err != nil {
		return 0, next, fmt.Errorf("count charges of invoice %s: %w", e.invoice.ID, err)
	}
	if oldest != nil {
		next = oldest.UTC().Add(24 * time.Hour)
	}
	return n, next, nil
}

// parkedByBound parks the case when one more attempt would break the policy's bound on charges of one invoice in a day (faults.md J5).
func (e *episode) parkedByBound(ctx context.Context) (bool, error) {
	n, _, err := e.chargesOfTheDay(ctx)
	if err != nil || n < e.policy.ChargesPerDay {
		return false, err
	}
	why := fmt.Sprintf("%d charges of the invoice within 24 hours are as many as policy %s allows", n, e.row.Policy)
	e.row.ParkedWhy = why
	if _, err := e.tx.Exec(ctx, `update cases set parked_why = $2 where id = $1`, e.row.ID, why); err != nil {
		return false, fmt.Errorf("park case %s: %w", e.row.ID, err)
	}
	if err := e.event(ctx, "parked", map[string]any{"why": why}); err != nil {
		return false, err
	}
	return true, e.openTask(ctx, task{Kind: "charge_bound", Key: "charge_bound/" + string(e.row.ID) + "/" + e.now.UTC().Format(time.RFC3339),
		Detail: map[string]any{"why": why, "charges": n, "bound": e.policy.ChargesPerDay}})
}

// unpark lets a parked case go on because a person asks; refused with the next possible time while the bound still holds.
func (e *episode) unpark(ctx context.Context, actor string) (string, error) {
	n, next, err := e.chargesOfTheDay(ctx)
	if err != nil {
		return "", err
	}
	if n >= e.policy.ChargesPerDay {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "%s; the next may go at %s", e.row.ParkedWhy, next.Format(time.RFC3339))
	}
	e.row.ParkedWhy = ""
	if _, err := e.tx.Exec(ctx, `update cases set parked_why = '' where id = $1`, e.row.ID); err != nil {
		return "", fmt.Errorf("unpark case %s: %w", e.row.ID, err)
	}
	const done = `update tasks set closed_at = $2, closed_by = $3 where case_id = $1 and kind = 'charge_bound' and closed_at is null`
	if _, err := e.tx.Exec(ctx, done, e.row.ID, e.now, actor); err != nil {
		return "", fmt.Errorf("unpark case %s: %w", e.row.ID, err)
	}
	return "the parked case goes on", e.event(ctx, "unparked", nil)
}

// skipped opens the operators' task for a method that a budget keeps from being charged (D4, N1).
func (e *episode) skipped(ctx context.Context, m billing.PaymentMethod, skip billing.Skip) error {
	if skip != billing.SkipBudget && skip != billing.SkipReturn {
		return nil
	}
	kind := string(dunning.NoticeBudgetUsedUp)
	return e.openTask(ctx, task{Kind: kind, Key: kind + "/" + string(e.row.ID) + "/" + string(m.ID),
		Detail: map[string]any{"method": m.ID, "why": string(skip), "in_24h": m.AttemptsIn24h, "in_30d": m.AttemptsIn30d, "presentments": m.Presentments}})
}
