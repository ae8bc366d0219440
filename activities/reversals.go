package activities

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
	"recoup/gateway"
	"recoup/store"
)

// ReversalStore is what looking for reversals needs of Postgres.
type ReversalStore interface {
	DueReversalChecks(ctx context.Context, limit int) ([]store.ReversalCheck, error)
	RecordAnswer(ctx context.Context, id billing.CaseID, attempt billing.AttemptID, answer billing.Answer) (dunning.Step, error)
	RecordReversal(ctx context.Context, attempt billing.AttemptID, r billing.Reversal) (booked bool, err error)
	ReversalChecked(ctx context.Context, c store.ReversalCheck) error
	ReversalCheckFailed(ctx context.Context, c store.ReversalCheck) error
	WaitForReversal(ctx context.Context) error
}

// Reversals asks gateways about ended attempts: successes that may have been taken back (U5), and others that took money after all
// (U4). It is a loop and no workflow: the case that collected the
// money is long finished, and a new one starts with what is found.
type Reversals struct {
	Store    ReversalStore
	Gateways []gateway.Gateway
	Log      *slog.Logger
}

const (
	reversalPage  = 50
	reversalEvery = 30 * time.Second // the longest a check waits when its notification was lost
)

// Run looks until ctx ends. Trouble is logged and tried again, never returned.
func (r *Reversals) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := r.Look(ctx)
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("reversals not read", "error", err)
		}
		if n == reversalPage {
			continue
		}
		waitCtx, cancel := context.WithTimeout(ctx, reversalEvery)
		if err := r.Store.WaitForReversal(waitCtx); err != nil && waitCtx.Err() == nil {
			r.Log.Warn("not listening for reversals", "error", err)
			<-waitCtx.Done()
		}
		cancel()
	}
	return nil
}

// Look asks about the attempts that are due, once each, and returns how many there were.
func (r *Reversals) Look(ctx context.Context) (int, error) {
	checks, err := r.Store.DueReversalChecks(ctx, reversalPage)
	if err != nil {
		return 0, err
	}
	for _, c := range checks {
		done := r.Store.ReversalChecked
		if err := r.ask(ctx, c); err != nil {
			r.Log.Warn("gateway not asked about a reversal", "attempt", c.Attempt, "tries", c.Tries, "error", err)
			done = r.Store.ReversalCheckFailed
		}
		if err := done(ctx, c); err != nil {
			return 0, err
		}
	}
	return len(checks), nil
}

func (r *Reversals) ask(ctx context.Context, c store.ReversalCheck) error {
	for _, g := range r.Gateways {
		req := gateway.LookUpRequest{Attempt: c.Attempt, Reference: c.Reference, FirstSentAt: c.FirstSentAt}
		if g.Name() == c.Gateway && c.State != billing.AttemptSucceeded {
			return r.late(ctx, g, c, req)
		}
		reader, can := g.(gateway.ReversalReader)
		if g.Name() != c.Gateway || !can {
			continue
		}
		found, err := reader.Reversals(ctx, req)
		if err != nil {
			return err
		}
		for _, reversal := range found {
			boundary.At(boundary.BeforeReverse, c.Case)
			booked, err := r.Store.RecordReversal(ctx, c.Attempt, reversal)
			if err != nil {
				return err
			}
			boundary.At(boundary.AfterReverse, c.Case)
			if booked {
				r.Log.Info("money was taken back", "attempt", c.Attempt, "reference", reversal.Reference, "code", reversal.Code)
			}
		}
		return nil
	}
	return fmt.Errorf("no gateway %s here can tell of reversals", c.Gateway)
}

// late asks whether an attempt that ended without money took some after all; RecordAnswer books that to unapplied funds (U4).
func (r *Reversals) late(ctx context.Context, g gateway.Gateway, c store.ReversalCheck, req gateway.LookUpRequest) error {
	if !c.State.Final() {
		return nil // its case looks it up
	}
	callCtx, cancel := context.WithTimeout(ctx, g.Contract().Timeout)
	defer cancel()
	switch answer := g.LookUp(callCtx, req); answer.State {
	case billing.AttemptSucceeded:
		_, err := r.Store.RecordAnswer(ctx, c.Case, c.Attempt, answer)
		return err
	case billing.AttemptUnknown:
		return fmt.Errorf("look-up: %s", answer.Message)
	}
	return nil
}
