package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// copyRows writes one row per object, in bulk with COPY.
func copyRows[T any](ctx context.Context, tx pgx.Tx, table string, columns []string, objects []T, values func(T) []any) error {
	if len(objects) == 0 {
		return nil
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(len(objects), func(n int) ([]any, error) {
		return values(objects[n]), nil
	}))
	if err != nil {
		return fmt.Errorf("write %s: %w", table, err)
	}
	return nil
}

// booking is a posting with the fact it books.
type booking struct {
	key     string
	account billing.AccountID
	posting billing.Posting
}

// copyJournal is postJournal for many: the same rows, written with COPY.
func copyJournal(ctx context.Context, tx pgx.Tx, bookings []booking) error {
	if len(bookings) == 0 {
		return nil
	}
	const reserve = `select nextval(pg_get_serial_sequence('journal_transactions', 'id')) from generate_series(1, $1)`
	rows, _ := tx.Query(ctx, reserve, len(bookings))
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("reserve journal ids: %w", err)
	}
	type entry struct {
		transaction int64
		account     billing.AccountID
		billing.Entry
	}
	var entries []entry
	for n, b := range bookings {
		if err := b.posting.Check(); err != nil {
			return fmt.Errorf("post %s: %w", b.key, err)
		}
		for _, e := range b.posting.Entries {
			owner := e.Account.Account
			if owner == "" {
				owner = b.account
			}
			entries = append(entries, entry{ids[n], owner, e})
		}
	}
	at := 0
	// COPY takes the ids given for the identity column; the entries' own are drawn as usual.
	err = copyRows(ctx, tx, "journal_transactions", []string{"id", "kind", "key", "account_id"}, bookings, func(b booking) []any {
		at++
		return []any{ids[at-1], string(b.posting.Kind), b.key, string(b.account)}
	})
	if err != nil {
		return err
	}
	columns := []string{"transaction_id", "ledger_kind", "ledger_account", "account_id", "invoice_id", "credit_id", "deposit_id", "amount_minor", "currency"}
	return copyRows(ctx, tx, "journal_entries", columns, entries, func(e entry) []any {
		return []any{e.transaction, string(e.Account.Kind), e.Account.Code(), string(e.account), orNull(e.Account.Invoice),
			orNull(e.Account.Credit), orNull(e.Account.Deposit), e.Amount.Minor(), e.Amount.Currency().Code()}
	})
}
