package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// BatchPreview is what a batch would do, item by item.
type BatchPreview struct {
	Items int // of the whole batch
	Rows  []PreviewedItem
}

// PreviewedItem is what would become of one item if it were carried out now.
type PreviewedItem struct {
	Number  int
	Invoice billing.InvoiceID
	Case    billing.CaseID
	State   billing.ItemState // done, proposed, refused or not_there
	Says    string
	Next    string
	// Dates are those that a move changes, before and after.
	Dates []dunning.MovedDate
}

// PreviewBatch says what a batch would do to its items after a number, at most limit of them (0: PageMax). Each is carried out as it
// would be and undone; nothing is written.
func (s *Store) PreviewBatch(ctx context.Context, o BatchOrder, after, limit int) (BatchPreview, error) {
	o, err := o.complete()
	if err != nil {
		return BatchPreview{}, err
	}
	var chosen []string
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if o.Kind == billing.BatchMove {
			to, err := s.policy(ctx, tx, o.Policy, o.Version)
			if err != nil {
				return err
			}
			o.Version = to.Version
		}
		chosen, err = s.choose(ctx, tx, o.Of)
		return err
	})
	if err != nil {
		return BatchPreview{}, fmt.Errorf("preview a batch: %w", err)
	}
	p := BatchPreview{Items: len(chosen)}
	if limit <= 0 || limit > PageMax {
		limit = PageMax
	}
	for n := after + 1; n <= len(chosen) && n <= after+limit; n++ {
		row, err := s.rehearseItem(ctx, o, billing.InvoiceID(chosen[n-1]))
		if err != nil {
			return BatchPreview{}, fmt.Errorf("preview invoice %s: %w", chosen[n-1], err)
		}
		row.Number = n
		p.Rows = append(p.Rows, row)
	}
	return p, nil
}

var errUndone = errors.New("undone")

func (s *Store) rehearseItem(ctx context.Context, o BatchOrder, invoice billing.InvoiceID) (PreviewedItem, error) {
	row := PreviewedItem{Invoice: invoice}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if o.Kind == billing.BatchMove {
			var err error
			if row.Dates, err = s.movedDates(ctx, tx, o, invoice); err != nil {
				return err
			}
		}
		done, err := s.carryOutItem(ctx, tx, o, invoice, "preview:"+rand.Text())
		if err != nil {
			return err
		}
		row.Case, row.State, row.Says, row.Next = done.Case, done.State, done.Says, done.Next
		return errUndone
	})
	if errors.Is(err, errUndone) {
		err = nil
	}
	return row, err
}

// movedDates are the dates that a move would change, also of one that is refused.
func (s *Store) movedDates(ctx context.Context, tx pgx.Tx, o BatchOrder, invoice billing.InvoiceID) ([]dunning.MovedDate, error) {
	var id billing.CaseID
	err := tx.QueryRow(ctx, `select id from cases where invoice_id = $1 and finished_at is null`, invoice).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := s.lockCase(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	to, err := s.policy(ctx, tx, o.Policy, o.Version)
	if err != nil {
		return nil, err
	}
	answer, err := e.previewMove(to)
	if err != nil {
		return nil, err
	}
	var changed []dunning.MovedDate
	for _, d := range answer.Move.Next {
		if !d.Was.Equal(d.Is) {
			changed = append(changed, d)
		}
	}
	return changed, nil
}
