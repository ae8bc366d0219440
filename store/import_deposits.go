package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

func (i *importer) lookAtDeposits(ctx context.Context) error {
	type old struct {
		ID                         billing.DepositID
		Account, Amount, Reference string
		State                      billing.DepositState
	}
	ids := make([]string, len(i.in.Batch.Deposits))
	for n, d := range i.in.Batch.Deposits {
		ids[n] = string(d.Deposit.ID)
	}
	const query = `select id, account_id, amount_minor::text || ' ' || currency, reference, state from deposits where id = any($1)`
	rows, _ := i.tx.Query(ctx, query, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[old])
	if err != nil {
		return fmt.Errorf("look up deposits: %w", err)
	}
	there := map[billing.DepositID]old{}
	for _, f := range found {
		there[f.ID] = f
	}
	for _, d := range i.in.Batch.Deposits {
		n := d.Deposit
		if !i.has(d.Line, "deposit.account", n.AccountID) {
			continue
		}
		if d.SettledOn > i.now.Add(14*time.Hour).Format(time.DateOnly) { // somewhere on earth it is that day already
			i.problems.Add(d.Line, "deposit.settled_on", "%s is still to come: leave it out until the money is there (AF3)", d.SettledOn)
			continue
		}
		o, exists := there[n.ID]
		if !exists {
			i.fresh.deposits = append(i.fresh.deposits, d)
			continue
		}
		same := i.same(d.Line, "deposit", string(n.ID), attribute{"account", o.Account, n.AccountID}, attribute{"amount", o.Amount, minor(n.Amount)},
			attribute{"reference", strings.TrimSpace(o.Reference), n.Reference})
		// Pending in the file and settled since is the ordinary course of things; the other way round is news this file can't bring.
		if same && n.State == billing.DepositSettled && o.State == billing.DepositPending {
			i.problems.Add(d.Line, "deposit.settled_on", "%s is there already as pending: settle it there", n.ID)
			same = false
		}
		i.count(same, &i.result.Deposits)
	}
	i.result.Deposits.New = len(i.fresh.deposits)
	return nil
}

func (i *importer) writeDeposits(ctx context.Context) error {
	columns := []string{"id", "account_id", "state", "reference", "currency", "amount_minor", "remaining_minor", "settled_at", "created_at"}
	var bookings []booking
	for _, b := range i.fresh.deposits {
		if b.Deposit.State != billing.DepositSettled {
			continue
		}
		posting := billing.DepositArrived(b.Deposit)
		bookings = append(bookings, booking{"deposit_settled:" + string(b.Deposit.ID), b.Deposit.AccountID, posting})
	}
	err := copyRows(ctx, i.tx, "deposits", columns, i.fresh.deposits, func(b billing.BatchDeposit) []any {
		d := b.Deposit
		var settled *time.Time
		if d.State == billing.DepositSettled {
			at, _ := time.Parse(time.DateOnly, b.SettledOn) // read as a date before
			settled = &at
		}
		return []any{string(d.ID), string(d.AccountID), string(d.State), d.Reference, d.Amount.Currency().Code(), d.Amount.Minor(),
			d.Remaining.Minor(), settled, i.now}
	})
	if err != nil {
		return err
	}
	i.tell(len(i.fresh.deposits))
	return copyJournal(ctx, i.tx, bookings)
}
