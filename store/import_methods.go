package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

func (i *importer) lookAtMethods(ctx context.Context) error {
	ids := make([]string, len(i.in.Batch.Methods))
	for n, m := range i.in.Batch.Methods {
		ids[n] = string(m.Method.ID)
	}
	const query = `select id, account_id, gateway, token, customer_token, kind, brand, last4, expiry_month, expiry_year, currency
		from payment_methods where id = any($1)`
	rows, _ := i.tx.Query(ctx, query, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[methodRow])
	if err != nil {
		return fmt.Errorf("look up payment methods: %w", err)
	}
	there := map[billing.MethodID]billing.PaymentMethod{}
	for _, r := range found {
		there[r.ID] = r.method()
	}
	for _, m := range i.in.Batch.Methods {
		n := m.Method
		if !i.has(m.Line, "payment_method.account", n.AccountID) || m.WithNewAccount && !i.accounts[n.AccountID].isNew {
			continue
		}
		o, exists := there[n.ID]
		if !exists {
			i.fresh.methods = append(i.fresh.methods, m)
			continue
		}
		// The position is not compared: it is the customer's to change. Nor are tokens shown.
		same := i.same(m.Line, "payment_method", string(n.ID), attribute{"account", o.AccountID, n.AccountID}, attribute{"gateway", o.Gateway, n.Gateway},
			attribute{"method_kind", o.Kind, n.Kind}, attribute{"brand", o.Brand, n.Brand}, attribute{"last4", o.Last4, n.Last4},
			attribute{"expiry", month(o), month(n)}, attribute{"currency", o.Currency, n.Currency})
		if same && (o.Token != n.Token || n.CustomerToken != "" && o.CustomerToken != n.CustomerToken) {
			i.problems.Add(m.Line, "payment_method.token", "%s is there already with another token", n.ID)
			same = false
		}
		i.count(same, &i.result.Methods)
	}
	i.result.Methods.New = len(i.fresh.methods)
	return i.placeMethods(ctx)
}

func month(m billing.PaymentMethod) string {
	return fmt.Sprintf("%04d-%02d", m.ExpiryYear, m.ExpiryMonth)
}

// placeMethods checks the positions given and puts the others after the account's own, in the file's order.
func (i *importer) placeMethods(ctx context.Context) error {
	type place struct {
		Account  billing.AccountID
		Position int
	}
	const query = `select account_id, position from payment_methods where account_id = any($1) and removed_at is null`
	rows, _ := i.tx.Query(ctx, query, i.payingAccounts(true))
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
	if err != nil {
		return fmt.Errorf("look up positions: %w", err)
	}
	taken, last := map[place]bool{}, map[billing.AccountID]int{}
	for _, p := range found {
		taken[p] = true
		last[p.Account] = max(last[p.Account], p.Position)
	}
	for _, m := range i.fresh.methods {
		p := place{m.Method.AccountID, m.Method.Position}
		if p.Position == 0 {
			continue
		}
		if taken[p] {
			i.problems.Add(m.Line, "payment_method.position", "%d of account %s is taken by another method", p.Position, p.Account)
		}
		taken[p] = true
		last[p.Account] = max(last[p.Account], p.Position)
	}
	for n := range i.fresh.methods {
		if m := &i.fresh.methods[n].Method; m.Position == 0 {
			last[m.AccountID]++
			m.Position = last[m.AccountID]
		}
	}
	return nil
}

func (i *importer) writeMethods(ctx context.Context) error {
	columns := []string{"id", "account_id", "gateway", "token", "customer_token", "kind", "brand", "last4", "expiry_month", "expiry_year",
		"currency", "position", "added_at"}
	err := copyRows(ctx, i.tx, "payment_methods", columns, i.fresh.methods, func(b billing.BatchMethod) []any {
		m := b.Method
		return []any{string(m.ID), string(m.AccountID), m.Gateway, m.Token, m.CustomerToken, string(m.Kind), m.Brand, m.Last4,
			m.ExpiryMonth, m.ExpiryYear, m.Currency, m.Position, i.now}
	})
	i.tell(len(i.fresh.methods))
	return err
}
