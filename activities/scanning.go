package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"recoup/store"
)

// ScanReport says what a scan for due invoices or a check of live cases did.
type ScanReport struct {
	Found   int `json:"found"`   // invoices due without a running case, or live cases looked at
	Started int `json:"started"` // workflows started
	Failed  int `json:"failed"`  // left for the next scan; the log says why
}

// Trigger finds what has to be started, in pages, and starts it.
type Trigger interface {
	// Scan goes on after a place in the order (collect_at, id) and calls progress with the place reached.
	Scan(ctx context.Context, after store.DueInvoice, progress func(store.DueInvoice)) (ScanReport, error)
	// CheckLive starts what is missing of the live cases (I20).
	CheckLive(ctx context.Context, progress func()) (ScanReport, error)
}

// Scanning holds the activities of the due trigger.
type Scanning struct {
	Trigger Trigger
}

// ScanDueInvoices opens a case and starts its workflow for every invoice that is due (T2). It heartbeats its place, so a scan that was cut
// off goes on there; starting one twice is impossible by the case's row.
func (s *Scanning) ScanDueInvoices(ctx context.Context) (ScanReport, error) {
	var after store.DueInvoice
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &after); err != nil {
			after = store.DueInvoice{} // from the start: only slower
		}
	}
	return s.Trigger.Scan(ctx, after, func(place store.DueInvoice) { activity.RecordHeartbeat(ctx, place) })
}

// CheckLiveCases starts the workflow of every live case that has none: after a termination, a lost start or a restored Temporal (I20).
func (s *Scanning) CheckLiveCases(ctx context.Context) (ScanReport, error) {
	return s.Trigger.CheckLive(ctx, func() { activity.RecordHeartbeat(ctx) })
}
