//go:build !canary_late_success_dropped

package store

import (
	"context"
	"fmt"

	"recoup/billing"
)

// recordLate keeps what is heard of an attempt that has ended. Money that arrives after a proved "not sent" or a decline is booked to
// unapplied funds with a refund task, never dropped (U4).
func (e *episode) recordLate(ctx context.Context, row attemptRow, answer billing.Answer) error {
	if row.State == billing.AttemptSucceeded || answer.State != billing.AttemptSucceeded {
		return nil
	}
	var booked bool
	const heard = `select exists (select 1 from journal_transactions where key = $1)`
	if err := e.tx.QueryRow(ctx, heard, receiptKey(row)).Scan(&booked); err != nil {
		return fmt.Errorf("record late answer of attempt %s: %w", row.ID, err)
	}
	if booked {
		return nil // told again (I2)
	}
	if err := e.attemptEvent(ctx, row.ID, row.State, row.State, map[string]any{"late": answer.State, "reference": answer.Reference}); err != nil {
		return err
	}
	if err := e.heardOfReversal(ctx, row, answer.Reference); err != nil {
		return err
	}
	return e.bookLateMoney(ctx, row, answer)
}
