// Package starter is the due trigger and the client of a case: it finds invoices that fell due, opens their cases in Postgres and starts
// their workflows, tells workflows to re-read, and keeps every live case running (I20). Postgres is the guard: starting twice, from
// two places or after a crash, starts one.
package starter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"recoup/billing"
	"recoup/boundary"
	"recoup/store"
	"recoup/workflows"
)

// Store is what the starter needs of Postgres.
type Store interface {
	DueInvoices(ctx context.Context, after store.DueInvoice, limit int) ([]store.DueInvoice, error)
	OpenCase(ctx context.Context, id billing.InvoiceID) (store.OpenedCase, error)
	WorkflowStarted(ctx context.Context, id billing.CaseID) error
	LiveCases(ctx context.Context, after billing.CaseID, limit int) ([]billing.CaseID, error)
	CaseToStart(ctx context.Context, id billing.CaseID) (store.OpenedCase, error)
	DuePokes(ctx context.Context, limit int) ([]store.Poke, error)
	PokeDelivered(ctx context.Context, p store.Poke) error
	PokeFailed(ctx context.Context, p store.Poke) error
	WaitForPoke(ctx context.Context) error
	DueBatchWakes(ctx context.Context, limit int) ([]store.WakingBatch, error)
	BatchWoken(ctx context.Context, b store.WakingBatch) error
	BatchNotWoken(ctx context.Context, b store.WakingBatch) error
	LiveBatches(ctx context.Context) ([]store.WakingBatch, error)
}

// Starter starts and wakes the workflows of cases.
type Starter struct {
	Store    Store
	Temporal client.Client
	Log      *slog.Logger
}

// Start opens the case of an invoice that is due and starts its workflow. It returns the case; an invoice with nothing to collect has
// none and Settled is set.
func (s *Starter) Start(ctx context.Context, id billing.InvoiceID) (store.OpenedCase, error) {
	opened, err := s.Store.OpenCase(ctx, id)
	if err != nil || opened.Settled {
		return opened, err
	}
	boundary.At(boundary.AfterOpen, id)
	return opened, s.startWorkflow(ctx, opened)
}

// startWorkflow starts the workflow of an open case; one that runs already is no error.
func (s *Starter) startWorkflow(ctx context.Context, c store.OpenedCase) error {
	options := client.StartWorkflowOptions{
		ID: workflows.CaseWorkflowID(c.ID), TaskQueue: workflows.CaseQueue,
		// Without this a namesake would be returned as if it had been started now, with other arguments.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		// Taken up by a worker of this process when there is one: saves a hop (only for cases of this client).
		EnableEagerStart: true,
		StaticSummary:    fmt.Sprintf("Invoice %s: %s due", c.Number, c.Due),
		StaticDetails:    staticDetails(c),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.AttrStage.ValueSet("collecting"), workflows.AttrAccount.ValueSet(string(c.Account)),
			workflows.AttrAmountDue.ValueSet(c.Due.Minor()), workflows.AttrHeld.ValueSet(false)),
	}
	input := workflows.CaseInput{Case: c.ID, Invoice: c.Invoice, Account: c.Account, Due: c.Due.String(), Tried: c.Tried}
	_, err := s.Temporal.ExecuteWorkflow(ctx, options, workflows.Case, input)
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("start case %s: %w", c.ID, err)
	}
	boundary.At(boundary.AfterStart, c.ID)
	return s.Store.WorkflowStarted(ctx, c.ID)
}

func staticDetails(c store.OpenedCase) string {
	return fmt.Sprintf("Collects invoice `%s` of account `%s`: %s, policy `%s`.\n\nPostgres decides every step; this run may be reset, "+
		"terminated or signalled at any moment without moving money twice. To act: Update `resolve`.", c.Invoice, c.Account, c.Due, c.Policy)
}

// wake tells a case's workflow to re-read, and starts it when it is missing though the case is live.
func (s *Starter) wake(ctx context.Context, p store.Poke) error {
	err := s.Temporal.SignalWorkflow(ctx, workflows.CaseWorkflowID(p.Case), "", workflows.SignalPoke, p.Reason)
	var missing *serviceerror.NotFound
	if err == nil || !errors.As(err, &missing) {
		return err
	}
	if !p.Live {
		return nil
	}
	c, err := s.Store.CaseToStart(ctx, p.Case)
	if err != nil {
		return err
	}
	return s.startWorkflow(ctx, c)
}
