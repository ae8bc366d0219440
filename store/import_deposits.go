package store

import (
	"context"
	"fmt"
	"slices"
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
		// Pending in the file and settled since is the ordinary course of things; the other way round, the money has arrived (AF3).
		if same && n.State == billing.DepositSettled && o.State == billing.DepositPending {
			i.fresh.arrived = append(i.fresh.arrived, d)
			continue
		}
		i.count(same, &i.result.Deposits)
	}
	i.result.Deposits.New, i.result.Arrived = len(i.fresh.deposits), len(i.fresh.arrived)
	return nil
}

func (i *importer) writeDeposits(ctx context.Context) error {
	columns := []string{"id", "account_id", "state", "reference", "currency", "amount_minor", "remaining_minor", "settled_at", "created_at"}
	err := copyRows(ctx, i.tx, "deposits", columns, i.fresh.deposits, func(b billing.BatchDeposit) []any {
		d := b.Deposit
		return []any{string(d.ID), string(d.AccountID), string(d.State), d.Reference, d.Amount.Currency().Code(), d.Amount.Minor(),
			d.Remaining.Minor(), settledAt(b), i.now}
	})
	if err != nil {
		return err
	}
	for _, b := range i.fresh.arrived {
		const settle = `update deposits set state = 'settled', settled_at = $2 where id = $1 and state = 'pending'`
		tag, err := i.tx.Exec(ctx, settle, b.Deposit.ID, settledAt(b))
		if err != nil {
			return fmt.Errorf("settle deposit %s: %w", b.Deposit.ID, err)
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("settle deposit %s: it is no longer pending", b.Deposit.ID)
		}
	}
	var bookings []booking
	for _, b := range slices.Concat(i.fresh.deposits, i.fresh.arrived) {
		if b.Deposit.State == billing.DepositSettled {
			bookings = append(bookings, booking{"deposit_settled:" + string(b.Deposit.ID), b.Deposit.AccountID, billing.DepositArrived(b.Deposit)})
		}
	}
	i.tell(len(i.fresh.deposits) + len(i.fresh.arrived))
	return copyJournal(ctx, i.tx, bookings)
}

// settledAt is the start of the day the money arrived, or nil while it hasn't.
func settledAt(b billing.BatchDeposit) *time.Time {
	at, err := time.Parse(time.DateOnly, b.SettledOn)
	if err != nil {
		return nil // not settled: other texts were refused when the file was read
	}
	return &at
}
