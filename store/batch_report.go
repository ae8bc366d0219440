package store

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"recoup/billing"
)

// Formats of a batch's report.
const (
	ReportCSV  = "csv"
	ReportJSON = "json"
)

// WriteBatchReport writes what became of every item of a batch, in constant memory: as CSV with a line of names first, or as one JSON
// object with the batch and its items.
func (s *Store) WriteBatchReport(ctx context.Context, id billing.BatchID, format string, w io.Writer) error {
	b, err := s.FindBatch(ctx, id)
	if err != nil {
		return err
	}
	switch format {
	case ReportCSV:
		return s.reportCSV(ctx, id, w)
	case ReportJSON:
		return s.reportJSON(ctx, b, w)
	}
	return billing.Refuse(billing.RefusedInvalid, "format", "%q is neither %s nor %s", format, ReportCSV, ReportJSON)
}

func (s *Store) reportCSV(ctx context.Context, id billing.BatchID, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"number", "invoice", "account", "case", "outcome", "says", "next", "request_id", "at"}); err != nil {
		return err
	}
	err := s.EachBatchItem(ctx, id, func(t BatchItem) error {
		return out.Write([]string{strconv.Itoa(t.Number), string(t.Invoice), string(t.Account), string(t.Case), string(t.State), t.Says, t.Next, t.RequestID,
			instantText(t.EndedAt)})
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// BatchSummary is a batch on the wire.
type BatchSummary struct {
	ID         billing.BatchID           `json:"id"`
	Kind       billing.BatchKind         `json:"kind"`
	State      billing.BatchState        `json:"state"`
	Actor      string                    `json:"actor"`
	Reason     string                    `json:"reason"`
	RequestID  string                    `json:"request_id"`
	Of         string                    `json:"of" doc:"how the invoices were chosen"`
	Until      *time.Time                `json:"until,omitempty" doc:"of a hold"`
	Scope      []string                  `json:"scope,omitempty" doc:"of a hold; none: all"`
	Policy     string                    `json:"policy,omitempty" doc:"moved to"`
	Version    int                       `json:"version,omitempty" doc:"of that policy"`
	PerMinute  int                       `json:"per_minute"`
	Items      int                       `json:"items"`
	Counts     map[billing.ItemState]int `json:"counts" doc:"items by outcome"`
	StateBy    string                    `json:"state_by,omitempty" doc:"who paused, resumed or cancelled it last"`
	StateWhy   string                    `json:"state_why,omitempty"`
	RecordedAt time.Time                 `json:"recorded_at"`
	EndedAt    *time.Time                `json:"ended_at,omitempty"`
}

// Summary is the batch as the API and its report show it.
func (b Batch) Summary() BatchSummary {
	return BatchSummary{ID: b.ID, Kind: b.Kind, State: b.State, Actor: b.Actor, Reason: b.Reason, RequestID: b.RequestID, Of: b.Order.Of.Says(),
		Until: timeOrNull(b.Order.Until), Scope: b.Order.Scope, Policy: b.Order.Policy, Version: b.Order.Version, PerMinute: b.Order.PerMinute,
		Items: b.Items, Counts: b.Counts, StateBy: b.StateBy, StateWhy: b.StateWhy, RecordedAt: b.RecordedAt, EndedAt: timeOrNull(b.EndedAt)}
}

// BatchLine is an item on the wire.
type BatchLine struct {
	Number    int               `json:"number"`
	Invoice   billing.InvoiceID `json:"invoice"`
	Account   billing.AccountID `json:"account"`
	Case      billing.CaseID    `json:"case,omitempty" doc:"the case it was carried out on"`
	Outcome   billing.ItemState `json:"outcome" enum:"waiting,done,proposed,refused,not_there,failed,left_out"`
	Says      string            `json:"says,omitempty" doc:"what it changed, or why it did not"`
	Next      string            `json:"next,omitempty" doc:"what the case does next"`
	RequestID string            `json:"request_id,omitempty" doc:"of the decision or move that it was carried out as"`
	At        *time.Time        `json:"at,omitempty"`
}

// Line is the item as the API and the report show it.
func (t BatchItem) Line() BatchLine {
	return BatchLine{t.Number, t.Invoice, t.Account, t.Case, t.State, t.Says, t.Next, t.RequestID, timeOrNull(t.EndedAt)}
}

func (s *Store) reportJSON(ctx context.Context, b Batch, w io.Writer) error {
	head, err := json.Marshal(b.Summary())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "{\"batch\":%s,\n\"items\":[", head); err != nil {
		return err
	}
	between := "\n"
	err = s.EachBatchItem(ctx, b.ID, func(t BatchItem) error {
		line, err := json.Marshal(t.Line())
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", between, line)
		}
		between = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n]}\n")
	return err
}
