package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// hold stops attempts, notices or suspension until a date; it resumes by itself and can be extended once (rules.md §8).
func (e *episode) hold(ctx context.Context, r billing.Resolution) (string, error) {
	held := e.row.HeldUntil != nil && e.row.HeldUntil.After(e.now)
	switch {
	case e.row.FinishedAt != nil:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	case !r.Until.After(e.now):
		return "", billing.Refuse(billing.RefusedInvalid, "until", "must be in the future")
	case r.Until.After(e.now.Add(billing.HoldMax)):
		return "", billing.Refuse(billing.RefusedInvalid, "until", "a hold may last at most 14 days, to %s", e.now.Add(billing.HoldMax).Format(time.RFC3339))
	case held && e.row.HoldExtended:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "this hold was extended once already; it ends %s", e.row.HeldUntil.UTC().Format(time.RFC3339))
	}
	scopes := r.Scope
	if len(scopes) == 0 {
		scopes = []string{string(dunning.HoldAttempts), string(dunning.HoldNotices), string(dunning.HoldSuspension)}
	}
	// The stage clock stops while a case is held (T1): what is known of the hold's length is added now, and given back on release.
	from := e.now
	if held {
		from = *e.row.HeldUntil
	} else {
		e.row.HeldSince = &e.now
	}
	until := r.Until.UTC()
	if until.After(from) {
		if err := e.shiftClock(ctx, until.Sub(from), "held"); err != nil {
			return "", err
		}
	}
	e.row.HeldUntil, e.row.HoldScopes, e.row.HoldExtended = &until, scopes, held
	const update = `update cases set held_since = $2, held_until = $3, hold_scopes = $4, hold_extended = $5 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, e.row.HeldSince, until, scopes, held); err != nil {
		return "", fmt.Errorf("hold case %s: %w", e.row.ID, err)
	}
	return "held until " + until.Format(time.RFC3339), e.liftIfSettled(ctx, "the last blocking invoice is held")
}

// release ends a hold early and gives the unused part of it back to the stage clock.
func (e *episode) release(ctx context.Context) (string, error) {
	if e.row.HeldUntil == nil || !e.row.HeldUntil.After(e.now) {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is not held")
	}
	unused := int64(e.row.HeldUntil.Sub(e.now) / time.Second)
	e.row.ClockShiftSeconds = max(0, e.row.ClockShiftSeconds-unused)
	e.row.HeldSince, e.row.HeldUntil, e.row.HoldScopes, e.row.HoldExtended = nil, nil, nil, false
	const update = `update cases set held_since = null, held_until = null, hold_scopes = '{}', hold_extended = false,
		clock_shift_seconds = $2 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, e.row.ClockShiftSeconds); err != nil {
		return "", fmt.Errorf("release case %s: %w", e.row.ID, err)
	}
	return "released", nil
}
