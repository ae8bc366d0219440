package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// AccountOfInvoice returns whose invoice it is; "" when there is none. Doors ask it before they show anything to somebody who is bound to
// one account (I19).
func (s *Store) AccountOfInvoice(ctx context.Context, id billing.InvoiceID) (billing.AccountID, error) {
	var account billing.AccountID
	err := s.pool.QueryRow(ctx, `select account_id from invoices where id = $1`, id).Scan(&account)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find the account of invoice %s: %w", id, err)
	}
	return account, nil
}
