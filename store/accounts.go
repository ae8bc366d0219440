package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

type accountRow struct {
	ID            billing.AccountID
	Name          string
	ParentID      *billing.AccountID
	TimeZone      string
	Locale        string
	Country       string
	Plan          string
	Policy        string
	CreditSharing bool
	Standing      billing.Standing
	Generation    int64
	CreatedAt     time.Time

	NeverSuspendUntil *time.Time
	HeldUntil         *time.Time
	HoldScopes        []string
	HoldExtended      bool
	BackupsOff        bool
}

func (r accountRow) account() billing.Account {
	a := billing.Account{
		ID: r.ID, Name: r.Name, TimeZone: r.TimeZone, Locale: r.Locale, Country: r.Country, Plan: r.Plan, Policy: r.Policy,
		CreditSharing: r.CreditSharing, Standing: r.Standing, Generation: r.Generation, CreatedAt: r.CreatedAt,
		NeverSuspendUntil: orZero(r.NeverSuspendUntil), HeldUntil: orZero(r.HeldUntil), HoldScopes: r.HoldScopes, HoldExtended: r.HoldExtended, BackupsOff: r.BackupsOff,
	}
	if r.ParentID != nil {
		a.ParentID = *r.ParentID
	}
	return a
}

const accountColumns = `a.id, a.name, a.parent_id, a.time_zone, a.locale, a.country, a.plan, a.policy, a.credit_sharing, a.standing, a.generation,
	a.created_at, a.never_suspend_until, a.held_until, a.hold_scopes, a.hold_extended, a.backups_off`

// lockAccounts locks an account and those of its organisation that share credits with it (CR4), in id order, and returns them with
// the account itself first. This lock comes first in every transaction that moves money (M4).
func lockAccounts(ctx context.Context, tx pgx.Tx, id billing.AccountID) (own billing.Account, sharing []billing.Account, err error) {
	const query = `
		select ` + accountColumns + ` from accounts a where a.id in (
			select $1::text
			union
			select o.id from accounts x join accounts o on o.id = x.parent_id or o.parent_id = coalesce(x.parent_id, x.id)
			 where x.id = $1 and o.credit_sharing)
		order by a.id` + accountLock
	rows, _ := tx.Query(ctx, query, id)
	locked, err := pgx.CollectRows(rows, pgx.RowToStructByName[accountRow])
	if err != nil {
		return own, nil, fmt.Errorf("lock account %s: %w", id, err)
	}
	found := false
	for _, r := range locked {
		if r.ID == id {
			own, found = r.account(), true
		} else {
			sharing = append(sharing, r.account())
		}
	}
	if !found {
		return own, nil, billing.Refuse(billing.RefusedNotFound, "account", "there is no account %s", id)
	}
	return own, sharing, nil
}
