package activities

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/activity"

	"recoup/billing"
	"recoup/store"
)

// BatchStore is what a batch needs of Postgres.
type BatchStore interface {
	BatchStatus(ctx context.Context, id billing.BatchID) (store.BatchStatus, error)
	WaitingItems(ctx context.Context, id billing.BatchID, from, to int) ([]int, error)
	CarryOutItem(ctx context.Context, id billing.BatchID, number int) error
	FailItem(ctx context.Context, id billing.BatchID, number int) error
}

// Batches holds the facts of acts over many cases.
type Batches struct {
	Store BatchStore
	Log   *slog.Logger
}

// BatchProgress is how far a batch is: numbers and codes only (I18).
type BatchProgress struct {
	State     billing.BatchState        `json:"state"`
	Kind      billing.BatchKind         `json:"kind"`
	PerMinute int                       `json:"per_minute"`
	Items     int                       `json:"items"`
	Counts    map[billing.ItemState]int `json:"counts"`
	// FirstWaiting is the number of the first item without an outcome; 0 when each has one.
	FirstWaiting int `json:"first_waiting,omitempty"`
}

// BatchInput names a batch.
type BatchInput struct {
	Batch billing.BatchID `json:"batch"`
}

// ReadBatch says how far a batch is.
func (a *Batches) ReadBatch(ctx context.Context, in BatchInput) (BatchProgress, error) {
	return a.progress(ctx, in.Batch)
}

// CarryOutInput names items of a batch, both ends included: the same ones when it is tried again, so that the rate is kept.
type CarryOutInput struct {
	Batch billing.BatchID `json:"batch"`
	From  int             `json:"from"`
	To    int             `json:"to"`
}

// itemTries is after how many tries of the activity an item that fails for a reason of ours is given up: about two minutes, by its retry policy.
const itemTries = 8

// CarryOutItems carries out the items that have no outcome yet. One that fails for a reason of ours is tried again with the activity, and
// the others don't wait for it; the last try gives it up.
func (a *Batches) CarryOutItems(ctx context.Context, in CarryOutInput) (BatchProgress, error) {
	waiting, err := a.Store.WaitingItems(ctx, in.Batch, in.From, in.To)
	if err != nil {
		return BatchProgress{}, err
	}
	lastTry := activity.IsActivity(ctx) && activity.GetInfo(ctx).Attempt >= itemTries
	var failed error
	for _, n := range waiting {
		beat(ctx)
		err := a.Store.CarryOutItem(ctx, in.Batch, n)
		if err == nil || ctx.Err() != nil {
			continue
		}
		a.Log.Error("an item of a batch was not carried out", "batch", in.Batch, "item", n, "error", err)
		if lastTry {
			err = a.Store.FailItem(ctx, in.Batch, n)
		}
		failed = errors.Join(failed, err)
	}
	if err := errors.Join(failed, ctx.Err()); err != nil {
		return BatchProgress{}, temporalError(err)
	}
	return a.progress(ctx, in.Batch)
}

func (a *Batches) progress(ctx context.Context, id billing.BatchID) (BatchProgress, error) {
	s, err := a.Store.BatchStatus(ctx, id)
	if err != nil {
		return BatchProgress{}, temporalError(err)
	}
	return BatchProgress{State: s.State, Kind: s.Kind, PerMinute: s.PerMinute, Items: s.Items, Counts: s.Counts, FirstWaiting: s.FirstWaiting}, nil
}
