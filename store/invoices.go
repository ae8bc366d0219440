package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

type invoiceRow struct {
	ID             billing.InvoiceID
	Number         string
	AccountID      billing.AccountID
	State          billing.InvoiceState
	Currency       string
	TotalMinor     int64
	AllocatedMinor int64
	DueDate        time.Time
	DueAt          time.Time
	CollectAt      time.Time
	Marketplace    bool
	CreatedAt      time.Time
	DisputedMinor  int64
}

const invoiceColumns = `i.id, i.number, i.account_id, i.state, i.currency, i.total_minor, i.allocated_minor, i.due_date, i.due_at,
	i.collect_at, i.marketplace, i.created_at,
	coalesce((select d.amount_minor from disputes d where d.invoice_id = i.id and d.ended_at is null), 0) as disputed_minor`

func (r invoiceRow) invoice() (billing.Invoice, error) {
	c, err := money.ParseCurrency(r.Currency)
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("invoice %s: %w", r.ID, err)
	}
	return billing.Invoice{
		ID: r.ID, Number: r.Number, AccountID: r.AccountID, State: r.State, DueDate: r.DueDate.Format(time.DateOnly),
		DueAt: r.DueAt, CollectAt: r.CollectAt, Total: money.New(r.TotalMinor, c), Allocated: money.New(r.AllocatedMinor, c),
		Marketplace: r.Marketplace, CreatedAt: r.CreatedAt, Disputed: money.New(r.DisputedMinor, c),
	}, nil
}

// lockInvoice locks one invoice and reads it without its lines; the account's lock is already held.
func lockInvoice(ctx context.Context, tx pgx.Tx, id billing.InvoiceID) (billing.Invoice, error) {
	rows, _ := tx.Query(ctx, `select `+invoiceColumns+` from invoices i where i.id = $1 for no key update`, id)
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[invoiceRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return billing.Invoice{}, billing.Refuse(billing.RefusedNotFound, "invoice", "there is no invoice %s", id)
	}
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("lock invoice %s: %w", id, err)
	}
	return r.invoice()
}

func readLines(ctx context.Context, tx pgx.Tx, i billing.Invoice) ([]billing.Line, error) {
	const query = `select position, service, charge_kind, description, period_start, amount_minor
		from invoice_lines where invoice_id = $1 order by position`
	rows, _ := tx.Query(ctx, query, i.ID)
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Line, error) {
		var l billing.Line
		var minor int64
		err := row.Scan(&l.Position, &l.Service, &l.ChargeKind, &l.Description, &l.PeriodStart, &minor)
		l.Amount = money.New(minor, i.Total.Currency())
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read lines of invoice %s: %w", i.ID, err)
	}
	return lines, nil
}

// allocate raises what is allocated to an invoice and returns it as it then stands, paid when fully covered (M3). The journal entry
// that explains it is posted in the same transaction; the deferred trigger invoices_agree_with_journal checks that both agree.
func allocate(ctx context.Context, tx pgx.Tx, i billing.Invoice, amount money.Amount, now time.Time) (billing.Invoice, error) {
	allocated, err := i.Allocated.Add(amount)
	if err != nil {
		return i, fmt.Errorf("allocate to invoice %s: %w", i.ID, err)
	}
	i.Allocated = allocated
	if allocated == i.Total {
		i.State = billing.InvoicePaid
	}
	const update = `update invoices set allocated_minor = $2, state = $3, settled_at = case when $3 = 'paid' then $4::timestamptz end
		where id = $1 and state = 'open'`
	tag, err := tx.Exec(ctx, update, i.ID, allocated.Minor(), i.State, now)
	if err != nil {
		return i, fmt.Errorf("allocate to invoice %s: %w", i.ID, err)
	}
	if tag.RowsAffected() != 1 {
		return i, fmt.Errorf("allocate to invoice %s: it is not open", i.ID)
	}
	return i, nil
}
