package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// postJournal books one posting (M2). key names the fact, so that the same fact can't be booked twice: a second time is an error of
// the constraint journal_transactions_key_once.
func postJournal(ctx context.Context, tx pgx.Tx, key string, account billing.AccountID, p billing.Posting) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("post %s: %w", key, err)
	}
	const open = `insert into journal_transactions (kind, key, account_id) values ($1, $2, $3) returning id`
	var id int64
	if err := tx.QueryRow(ctx, open, string(p.Kind), key, account).Scan(&id); err != nil {
		return fmt.Errorf("post %s: %w", key, err)
	}
	const entry = `insert into journal_entries
		(transaction_id, ledger_kind, ledger_account, account_id, invoice_id, credit_id, deposit_id, amount_minor, currency)
		values ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), $8, $9)`
	batch := &pgx.Batch{}
	for _, e := range p.Entries {
		owner := e.Account.Account
		if owner == "" {
			owner = account
		}
		batch.Queue(entry, id, string(e.Account.Kind), e.Account.Code(), owner, e.Account.Invoice, e.Account.Credit,
			e.Account.Deposit, e.Amount.Minor(), e.Amount.Currency().Code())
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("post %s: %w", key, err)
	}
	return nil
}
