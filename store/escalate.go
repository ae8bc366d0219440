package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// FinalNotice tells the customer that automatic attempts end and when the account will be suspended, and moves the case there.
func (s *Store) FinalNotice(ctx context.Context, id billing.CaseID) (dunning.Step, error) {
	return s.escalate(ctx, id, dunning.DoFinalNotice, func(e *episode, _ dunning.Dates) error {
		if err := e.countLateStep(ctx, func(d dunning.Dates) time.Time { return d.FinalNotice }); err != nil {
			return err
		}
		return e.announce(ctx, dunning.StageFinalNotice, dunning.NoticeFinalNotice)
	})
}

// ScheduleSuspension sends the last reminder and moves the case to suspension_scheduled.
func (s *Store) ScheduleSuspension(ctx context.Context, id billing.CaseID) (dunning.Step, error) {
	return s.escalate(ctx, id, dunning.DoScheduleSuspension, func(e *episode, _ dunning.Dates) error {
		if err := e.countLateStep(ctx, func(d dunning.Dates) time.Time { return d.SuspensionNotice }); err != nil {
			return err
		}
		return e.announce(ctx, dunning.StageSuspensionScheduled, dunning.NoticeSuspensionScheduled)
	})
}

// Suspend carries out the guarded statement S2; when a guard does not hold the suspension is put off and the case says why.
func (s *Store) Suspend(ctx context.Context, id billing.CaseID) (dunning.Step, error) {
	return s.escalate(ctx, id, dunning.DoSuspend, func(e *episode, planned dunning.Dates) error {
		return e.suspend(ctx, planned.Suspend)
	})
}

// CloseAccount closes an account whose invoice stayed unpaid to the policy's end; the invoice stays open for a person to decide.
func (s *Store) CloseAccount(ctx context.Context, id billing.CaseID) (dunning.Step, error) {
	return s.escalate(ctx, id, dunning.DoCloseAccount, func(e *episode, _ dunning.Dates) error {
		if err := e.setStanding(ctx, billing.StandingClosed, "unpaid to the end of the policy", ""); err != nil {
			return err
		}
		return e.openTask(ctx, task{Kind: "closed_unpaid", Key: "closed_unpaid/" + string(e.row.ID)})
	})
}

// escalate runs one escalation if it is still what comes next after balances were applied again under the locks (S2, D6); otherwise it
// does nothing but say what is next. A second run after a crash finds the stage moved and does nothing twice.
func (s *Store) escalate(ctx context.Context, id billing.CaseID, do dunning.Do, act func(*episode, dunning.Dates) error) (dunning.Step, error) {
	var step dunning.Step
	err := s.withCase(ctx, id, func(e *episode) error {
		if err := e.applyBalances(ctx); err != nil {
			return err
		}
		f, next, err := e.decide(ctx)
		if err != nil {
			return err
		}
		if stillNext(next, do) {
			if err := act(e, f.Dates); err != nil {
				return err
			}
		}
		step, err = e.advance(ctx)
		return err
	})
	if err != nil {
		return dunning.Step{}, fmt.Errorf("%s of case %s: %w", do, id, err)
	}
	return step, nil
}

// announce moves the stage and tells the customer, with the date of suspension as the clock now stands.
func (e *episode) announce(ctx context.Context, to dunning.Stage, kind dunning.NoticeKind) error {
	if err := e.setStage(ctx, to); err != nil {
		return err
	}
	dates, err := e.dates()
	if err != nil {
		return err
	}
	return e.tell(ctx, kind, string(to), billing.NoticeData{SuspendAt: dates.Suspend})
}

// suspendRetry is how long a suspension that was put off waits before it is looked at again.
func (e *episode) suspendRetry() time.Duration {
	if e.policy.Unit == dunning.UnitSecond {
		return 10 * time.Second
	}
	return 24 * time.Hour
}

// tell queues a notice outside of quiet hours (N2, N4).
func (e *episode) tell(ctx context.Context, kind dunning.NoticeKind, occasion string, data billing.NoticeData) error {
	after := e.now
	if e.policy.Unit != dunning.UnitSecond {
		quiet, err := dunning.QuietUntil(e.now, e.account.TimeZone)
		if err != nil {
			return fmt.Errorf("notice %s of case %s: %w", kind, e.row.ID, err)
		}
		if !quiet.IsZero() {
			after = quiet
		}
	}
	return queueNotice(ctx, e.tx, notice{Account: e.account.ID, Case: e.row.ID, Invoice: e.invoice.ID, Kind: string(kind),
		Occasion: occasion, Data: data, SendAfter: after})
}
