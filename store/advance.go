package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// advanceMax bounds the steps one transaction takes by itself: begin and end of each round of the policy, when all are due at once and
// there is no method to ask, and of what a person asked for or ended, then something outside is next.
func (e *episode) advanceMax() int { return 2*len(e.policy.Rounds) + 6 }

// advance carries out the steps that need nothing but Postgres (begin and end of a round, the finish) until the next one needs the
// workflow: a charge, a look-up, an escalation, a wait. It saves and returns that step.
func (e *episode) advance(ctx context.Context) (dunning.Step, error) {
	for range e.advanceMax() {
		if e.row.PromisedUntil != nil {
			if err := e.judgePromise(ctx); err != nil {
				return dunning.Step{}, err
			}
		}
		f, step, err := e.decide(ctx)
		if err != nil {
			return dunning.Step{}, err
		}
		switch step.Do {
		case dunning.DoBeginRound:
			err = e.beginRound(ctx, f)
		case dunning.DoEndRound:
			err = e.endRound(ctx, f)
		case dunning.DoCarryOut:
			err = e.endWaited(ctx)
		case dunning.DoFinish:
			if err := e.finish(ctx, step); err != nil {
				return step, err
			}
			return step, e.saveNext(ctx, step)
		default:
			return step, e.saveNext(ctx, step)
		}
		if err != nil {
			return step, err
		}
	}
	return dunning.Step{}, fmt.Errorf("case %s: no step outside after %d steps", e.row.ID, e.advanceMax())
}

// Review re-reads a case: it applies the credits and advance funds there are (CR1–CR7, AF1, AF2), does what Postgres alone can do,
// and returns what comes next. Running it again at any moment is harmless.
func (s *Store) Review(ctx context.Context, id billing.CaseID) (dunning.Step, error) {
	var step dunning.Step
	err := s.withCase(ctx, id, func(e *episode) error {
		if err := e.applyBalances(ctx); err != nil {
			return err
		}
		var err error
		step, err = e.advance(ctx)
		return err
	})
	if err != nil {
		return dunning.Step{}, fmt.Errorf("review case %s: %w", id, err)
	}
	return step, nil
}

// lateGrace is how late a dated step may run before the lateness is ours and moves the stage clock (T1).
func (e *episode) lateGrace() time.Duration {
	if e.policy.Unit == dunning.UnitSecond {
		return 10 * time.Second
	}
	return 2 * time.Hour
}

// countLateness moves the stage clock by how late a dated step runs: our outage never brings a customer closer to suspension (T1).
func (e *episode) countLateness(ctx context.Context, planned time.Time) error {
	late := e.withoutMoments(lateBy(planned, e.now))
	if planned.IsZero() || late <= e.lateGrace() {
		return nil
	}
	return e.shiftClock(ctx, late, "we were late")
}

// countLateStep is countLateness for a dated step. A date lies on the first morning after its own plus the shift; what that rounding gave
// away is counted too, or the next step would follow sooner than the policy says (T1).
func (e *episode) countLateStep(ctx context.Context, step func(dunning.Dates) time.Time) error {
	planned, err := e.dates()
	if err != nil {
		return err
	}
	if at := step(planned); at.IsZero() || e.now.Sub(at) <= e.lateGrace() {
		return nil
	}
	own, err := e.policy.DatesFor(e.row.ClockStartedAt, 0, e.account.TimeZone, e.invoice.ID)
	if err != nil {
		return fmt.Errorf("dates of case %s: %w", e.row.ID, err)
	}
	shift := time.Duration(e.row.ClockShiftSeconds) * time.Second
	return e.shiftClock(ctx, e.withoutMoments(lateBy(step(own).Add(shift), e.now)), "we were late")
}

// withoutMoments cuts off what passes between a date and the work done for it: a day and a second must not put a morning off by two days.
func (e *episode) withoutMoments(d time.Duration) time.Duration {
	if e.policy.Unit == dunning.UnitSecond {
		return d.Truncate(time.Second)
	}
	return d.Truncate(time.Minute)
}

// shiftClock moves every later date of the case by d; the due date never moves (T1).
func (e *episode) shiftClock(ctx context.Context, d time.Duration, why string) error {
	seconds := int64((d + time.Second - 1) / time.Second)
	e.row.ClockShiftSeconds += seconds
	const update = `update cases set clock_shift_seconds = clock_shift_seconds + $2 where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, seconds); err != nil {
		return fmt.Errorf("shift clock of case %s: %w", e.row.ID, err)
	}
	return e.event(ctx, "clock_shifted", map[string]any{"seconds": seconds, "why": why})
}

// finish ends the case: its invoice is paid, void or written off (I20).
func (e *episode) finish(ctx context.Context, step dunning.Step) error {
	if e.row.FinishedAt != nil {
		return e.finishLive(ctx, step)
	}
	const update = `update cases set stage = 'finished', finished_at = $2, outcome = $3, wake = '', next_at = null where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, e.now, step.Outcome); err != nil {
		return fmt.Errorf("finish case %s: %w", e.row.ID, err)
	}
	if _, err := e.tx.Exec(ctx, `update rounds set ended_at = $2, result = 'settled' where case_id = $1 and ended_at is null`, e.row.ID, e.now); err != nil {
		return fmt.Errorf("finish case %s: %w", e.row.ID, err)
	}
	from := e.row.Stage
	e.row.Stage, e.row.FinishedAt = dunning.StageFinished, &e.now
	if err := e.event(ctx, "finished", map[string]any{"from": from, "outcome": step.Outcome}); err != nil {
		return err
	}
	if e.invoice.Disputed.IsPositive() {
		if err := e.settleDispute(ctx); err != nil {
			return err
		}
	}
	return e.liftIfSettled(ctx, "every blocking invoice is settled")
}

// finishLive ends the invoice's live case when the money came by way of an earlier one, reopened since: a payment noted there, or a late
// success of one of its attempts (U5, I20).
func (e *episode) finishLive(ctx context.Context, step dunning.Step) error {
	if e.invoice.State == billing.InvoiceOpen {
		return nil
	}
	rows, _ := e.tx.Query(ctx, `select `+caseColumns+` from cases c where c.invoice_id = $1 and c.finished_at is null for no key update`, e.invoice.ID)
	live := *e
	var err error
	live.row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[caseRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the live case of invoice %s: %w", e.invoice.ID, err)
	}
	if err := live.finish(ctx, step); err != nil {
		return err
	}
	if err := live.saveNext(ctx, step); err != nil {
		return err
	}
	e.account = live.account
	return poke(ctx, e.tx, live.row.ID, "paid by way of "+string(e.row.ID))
}
