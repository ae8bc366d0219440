package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// Batch is an act over many cases, with how far it is.
type Batch struct {
	ID        billing.BatchID
	RequestID string
	Kind      billing.BatchKind
	Actor     string
	Reason    string
	// Order is what was asked; a list only by its digest. Its Version is that of the policy moved to.
	Order      BatchOrder
	State      billing.BatchState
	StateBy    string // who paused, resumed or cancelled it last; "" for nobody
	StateWhy   string
	RecordedAt time.Time
	EndedAt    time.Time // zero while it runs
	Items      int
	Counts     map[billing.ItemState]int
}

// Waiting is how many items have no outcome yet.
func (b Batch) Waiting() int { return b.Counts[billing.ItemWaiting] }

// Says counts the items by outcome: "30 items: 18 done, 2 refused, 10 waiting".
func (b Batch) Says() string {
	text := fmt.Sprintf("%d items", b.Items)
	between := ": "
	for _, state := range billing.ItemStates() {
		if n := b.Counts[state]; n > 0 {
			text += fmt.Sprintf("%s%d %s", between, n, strings.ReplaceAll(string(state), "_", " "))
			between = ", "
		}
	}
	return text
}

const batchColumns = `b.id, b.request_id, b.kind, b.actor, b.reason, b.asked, coalesce(b.policy_version, 0), b.state, b.state_by, b.state_why, b.recorded_at, b.ended_at,
	b.items, (select jsonb_object_agg(i.state, i.n) from (select state, count(*) as n from batch_items where batch_id = b.id group by state) i)`

func batch(row pgx.CollectableRow) (Batch, error) {
	var b Batch
	var asked []byte
	var version int
	var ended *time.Time
	err := row.Scan(&b.ID, &b.RequestID, &b.Kind, &b.Actor, &b.Reason, &asked, &version, &b.State, &b.StateBy, &b.StateWhy, &b.RecordedAt, &ended, &b.Items, &b.Counts)
	if err == nil {
		err = json.Unmarshal(asked, &b.Order)
	}
	b.Order.Order = Order{Actor: b.Actor, Reason: b.Reason, RequestID: b.RequestID}
	b.Order.Version, b.RecordedAt, b.EndedAt = version, b.RecordedAt.UTC(), orZero(ended)
	return b, err
}

// FindBatch returns one batch.
func (s *Store) FindBatch(ctx context.Context, id billing.BatchID) (Batch, error) {
	if !batchIDShape.MatchString(string(id)) {
		return Batch{}, noBatch(id)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	rows, _ := s.pool.Query(ctx, `select `+batchColumns+` from batches b where b.id = $1`, id)
	b, err := pgx.CollectExactlyOneRow(rows, batch)
	if errors.Is(err, pgx.ErrNoRows) {
		return b, noBatch(id)
	}
	if err != nil {
		return b, fmt.Errorf("read batch %s: %w", id, err)
	}
	return b, nil
}

// BatchPage is one page of batches.
type BatchPage struct {
	Batches []Batch
	Next    string // continues the list; "" at its end
}

// ListBatches returns one page of batches, the newest first.
func (s *Store) ListBatches(ctx context.Context, after string, limit int) (BatchPage, error) {
	q := &conditions{}
	if after != "" {
		key, id, err := readCursor(after)
		if err != nil {
			return BatchPage{}, err
		}
		q.add("(b.recorded_at, b.id) < (?::timestamptz, ?)", key, id)
	}
	limit = pageLimit(limit)
	var page BatchPage
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sql := `select ` + batchColumns + ` from batches b` + q.where() + fmt.Sprintf(` order by b.recorded_at desc, b.id desc limit %d`, limit+1)
		rows, _ := tx.Query(ctx, sql, q.args...)
		found, err := pgx.CollectRows(rows, batch)
		if len(found) > limit {
			found = found[:limit]
			last := found[limit-1]
			page.Next = makeCursor(last.RecordedAt.Format("2006-01-02 15:04:05.999999-07:00"), string(last.ID))
		}
		page.Batches = found
		return err
	})
	if err != nil {
		return BatchPage{}, fmt.Errorf("list batches: %w", err)
	}
	return page, nil
}

// BatchItem is one item of a batch with what became of it.
type BatchItem struct {
	Number    int
	Invoice   billing.InvoiceID
	Account   billing.AccountID
	Case      billing.CaseID // "" until it was carried out, and when there was none
	State     billing.ItemState
	Says      string // what changed, or why not
	Next      string
	RequestID string // of the resolution or move; "" when none was recorded
	EndedAt   time.Time
}

// BatchItems returns a batch's items after a number, in order, at most limit; only those in a state, or with "" all.
func (s *Store) BatchItems(ctx context.Context, id billing.BatchID, state billing.ItemState, after, limit int) ([]BatchItem, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	const query = `select t.number, t.invoice_id, i.account_id, coalesce(t.case_id, ''), t.state, t.says, t.next, t.request_id, t.ended_at
		from batch_items t join invoices i on i.id = t.invoice_id
		where t.batch_id = $1 and ($2 = '' or t.state = $2) and t.number > $3 order by t.number limit $4`
	rows, _ := s.pool.Query(ctx, query, id, state, after, limit)
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (BatchItem, error) {
		var t BatchItem
		var ended *time.Time
		err := row.Scan(&t.Number, &t.Invoice, &t.Account, &t.Case, &t.State, &t.Says, &t.Next, &t.RequestID, &ended)
		t.EndedAt = orZero(ended)
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list items of batch %s: %w", id, err)
	}
	return items, nil
}

// reportPage is how many items of a report are read at a time.
const reportPage = 1000

// EachBatchItem gives every item to take, in order and in constant memory.
func (s *Store) EachBatchItem(ctx context.Context, id billing.BatchID, take func(BatchItem) error) error {
	for after := 0; ; {
		items, err := s.BatchItems(ctx, id, "", after, reportPage)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, t := range items {
			if err := take(t); err != nil {
				return err
			}
		}
		after = items[len(items)-1].Number
	}
}

// WaitingItems returns the numbers of the items from one to another, both included, that have no outcome yet.
func (s *Store) WaitingItems(ctx context.Context, id billing.BatchID, from, to int) ([]int, error) {
	const query = `select number from batch_items where batch_id = $1 and state = 'waiting' and number between $2 and $3 order by number`
	rows, _ := s.pool.Query(ctx, query, id, from, to)
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, fmt.Errorf("read waiting items of batch %s: %w", id, err)
	}
	return numbers, nil
}
