// Package activities holds what a case's workflow asks for: one method = one business fact, one XInput, one XResult. It declares the
// small interfaces it needs and knows neither SQL, HTTP nor SMTP. Every activity may run again at any moment: the facts are guarded in
// Postgres, not here. A decline is a result, never an error; an error means that the fact could not be established and is tried again.
package activities

import (
	"context"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
	"recoup/store"
)

// CaseStore is what the facts of a case need of Postgres.
type CaseStore interface {
	Review(ctx context.Context, id billing.CaseID) (dunning.Step, error)
	FinalNotice(ctx context.Context, id billing.CaseID) (dunning.Step, error)
	ScheduleSuspension(ctx context.Context, id billing.CaseID) (dunning.Step, error)
	Suspend(ctx context.Context, id billing.CaseID) (dunning.Step, error)
	CloseAccount(ctx context.Context, id billing.CaseID) (dunning.Step, error)
	Resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error)
}

// Case holds the facts that only touch Postgres.
type Case struct {
	Store CaseStore
}

// CaseInput names the case.
type CaseInput struct {
	Case billing.CaseID `json:"case"`
}

// CaseResult says what comes next.
type CaseResult struct {
	// Attempt and Outcome tell of the attempt that the activity was about, in codes.
	Attempt billing.AttemptID `json:"attempt,omitempty"`
	Outcome string            `json:"outcome,omitempty"`
	Next    dunning.Step      `json:"next"`
}

// ReviewCase re-reads a case: credits and advance funds are applied, and what comes next is decided (CR1–CR7, AF1–AF4).
func (a *Case) ReviewCase(ctx context.Context, in CaseInput) (CaseResult, error) {
	next, err := a.Store.Review(ctx, in.Case)
	return committed(boundary.AfterReview, in, next, err)
}

// SendFinalNotice tells the customer that automatic attempts end and when the account will be suspended.
func (a *Case) SendFinalNotice(ctx context.Context, in CaseInput) (CaseResult, error) {
	next, err := a.Store.FinalNotice(ctx, in.Case)
	return committed(boundary.AfterFinal, in, next, err)
}

// ScheduleSuspension sends the last reminder before the suspension.
func (a *Case) ScheduleSuspension(ctx context.Context, in CaseInput) (CaseResult, error) {
	next, err := a.Store.ScheduleSuspension(ctx, in.Case)
	return committed(boundary.AfterSchedule, in, next, err)
}

// SuspendAccount carries out the guarded statement S2, or puts it off and says why.
func (a *Case) SuspendAccount(ctx context.Context, in CaseInput) (CaseResult, error) {
	next, err := a.Store.Suspend(ctx, in.Case)
	return committed(boundary.AfterSuspend, in, next, err)
}

// CloseAccount closes the account of an invoice that stayed unpaid to the policy's end.
func (a *Case) CloseAccount(ctx context.Context, in CaseInput) (CaseResult, error) {
	next, err := a.Store.CloseAccount(ctx, in.Case)
	return committed(boundary.AfterClose, in, next, err)
}

// ResolveInput is a person's decision.
type ResolveInput struct {
	Resolution billing.Resolution `json:"resolution"`
}

// ResolveResult says what it changed.
type ResolveResult struct {
	Answer billing.ResolutionAnswer `json:"answer"`
}

// ApplyResolution records and carries out a person's decision (R1, R2). A refusal is an error of type RefusalError.
func (a *Case) ApplyResolution(ctx context.Context, in ResolveInput) (ResolveResult, error) {
	answer, err := a.Store.Resolve(store.WithOrigin(ctx, store.Origin{Door: "workflow"}), in.Resolution)
	if err != nil {
		return ResolveResult{}, temporalError(err)
	}
	return ResolveResult{Answer: answer}, nil
}

// committed is the result of a fact that is in Postgres and that the workflow has not heard of.
func committed(label boundary.Label, in CaseInput, next dunning.Step, err error) (CaseResult, error) {
	if err == nil {
		boundary.At(label, in.Case)
	}
	return result(next, err)
}

func result(next dunning.Step, err error) (CaseResult, error) {
	if err != nil {
		return CaseResult{}, temporalError(err)
	}
	return CaseResult{Next: next}, nil
}
