package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// readNoticeAttempts reads the attempts a notice is about, the whole round's or the one it names, and whether one is open now.
func readNoticeAttempts(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	if row.InvoiceID == nil {
		return nil
	}
	const query = `
		select a.id::text, a.state, coalesce(a.captured_minor, a.amount_minor), coalesce(a.captured_currency, a.currency),
		       a.decline_code, a.advice_code, a.network_code, a.gateway, m.id, m.kind, m.brand, m.last4, a.position, m.state,
		       a.state in ` + openStates + ` as open,
		       a.id::text = $2 or (a.case_id = $3 and a.round = $4) as about
		  from attempts a join payment_methods m on m.id = a.method_id
		 where a.invoice_id = $1 and (a.id::text = $2 or (a.case_id = $3 and a.round = $4) or a.state in ` + openStates + `)
		 order by a.round, a.position`
	rows, err := tx.Query(ctx, query, *row.InvoiceID, f.Data.Attempt, row.CaseID, f.Data.Round)
	if err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a billing.NoticeAttempt
		var minor int64
		var currency string
		var codes dunning.Codes
		var open, about bool
		if err := rows.Scan(&a.ID, &a.State, &minor, &currency, &codes.DeclineCode, &codes.AdviceCode, &codes.NetworkCode, &codes.Gateway,
			&a.Method.ID, &a.Method.Kind, &a.Method.Brand, &a.Method.Last4, &a.Method.Position, &a.Method.State, &open, &about); err != nil {
			return fmt.Errorf("read attempts: %w", err)
		}
		if open {
			f.Open = a.State
		}
		if !about {
			continue
		}
		c, err := money.ParseCurrency(currency)
		if err != nil {
			return fmt.Errorf("read attempt %s: %w", a.ID, err)
		}
		a.Amount = money.New(minor, c)
		if a.State == billing.AttemptDeclined {
			codes.Brand = a.Method.Brand
			a.SafeReason = dunning.Classify(codes).SafeReason
		}
		f.Attempts = append(f.Attempts, a)
	}
	return rows.Err()
}

// readNoticeSources splits what is allocated to the invoice by source (N1): credits, then funds, then methods, as they are used (AF1).
// What no row of these explains came another way. The parts add up to what is allocated.
func readNoticeSources(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	if row.InvoiceID == nil || !f.Invoice.Allocated.IsPositive() {
		return nil
	}
	const query = `
		select kind, method, method_kind, brand, last4, minor from (
			select 1 as rank, 'credit' as kind, '' as method, '' as method_kind, '' as brand, '' as last4,
			       coalesce(sum(amount_minor), 0)::bigint as minor, null::timestamptz as at
			  from credit_applications where invoice_id = $1 and reversed_at is null
			union all
			select 2, 'funds', '', '', '', '', coalesce(sum(amount_minor), 0)::bigint, null
			  from deposit_uses where invoice_id = $1 and reversed_at is null
			union all
			select 3, 'method', m.id, m.kind, m.brand, m.last4, coalesce(a.captured_minor, a.amount_minor), a.ended_at
			  from attempts a join payment_methods m on m.id = a.method_id
			 where a.invoice_id = $1 and a.state = 'succeeded' and coalesce(a.captured_currency, a.currency) = $2) parts
		order by rank, at`
	rows, err := tx.Query(ctx, query, *row.InvoiceID, f.Invoice.Total.Currency().Code())
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	defer rows.Close()
	rest := f.Invoice.Allocated
	add := func(source billing.NoticeSource) error {
		part, err := money.Min(source.Amount, rest) // more than was due went to unapplied funds (U4)
		if err != nil || !part.IsPositive() {
			return err
		}
		source.Amount = part
		f.Sources = append(f.Sources, source)
		rest, err = rest.Sub(part)
		return err
	}
	for rows.Next() {
		var source billing.NoticeSource
		var minor int64
		m := &source.Method
		if err := rows.Scan(&source.Kind, &m.ID, &m.Kind, &m.Brand, &m.Last4, &minor); err != nil {
			return fmt.Errorf("read sources: %w", err)
		}
		source.Amount = money.New(minor, rest.Currency())
		if err := add(source); err != nil {
			return fmt.Errorf("read sources: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	return add(billing.NoticeSource{Kind: billing.SourceOther, Amount: rest})
}

func readNoticeMethod(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	if f.Data.Method == "" {
		return nil
	}
	m := billing.NoticeMethod{ID: f.Data.Method}
	const query = `select kind, brand, last4, coalesce(position, 0), state from payment_methods where id = $1 and account_id = $2`
	err := tx.QueryRow(ctx, query, f.Data.Method, row.AccountID).Scan(&m.Kind, &m.Brand, &m.Last4, &m.Position, &m.State)
	if err != nil {
		return fmt.Errorf("read method %s: %w", f.Data.Method, err)
	}
	f.Method = m
	return nil
}

// tellsOfAccount are the kinds that speak of the account, so that they list everything overdue.
var tellsOfAccount = map[dunning.NoticeKind]bool{
	dunning.NoticeSuspended: true, dunning.NoticeReinstated: true, dunning.NoticeFundsReceived: true,
}

func readOverdue(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	if !tellsOfAccount[row.Kind] {
		return nil
	}
	query := `select ` + invoiceColumns + ` from invoices i where i.account_id = $1 and i.state = 'open' and i.due_at <= $2
		order by i.due_at, i.id limit $3`
	rows, _ := tx.Query(ctx, query, row.AccountID, f.Now, billing.NoticeOverdueMax)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[invoiceRow])
	if err != nil {
		return fmt.Errorf("read overdue invoices: %w", err)
	}
	for _, r := range found {
		i, err := r.invoice()
		if err != nil {
			return err
		}
		f.Overdue = append(f.Overdue, i)
	}
	if len(found) < billing.NoticeOverdueMax {
		return nil
	}
	const count = `select count(*) from invoices i where i.account_id = $1 and i.state = 'open' and i.due_at <= $2`
	var all int
	if err := tx.QueryRow(ctx, count, row.AccountID, f.Now).Scan(&all); err != nil {
		return fmt.Errorf("count overdue invoices: %w", err)
	}
	f.OverdueMore = all - len(found)
	return nil
}
