package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

func (i *importer) lookAtCredits(ctx context.Context) error {
	type old struct {
		ID                 billing.CreditID
		Account, Amount    string
		StartsOn           time.Time
		ExpiresAt          *time.Time
		Services, Included []string
		Reason             string
	}
	ids := make([]string, len(i.in.Batch.Credits))
	for n, c := range i.in.Batch.Credits {
		ids[n] = string(c.Credit.ID)
	}
	const query = `select id, account_id, granted_minor::text || ' ' || currency, starts_on, expires_at, services, included_kinds, reason
		from credits where id = any($1)`
	rows, _ := i.tx.Query(ctx, query, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[old])
	if err != nil {
		return fmt.Errorf("look up credits: %w", err)
	}
	there := map[billing.CreditID]old{}
	for _, f := range found {
		there[f.ID] = f
	}
	for _, c := range i.in.Batch.Credits {
		if !i.has(c.Line, "credit.account", c.Credit.AccountID) {
			continue
		}
		if c.ExpiresOn != "" {
			// The last day counts to its end, in the account's zone (T2).
			if c.Credit.ExpiresAt, err = dunning.DueAt(c.ExpiresOn, i.accounts[c.Credit.AccountID].zone); err != nil {
				i.problems.Add(c.Line, "credit.expires_on", "%v", err)
				continue
			}
		}
		o, exists := there[c.Credit.ID]
		if !exists {
			i.fresh.credits = append(i.fresh.credits, c)
			continue
		}
		var expires time.Time
		if o.ExpiresAt != nil {
			expires = o.ExpiresAt.UTC()
		}
		n := c.Credit
		i.count(i.same(c.Line, "credit", string(n.ID), attribute{"account", o.Account, n.AccountID}, attribute{"amount", o.Amount, minor(n.Granted)},
			attribute{"starts_on", o.StartsOn.Format(time.DateOnly), n.StartsOn.Format(time.DateOnly)}, attribute{"expires_on", expires, n.ExpiresAt},
			attribute{"services", o.Services, n.Services}, attribute{"included_kinds", o.Included, n.IncludedKinds}, attribute{"reason", o.Reason, n.Reason}),
			&i.result.Credits)
	}
	i.result.Credits.New = len(i.fresh.credits)
	return nil
}

func (i *importer) writeCredits(ctx context.Context) error {
	columns := []string{"id", "account_id", "currency", "granted_minor", "remaining_minor", "starts_on", "expires_at", "services",
		"included_kinds", "reason", "granted_at"}
	bookings := make([]booking, len(i.fresh.credits))
	for n, b := range i.fresh.credits {
		posting := billing.CreditGranted(b.Credit)
		bookings[n] = booking{"credit_granted:" + string(b.Credit.ID), b.Credit.AccountID, posting}
	}
	err := copyRows(ctx, i.tx, "credits", columns, i.fresh.credits, func(b billing.BatchCredit) []any {
		c := b.Credit
		var expires *time.Time
		if !c.ExpiresAt.IsZero() {
			expires = &c.ExpiresAt
		}
		kinds := make([]string, len(c.IncludedKinds))
		for n, k := range c.IncludedKinds {
			kinds[n] = string(k)
		}
		return []any{string(c.ID), string(c.AccountID), c.Granted.Currency().Code(), c.Granted.Minor(), c.Remaining.Minor(), c.StartsOn,
			expires, append([]string{}, c.Services...), kinds, c.Reason, i.now}
	})
	if err != nil {
		return err
	}
	i.tell(len(i.fresh.credits))
	return copyJournal(ctx, i.tx, bookings)
}
