package activities

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"recoup/billing"
	"recoup/boundary"
	"recoup/gateway"
)

// Books is what a reconciliation needs of Postgres.
type Books interface {
	CompareCharges(ctx context.Context, gateway string, charges []billing.ListedCharge) ([]billing.Mismatch, error)
	Receipts(ctx context.Context, gateway string, from, to time.Time, after billing.AttemptID, limit int) ([]billing.Mismatch, error)
	RaiseMismatch(ctx context.Context, m billing.Mismatch) (fresh bool, err error)
	AskAboutReversals(ctx context.Context, gateway string, payments []string) (asked int, err error)
}

// Reconciling compares what gateways say they took with what is booked, in both directions (I1, I2).
type Reconciling struct {
	Books    Books
	Gateways []gateway.Gateway
	Log      *slog.Logger
}

// ReconcileInput bounds a reconciliation: attempts first sent, and payments created, in [From, To).
type ReconcileInput struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// ReconcileReport says what was compared.
type ReconcileReport struct {
	Charges    int                `json:"charges"`  // payments in the gateways' lists
	Receipts   int                `json:"receipts"` // receipts of attempts sent in the time
	Mismatches []billing.Mismatch `json:"mismatches,omitempty"`
	Raised     int                `json:"raised"`               // of them new: a task was opened
	TakenBack  int                `json:"taken_back,omitempty"` // successes of which a gateway lists a return or dispute: asked about again
}

// Bounds of a reconciliation.
const (
	receiptsPage = 500
	// keySpan is how much later than its first send an attempt's payment may be created: as long as keys live.
	keySpan = 25 * time.Hour
	skew    = time.Hour
	// listedMax bounds what a report holds; all mismatches are raised and counted by their tasks.
	listedMax = 1000
)

// Reconcile compares the gateways that can list what they took. The gateway's list is read first: what it took before has its attempt
// committed (PM5). Running it again raises nothing twice.
func (r *Reconciling) Reconcile(ctx context.Context, in ReconcileInput) (ReconcileReport, error) {
	var report ReconcileReport
	for _, g := range r.Gateways {
		lister, ok := g.(gateway.ChargeLister)
		if !ok {
			r.Log.Warn("not reconciled: the gateway can't list what it took", "gateway", g.Name())
			continue
		}
		if err := r.gateway(ctx, g.Name(), lister, in, &report); err != nil {
			return report, fmt.Errorf("reconcile %s: %w", g.Name(), err)
		}
		if lister, ok := g.(gateway.ReversalLister); ok {
			if err := r.reversals(ctx, g.Name(), lister, in, &report); err != nil {
				return report, fmt.Errorf("reconcile %s: %w", g.Name(), err)
			}
		}
	}
	return report, nil
}

func (r *Reconciling) gateway(ctx context.Context, name string, lister gateway.ChargeLister, in ReconcileInput, report *ReconcileReport) error {
	seen := map[billing.AttemptID]string{}
	for cursor, more := "", true; more; {
		page, err := lister.ListCharges(ctx, in.From.Add(-skew), in.To.Add(keySpan), cursor)
		if err != nil {
			return err
		}
		found, err := r.Books.CompareCharges(ctx, name, page.Charges)
		if err != nil {
			return err
		}
		for _, c := range page.Charges {
			if before, twice := seen[c.Attempt]; twice && c.Attempt != "" && before != c.Reference {
				found = append(found, billing.Mismatch{Kind: billing.ChargedTwice, Gateway: name, Reference: c.Reference, Attempt: c.Attempt,
					Detail: fmt.Sprintf("%s was taken, and %s carries the same mark", c.Taken, before)})
			}
			seen[c.Attempt] = c.Reference
		}
		report.Charges += len(page.Charges)
		if err := r.raise(ctx, found, report); err != nil {
			return err
		}
		beat(ctx)
		cursor, more = page.Next, page.Next != ""
	}
	return r.receipts(ctx, name, in, seen, report)
}

// reversals has the gateway asked about every success of which it lists a return or dispute: its webhook may never have come (faults.md
// B5). The workers ask, and book what they find on the one path of every reversal (U5).
func (r *Reconciling) reversals(ctx context.Context, name string, lister gateway.ReversalLister, in ReconcileInput, report *ReconcileReport) error {
	for cursor, more := "", true; more; {
		page, err := lister.ListReversals(ctx, in.From.Add(-skew), in.To.Add(keySpan), cursor)
		if err != nil {
			return err
		}
		asked, err := r.Books.AskAboutReversals(ctx, name, page.Payments)
		if err != nil {
			return err
		}
		report.TakenBack += asked
		beat(ctx)
		cursor, more = page.Next, page.Next != ""
	}
	return nil
}

// receipts looks for what is booked and the gateway's list doesn't have.
func (r *Reconciling) receipts(ctx context.Context, name string, in ReconcileInput, seen map[billing.AttemptID]string, report *ReconcileReport) error {
	var after billing.AttemptID
	for {
		page, err := r.Books.Receipts(ctx, name, in.From, in.To, after, receiptsPage)
		if err != nil || len(page) == 0 {
			return err
		}
		var found []billing.Mismatch
		for _, m := range page {
			if _, listed := seen[m.Attempt]; !listed {
				found = append(found, m)
			}
		}
		report.Receipts += len(page)
		if err := r.raise(ctx, found, report); err != nil {
			return err
		}
		beat(ctx)
		after = page[len(page)-1].Attempt
	}
}

func (r *Reconciling) raise(ctx context.Context, found []billing.Mismatch, report *ReconcileReport) error {
	for _, m := range found {
		fresh, err := r.Books.RaiseMismatch(ctx, m)
		if err != nil {
			return err
		}
		boundary.At(boundary.AfterMismatch, cmp.Or(string(m.Account), string(m.Attempt), m.Reference))
		if fresh {
			report.Raised++
			r.Log.Error("gateway and ledger differ", "kind", m.Kind, "gateway", m.Gateway, "reference", m.Reference, "attempt", m.Attempt)
		}
		if len(report.Mismatches) < listedMax {
			report.Mismatches = append(report.Mismatches, m)
		}
	}
	return nil
}

// beat tells Temporal that the activity goes on; from the command line there is nobody to tell.
func beat(ctx context.Context) {
	if activity.IsActivity(ctx) {
		activity.RecordHeartbeat(ctx)
	}
}
