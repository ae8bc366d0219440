package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// hold stops attempts, notices or suspension until a date; it resumes by itself and can be extended once (rules.md §8).
func (e *episode) hold(ctx context.Context, r billing.Resolution) (string, error) {
	held := e.row.HeldUntil != nil && e.row.HeldUntil.After(e.now)
	if e.row.FinishedAt != nil {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	}
	if err := mayHold(e.policy.Limits, e.now, r.Until, orZero(e.row.HeldUntil), e.row.HoldExtended); err != nil {
		return "", err
	}
	if err := e.putOnHold(ctx, r.Until, scopesOf(r), held); err != nil {
		return "", err
	}
	return "held until " + e.row.HeldUntil.Format(time.RFC3339), e.liftIfSettled(ctx, becauseHeld)
}

// mayHold refuses a hold beyond the policy's limits.
func mayHold(l dunning.Limits, now, until, heldUntil time.Time, extended bool) error {
	switch {
	case !until.After(now):
		return billing.Refuse(billing.RefusedInvalid, "until", "must be in the future")
	case until.After(now.Add(l.HoldMax())):
		return billing.Refuse(billing.RefusedInvalid, "until", "a hold may last at most %d days, to %s", l.HoldDays, now.Add(l.HoldMax()).Format(time.RFC3339))
	case heldUntil.After(now) && !l.HoldExtendable:
		return billing.Refuse(billing.RefusedNotNow, "kind", "the policy lets no hold be extended; this one ends %s", heldUntil.UTC().Format(time.RFC3339))
	case heldUntil.After(now) && extended:
		return billing.Refuse(billing.RefusedNotNow, "kind", "this hold was extended once already; it ends %s", heldUntil.UTC().Format(time.RFC3339))
	}
	return nil
}

var allScopes = []string{string(dunning.HoldAttempts), string(dunning.HoldNotices), string(dunning.HoldSuspension)}

func scopesOf(r billing.Resolution) []string {
	if len(r.Scope) == 0 {
		return allScopes
	}
	return r.Scope
}

// putOnHold holds the case. The stage clock stops while it is held (T1): what is known of the hold's length is added now, and given back
// on release.
func (e *episode) putOnHold(ctx context.Context, until time.Time, scopes []string, extended bool) error {
	until = until.UTC()
	from := e.stoppedUntil()
	if e.row.HeldUntil == nil || !e.row.HeldUntil.After(e.now) {
		e.row.HeldSince = &e.now
	}
	if until.After(from) {
		if err := e.shiftClock(ctx, until.Sub(from), shiftedByHold); err != nil {
			return err
		}
	}
	e.row.HeldUntil, e.row.HoldScopes, e.row.HoldExtended = &until, scopes, extended
	const update = `update cases set held_since = $2, held_until = $3, hold_scopes = $4, hold_extended = $5 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, e.row.HeldSince, until, scopes, extended); err != nil {
		return fmt.Errorf("hold case %s: %w", e.row.ID, err)
	}
	// One that now ends sooner gives back what it had taken of the clock.
	return e.giveBack(ctx, from.Sub(e.stoppedUntil()), shiftedByRelease)
}

// stoppedUntil is until when the stage clock is known to stand: the end of a hold or of a promise, whichever is later, or now.
func (e *episode) stoppedUntil() time.Time {
	return latest(e.now, orZero(e.row.HeldUntil), orZero(e.row.PromisedUntil))
}

// release ends a hold early and gives the unused part of it back to the stage clock.
func (e *episode) release(ctx context.Context) (string, error) {
	if e.row.FinishedAt != nil {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	}
	if e.row.HeldUntil == nil || !e.row.HeldUntil.After(e.now) {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is not held")
	}
	stopped := e.stoppedUntil()
	e.row.HeldSince, e.row.HeldUntil, e.row.HoldScopes, e.row.HoldExtended = nil, nil, nil, false
	const update = `update cases set held_since = null, held_until = null, hold_scopes = '{}', hold_extended = false where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID); err != nil {
		return "", fmt.Errorf("release case %s: %w", e.row.ID, err)
	}
	return "released", e.giveBack(ctx, stopped.Sub(e.stoppedUntil()), shiftedByRelease)
}

// giveBack moves the stage clock back by what was added to it and is not needed after all.
func (e *episode) giveBack(ctx context.Context, unused time.Duration, why string) error {
	seconds := min(int64(unused/time.Second), e.row.ClockShiftSeconds)
	if seconds <= 0 {
		return nil
	}
	e.row.ClockShiftSeconds -= seconds
	if _, err := e.tx.Exec(ctx, `update cases set clock_shift_seconds = $2 where id = $1`, e.row.ID, e.row.ClockShiftSeconds); err != nil {
		return fmt.Errorf("move the clock of case %s back: %w", e.row.ID, err)
	}
	return e.event(ctx, "clock_shifted", map[string]any{"seconds": -seconds, "why": why})
}

// joinHold is what holds a case that is held already and, with its whole account, once more: the later end, and both scopes.
func (e *episode) joinHold(until time.Time, scopes []string) (time.Time, []string) {
	if e.row.HeldUntil == nil || !e.row.HeldUntil.After(e.now) {
		return until, scopes
	}
	both := slices.Clone(e.row.HoldScopes)
	for _, s := range scopes {
		if !slices.Contains(both, s) {
			both = append(both, s)
		}
	}
	return latest(until, *e.row.HeldUntil), both
}

// extend moves the stage clock so that the next step of the policy comes on the given date at the earliest, and every later one moves
// with it. The due date never moves (T1).
func (e *episode) extend(ctx context.Context, d *decision) (string, error) {
	if e.row.FinishedAt != nil {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	}
	what, at, err := e.nextDated()
	if err != nil {
		return "", err
	}
	if at.IsZero() {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "no step of the policy is ahead that could be put off")
	}
	by := d.Until.Sub(at)
	switch {
	case !d.Until.After(e.now):
		return "", billing.Refuse(billing.RefusedInvalid, "until", "must be in the future")
	case by <= 0:
		return "", billing.Refuse(billing.RefusedInvalid, "until", "%s is not before %s anyway", what, at.Format(time.RFC3339))
	}
	var before int64
	const query = `select coalesce(sum((effect ->> 'seconds')::bigint), 0)::bigint from resolutions
		where case_id = $1 and kind = 'extend' and state = 'done' and confirms is null`
	if err := e.tx.QueryRow(ctx, query, e.row.ID).Scan(&before); err != nil {
		return "", fmt.Errorf("extend case %s: %w", e.row.ID, err)
	}
	l := e.policy.Limits
	if left := l.ExtendMax() - time.Duration(before)*time.Second; by > left {
		return "", billing.Refuse(billing.RefusedInvalid, "until", "a case may be extended by at most %d days in all: to %s", l.ExtendDays,
			at.Add(left).UTC().Format(time.RFC3339))
	}
	if err := e.shiftClock(ctx, by, shiftedByExtension); err != nil {
		return "", err
	}
	d.effect["seconds"] = int64((by + time.Second - 1) / time.Second)
	return fmt.Sprintf("%s is put off from %s to %s at the earliest, and what follows with it", what, at.Format(time.RFC3339), d.Until.UTC().Format(time.RFC3339)), nil
}

// nextDated is the policy's next step that the stage clock moves: a scheduled round but the first, or an escalation.
func (e *episode) nextDated() (what string, at time.Time, err error) {
	dates, err := e.dates()
	if err != nil {
		return "", time.Time{}, err
	}
	switch e.row.Stage {
	case dunning.StageCollecting, dunning.StageRetrying:
		if n := max(1, e.row.ScheduledRounds); n < len(dates.Rounds) {
			return fmt.Sprintf("round %d", n+1), dates.Rounds[n], nil
		}
		return "the final notice", dates.FinalNotice, nil
	case dunning.StageFinalNotice:
		return "the notice of suspension", dates.SuspensionNotice, nil
	case dunning.StageSuspensionScheduled:
		return "the suspension", dates.Suspend, nil
	case dunning.StageSuspended:
		return "the closing of the account", dates.Close, nil
	case dunning.StageFinished:
	}
	return "", time.Time{}, nil
}
