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

// OwnInvoice returns an invoice of the account; nil when it has none of that id (I19).
func (s *Store) OwnInvoice(ctx context.Context, account billing.AccountID, id billing.InvoiceID) (*InvoiceView, error) {
	rows, err := s.pool.Query(ctx, `select `+invoiceViewColumns+` from invoices i join accounts a on a.id = i.account_id where i.id = $1 and i.account_id = $2`,
		id, account)
	if err != nil {
		return nil, fmt.Errorf("read invoice %s: %w", id, err)
	}
	v, err := pgx.CollectExactlyOneRow(rows, scanInvoice)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read invoice %s: %w", id, err)
	}
	return &v, nil
}

// LiveCasesOf returns an account's cases that are not finished, by id, at most as many as its page shows.
func (s *Store) LiveCasesOf(ctx context.Context, account billing.AccountID) (map[billing.CaseID]CaseView, error) {
	rows, err := s.pool.Query(ctx, "select "+caseViewColumns+caseViewTables+" where c.account_id = $1 and c.finished_at is null order by c.id limit $2",
		account, accountRowsMax)
	if err != nil {
		return nil, fmt.Errorf("read live cases of account %s: %w", account, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[caseViewRow])
	if err != nil {
		return nil, fmt.Errorf("read live cases of account %s: %w", account, err)
	}
	live := map[billing.CaseID]CaseView{}
	for _, r := range found {
		v, err := r.view()
		if err != nil {
			return nil, err
		}
		live[v.ID] = v
	}
	return live, nil
}
