package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// applyBalances puts the credits and then the advance funds there are on the invoice (CR1–CR4, AF1, AF2), under the account's lock and
// with the rows it spends locked, so that two invoices never spend one balance twice (M4, AF4).
func (e *episode) applyBalances(ctx context.Context) error {
	if e.invoice.State != billing.InvoiceOpen || e.row.Closing != "" {
		return nil
	}
	// While an attempt may still take the money, balances wait: else both would pay and one would have to be refunded (U4).
	if open, err := e.mayStillTake(ctx); err != nil || open {
		return err
	}
	before := e.invoice.Allocated
	if err := e.applyCredits(ctx); err != nil {
		return fmt.Errorf("apply credits to invoice %s: %w", e.invoice.ID, err)
	}
	if err := e.applyFunds(ctx); err != nil {
		return fmt.Errorf("apply funds to invoice %s: %w", e.invoice.ID, err)
	}
	if e.invoice.Allocated == before || e.invoice.State != billing.InvoicePaid {
		return nil
	}
	return e.receipt(ctx, "balances", billing.NoticeData{})
}

// mayStillTake reports whether an attempt of the invoice was sent and is not final.
func (e *episode) mayStillTake(ctx context.Context) (bool, error) {
	const query = `select exists (select 1 from attempts where invoice_id = $1 and state in ('sent', 'action_required', 'pending', 'unknown'))`
	var open bool
	if err := e.tx.QueryRow(ctx, query, e.invoice.ID).Scan(&open); err != nil {
		return false, fmt.Errorf("apply balances to invoice %s: %w", e.invoice.ID, err)
	}
	return open, nil
}

func (e *episode) applyCredits(ctx context.Context) error {
	owners := []billing.AccountID{e.account.ID}
	owners = append(owners, billing.SharedFrom(e.account.ID, e.sharing)...)
	credits, err := lockCredits(ctx, e.tx, owners, e.invoice)
	if err != nil || len(credits) == 0 {
		return err
	}
	if e.invoice.Lines, err = readLines(ctx, e.tx, e.invoice); err != nil {
		return err
	}
	earlier, err := readApplications(ctx, e.tx, e.invoice)
	if err != nil {
		return err
	}
	if credits, err = e.keepForOwners(ctx, credits, owners[1:]); err != nil {
		return err
	}
	// What is disputed is left alone, as if it had been paid already.
	undisputed := e.invoice
	withheld, err := e.invoice.Withheld()
	if err != nil {
		return err
	}
	if undisputed.Allocated, err = e.invoice.Allocated.Add(withheld); err != nil {
		return err
	}
	lots, err := billing.AllocateCredits(e.now, undisputed, credits, owners[1:], earlier)
	if err != nil || len(lots) == 0 {
		return err
	}
	holder := map[billing.CreditID]billing.AccountID{}
	for _, c := range credits {
		holder[c.ID] = c.AccountID
	}
	sum := money.Zero(e.invoice.Total.Currency())
	for _, lot := range lots {
		if err := e.spendCredit(ctx, holder[lot.Credit], lot); err != nil {
			return err
		}
		if sum, err = sum.Add(lot.Amount); err != nil {
			return err
		}
	}
	if e.invoice, err = allocate(ctx, e.tx, e.invoice, sum, e.now); err != nil {
		return err
	}
	return e.event(ctx, "credits_applied", map[string]any{"amount": sum, "lots": len(lots)})
}

// keepForOwners sets aside what the owning accounts' own due invoices will take of shared credits (CR4).
func (e *episode) keepForOwners(ctx context.Context, credits []billing.Credit, others []billing.AccountID) ([]billing.Credit, error) {
	if len(others) == 0 {
		return credits, nil
	}
	const query = `select ` + invoiceColumns + ` from invoices i where i.account_id = any($1) and i.state = 'open' and i.due_at <= $2
		and i.currency = $3 order by i.due_at, i.id limit 100`
	rows, _ := e.tx.Query(ctx, query, others, e.now, e.invoice.Total.Currency().Code())
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[invoiceRow])
	if err != nil {
		return nil, err
	}
	var owned []billing.Invoice
	earlier := map[billing.InvoiceID][]billing.Application{}
	for _, r := range found {
		i, err := r.invoice()
		if err != nil {
			return nil, err
		}
		if i.Lines, err = readLines(ctx, e.tx, i); err != nil {
			return nil, err
		}
		if earlier[i.ID], err = readApplications(ctx, e.tx, i); err != nil {
			return nil, err
		}
		owned = append(owned, i)
	}
	return billing.KeepForOwners(e.now, credits, owned, earlier)
}

func (e *episode) spendCredit(ctx context.Context, owner billing.AccountID, lot billing.Application) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if _, err := e.tx.Exec(ctx, spendCredit, id, lot.Credit, lot.Amount.Minor(), e.invoice.ID, lot.Line, e.now); err != nil {
		return err
	}
	return postJournal(ctx, e.tx, "credit_application/"+id.String(), e.account.ID, billing.CreditApplied(owner, e.invoice, lot))
}

// collectable is what is due less what is disputed.
func (e *episode) collectable() (money.Amount, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return due, err
	}
	withheld, err := e.invoice.Withheld()
	if err != nil {
		return due, err
	}
	return due.Sub(withheld)
}

func (e *episode) applyFunds(ctx context.Context) error {
	due, err := e.collectable()
	if err != nil || e.invoice.State != billing.InvoiceOpen {
		return err
	}
	deposits, err := lockDeposits(ctx, e.tx, e.account.ID, due.Currency())
	if err != nil || len(deposits) == 0 {
		return err
	}
	if deposits, err = e.keepForOlder(ctx, deposits); err != nil {
		return err
	}
	uses, err := billing.AllocateFunds(e.now, e.invoice, due, deposits, e.policy.MarketplaceFunds)
	if err != nil || len(uses) == 0 {
		return err
	}
	sum := money.Zero(due.Currency())
	for _, use := range uses {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		if _, err := e.tx.Exec(ctx, spendDeposit, id, use.Deposit, use.Amount.Minor(), e.invoice.ID, e.now); err != nil {
			return err
		}
		if err := postJournal(ctx, e.tx, "deposit_use/"+id.String(), e.account.ID, billing.FundsUsed(e.invoice, use)); err != nil {
			return err
		}
		if sum, err = sum.Add(use.Amount); err != nil {
			return err
		}
	}
	if e.invoice, err = allocate(ctx, e.tx, e.invoice, sum, e.now); err != nil {
		return err
	}
	return e.event(ctx, "funds_used", map[string]any{"amount": sum, "deposits": len(uses)})
}

// keepForOlder sets aside what older due invoices of the account need: the oldest is served first (AF4).
func (e *episode) keepForOlder(ctx context.Context, deposits []billing.Deposit) ([]billing.Deposit, error) {
	const query = `select coalesce(sum(total_minor - allocated_minor - least(total_minor - allocated_minor, coalesce(
			(select d.amount_minor from disputes d where d.invoice_id = invoices.id and d.ended_at is null), 0))), 0)::bigint from invoices
		where account_id = $1 and state = 'open' and currency = $2 and collect_at <= $3 and (due_at, id) < ($4, $5)
		and (not marketplace or $6)`
	var kept int64
	if err := e.tx.QueryRow(ctx, query, e.account.ID, e.invoice.Total.Currency().Code(), e.now, e.invoice.DueAt, e.invoice.ID,
		e.policy.MarketplaceFunds).Scan(&kept); err != nil {
		return nil, err
	}
	var left []billing.Deposit
	for _, d := range deposits {
		take := min(kept, d.Remaining.Minor())
		kept -= take
		d.Remaining = money.New(d.Remaining.Minor()-take, d.Remaining.Currency())
		if d.Remaining.IsPositive() {
			left = append(left, d)
		}
	}
	return left, nil
}

// lockCredits locks what credits there are for an invoice; goodwill for another invoice is none.
func lockCredits(ctx context.Context, tx pgx.Tx, owners []billing.AccountID, i billing.Invoice) ([]billing.Credit, error) {
	c := i.Total.Currency()
	const query = `select id, account_id, enabled, granted_minor, remaining_minor, starts_on, expires_at, services, included_kinds, granted_at
		from credits where account_id = any($1) and remaining_minor > 0 and enabled and currency = $2
		and (for_invoice is null or for_invoice = $3) order by id` + creditLock
	rows, _ := tx.Query(ctx, query, owners, c.Code(), i.ID)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Credit, error) {
		var r billing.Credit
		var granted, remaining int64
		var expires *time.Time
		err := row.Scan(&r.ID, &r.AccountID, &r.Enabled, &granted, &remaining, &r.StartsOn, &expires, &r.Services, &r.IncludedKinds, &r.GrantedAt)
		r.Granted, r.Remaining, r.ExpiresAt = money.New(granted, c), money.New(remaining, c), orZero(expires)
		return r, err
	})
}

func readApplications(ctx context.Context, tx pgx.Tx, i billing.Invoice) ([]billing.Application, error) {
	const query = `select a.credit_id, a.line_position, l.service, a.amount_minor from credit_applications a
		join invoice_lines l on l.invoice_id = a.invoice_id and l.position = a.line_position
		where a.invoice_id = $1 and a.reversed_at is null order by a.id`
	rows, _ := tx.Query(ctx, query, i.ID)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Application, error) {
		var a billing.Application
		var minor int64
		err := row.Scan(&a.Credit, &a.Line, &a.Service, &minor)
		a.Amount = money.New(minor, i.Total.Currency())
		return a, err
	})
}

func lockDeposits(ctx context.Context, tx pgx.Tx, account billing.AccountID, c money.Currency) ([]billing.Deposit, error) {
	const query = `select id, account_id, state, reference, amount_minor, remaining_minor, settled_at, created_at from deposits
		where account_id = $1 and state = 'settled' and remaining_minor > 0 and currency = $2 order by settled_at, id` + depositLock
	rows, _ := tx.Query(ctx, query, account, c.Code())
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Deposit, error) {
		var d billing.Deposit
		var amount, remaining int64
		var settled *time.Time
		err := row.Scan(&d.ID, &d.AccountID, &d.State, &d.Reference, &amount, &remaining, &settled, &d.CreatedAt)
		d.Amount, d.Remaining, d.SettledAt = money.New(amount, c), money.New(remaining, c), orZero(settled)
		return d, err
	})
}
