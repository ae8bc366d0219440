package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

func (d *AccountDetail) readPeople(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select account_id, position, name, email from contacts where account_id = $1 order by position limit $2",
		d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	if d.Contacts, err = pgx.CollectRows(rows, pgx.RowToStructByName[billing.Contact]); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, "select id from accounts where parent_id = $1 order by id limit $2", d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Children, err = pgx.CollectRows(rows, pgx.RowTo[billing.AccountID])
	return err
}

// readResolutions reads the last decisions about the account as a whole.
func (d *AccountDetail) readResolutions(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select * from (select request_id, kind, actor, reason, fields, answer, decided_at as at, state from resolutions
		 where account_id = $1 and case_id is null order by decided_at desc, request_id desc limit $2) last order by at, request_id`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Resolutions, err = pgx.CollectRows(rows, pgx.RowToStructByName[ResolutionView])
	return err
}

func (d *AccountDetail) readStandings(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select cause, coalesce(case_id, ''), suspended_at, lifted_at, lifted_because from suspensions
		 where account_id = $1 order by suspended_at desc, id limit $2`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Standings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (StandingView, error) {
		var v StandingView
		var lifted *time.Time
		err := row.Scan(&v.Cause, &v.Case, &v.SuspendedAt, &lifted, &v.LiftedBecause)
		v.LiftedAt = orZero(lifted)
		return v, err
	})
	if err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `
		select generation, standing, reason, created_at, accepted_at, tries, problem from standing_calls
		 where account_id = $1 order by generation desc limit $2`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Calls, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (StandingCall, error) {
		var v StandingCall
		var accepted *time.Time
		err := row.Scan(&v.Generation, &v.Standing, &v.Reason, &v.CreatedAt, &accepted, &v.Tries, &v.Problem)
		v.AcceptedAt = orZero(accepted)
		return v, err
	})
	return err
}

func (d *AccountDetail) readInvoices(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select "+invoiceViewColumns+` from invoices i join accounts a on a.id = i.account_id
		where i.account_id = $1 order by (i.state = 'open') desc, i.due_at desc, i.id limit $2`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Invoices, err = pgx.CollectRows(rows, scanInvoice)
	return err
}

// readCredits reads an account's credits in the order CR1 uses them, used up ones last.
func (d *AccountDetail) readCredits(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select id, account_id, enabled, currency, granted_minor, remaining_minor, starts_on, expires_at, services, granted_at, reason
		  from credits where account_id = $1
		 order by (remaining_minor > 0) desc, expires_at nulls last, cardinality(services) = 0, cardinality(services), granted_at, id limit $2`,
		d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	d.Credits, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Credit, error) {
		var v billing.Credit
		var code string
		var granted, remaining int64
		var expires *time.Time
		err := row.Scan(&v.ID, &v.AccountID, &v.Enabled, &code, &granted, &remaining, &v.StartsOn, &expires, &v.Services, &v.GrantedAt, &v.Reason)
		if err != nil {
			return v, err
		}
		c, err := money.ParseCurrency(code)
		v.Granted, v.Remaining, v.ExpiresAt = money.New(granted, c), money.New(remaining, c), orZero(expires)
		return v, err
	})
	return err
}

func (d *AccountDetail) readDeposits(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select id, account_id, state, reference, currency, amount_minor, remaining_minor, settled_at, created_at from deposits
		 where account_id = $1 order by created_at desc, id limit $2`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	place := map[string]int{}
	d.Deposits, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (DepositView, error) {
		var v DepositView
		var code string
		var amount, remaining int64
		var settled *time.Time
		err := row.Scan(&v.ID, &v.AccountID, &v.State, &v.Reference, &code, &amount, &remaining, &settled, &v.CreatedAt)
		if err != nil {
			return v, err
		}
		c, err := money.ParseCurrency(code)
		v.Amount, v.Remaining, v.SettledAt = money.New(amount, c), money.New(remaining, c), orZero(settled)
		place[string(v.ID)] = len(place)
		return v, err
	})
	if err != nil {
		return err
	}
	return d.readDepositUses(ctx, tx, place)
}

func (d *AccountDetail) readDepositUses(ctx context.Context, tx pgx.Tx, place map[string]int) error {
	rows, err := tx.Query(ctx, `
		select u.deposit_id, u.invoice_id, u.amount_minor, u.used_at, u.reversed_at
		  from deposit_uses u join deposits d on d.id = u.deposit_id
		 where d.account_id = $1 order by u.used_at desc, u.id limit $2`, d.ID, accountRowsMax)
	if err != nil {
		return err
	}
	var id string
	var use DepositUse
	var minor int64
	var reversed *time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &use.Invoice, &minor, &use.At, &reversed}, func() error {
		n, ok := place[id]
		if !ok {
			return nil // of a deposit too old for the page
		}
		use.Amount, use.ReversedAt = money.New(minor, d.Deposits[n].Amount.Currency()), orZero(reversed)
		d.Deposits[n].Uses = append(d.Deposits[n].Uses, use)
		return nil
	})
	return err
}

// readUnapplied reads money that belongs to no invoice yet; in the journal it is a liability, so a credit.
func (d *AccountDetail) readUnapplied(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select currency, -sum(amount_minor)::bigint from journal_entries where account_id = $1 and ledger_kind = 'unapplied_funds'
		 group by currency having sum(amount_minor) <> 0 order by currency`, d.ID)
	if err != nil {
		return err
	}
	d.Unapplied, err = pgx.CollectRows(rows, scanAmount)
	return err
}
