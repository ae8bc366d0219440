package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// task is something a person has to do (I17). Key names the occasion: the same one opens one task.
type task struct {
	Kind    string
	Key     string
	Attempt string // "" when it is about no attempt
	Detail  map[string]any
}

func (e *episode) openTask(ctx context.Context, t task) error {
	if t.Detail == nil {
		t.Detail = map[string]any{}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("open task %s: %w", t.Key, err)
	}
	const insert = `insert into tasks (id, key, kind, account_id, invoice_id, case_id, attempt_id, detail, opened_at)
		values ($1, $2, $3, nullif($4, ''), nullif($5, ''), nullif($6, ''), nullif($7, '')::uuid, $8, $9) on conflict (key) do nothing`
	if _, err := e.tx.Exec(ctx, insert, id, t.Key, t.Kind, e.account.ID, e.invoice.ID, e.row.ID, t.Attempt, t.Detail, e.now); err != nil {
		return fmt.Errorf("open task %s: %w", t.Key, err)
	}
	return nil
}
