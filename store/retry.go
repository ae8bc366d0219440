package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

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
	case f.Closing != "":
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "it was decided to end the case")
	case f.PromisedUntil.After(e.now):
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "payment is promised, and nothing is charged until %s: reverse the promise first",
			f.PromisedUntil.Format(time.RFC3339))
	case f.StopsAttempts():
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is held until %s: release it first", f.HeldUntil.Format(time.RFC3339))
	}
	if !f.Collectable().IsPositive() {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "all that is due is disputed: end the dispute first")
	}
	methods, err := readMethods(ctx, e.tx, e.account.ID, e.now, budgetFor{invoice: e.invoice.ID})
	if err != nil {
		return "", err
	}
	var earliest time.Time
	usable := 0
	for n, m := range methods {
		if r.Method != "" && m.ID != r.Method || r.Method == "" && n > 0 && e.account.BackupsOff {
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
