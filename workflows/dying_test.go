package workflows_test

import (
	"context"
	"time"

	"recoup/activities"
	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
	"recoup/store"
)

// dying lets the worker die at a charge's boundaries: at panics where it should. In a test's build the activity's own boundaries are nothing.
type dying struct {
	activities.ChargeStore
	at func(label string)
}

func (d dying) BeginAttempt(ctx context.Context, id billing.CaseID, m billing.MethodID, window time.Duration) (*store.Charge, dunning.Step, error) {
	charge, step, err := d.ChargeStore.BeginAttempt(ctx, id, m, window)
	if charge != nil {
		d.at(string(boundary.AfterIntent))
	}
	return charge, step, err
}

func (d dying) MarkSent(ctx context.Context, id billing.AttemptID, window time.Duration) error {
	err := d.ChargeStore.MarkSent(ctx, id, window)
	if err == nil {
		d.at(string(boundary.BeforeSend))
	}
	return err
}

func (d dying) RecordAnswer(ctx context.Context, id billing.CaseID, attempt billing.AttemptID, answer billing.Answer) (dunning.Step, error) {
	d.at(string(boundary.AfterAnswer))
	step, err := d.ChargeStore.RecordAnswer(ctx, id, attempt, answer)
	d.at(string(boundary.AfterOutcome))
	return step, err
}
