//go:build !canary_webhook_believed

package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// lookUpNow brings the look-up of an open attempt forward and wakes its case. One whose call is under way is left alone: keepOpen
// remembers the event when the call's own answer settles nothing (faults.md B3).
func lookUpNow(ctx context.Context, tx pgx.Tx, attempt uuid.UUID, now time.Time, reason string) error {
	const update = `update attempts set next_at = least(next_at, $2)
		where id = $1 and state in ('unknown', 'pending', 'action_required') returning case_id`
	var id billing.CaseID
	err := tx.QueryRow(ctx, update, attempt, now).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return poke(ctx, tx, id, reason)
}
