package stripesim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

type customer struct {
	ID       string
	Seq      int64
	Name     string
	Email    string
	Metadata map[string]string
	Created  time.Time
}

func (c customer) json() any {
	return customerJSON{ID: c.ID, Object: "customer", Created: c.Created.Unix(), Email: orNull(c.Email), Name: orNull(c.Name),
		Metadata: c.Metadata, InvoiceSettings: map[string]any{}, PreferredLocales: []string{}, TaxExempt: "none"}
}

func (s *Simulator) createCustomer(_ context.Context, req request) (plan, error) {
	if bad := req.only("name", "email", "metadata", "description", "phone", "payment_method", "invoice_settings"); bad != nil {
		return plan{}, bad
	}
	meta, bad := req.metadata()
	if bad != nil {
		return plan{}, bad
	}
	c := customer{ID: newID("cus_")[:18], Name: req.str("name"), Email: req.str("email"), Metadata: meta}
	return plan{run: func(ctx context.Context, tx pgx.Tx) (any, error) {
		c.Created = s.now()
		_, err := tx.Exec(ctx, `insert into stripesim.customers (id, name, email, metadata, created) values ($1, $2, $3, $4, $5)`,
			c.ID, c.Name, c.Email, c.Metadata, c.Created)
		if err != nil {
			return nil, fmt.Errorf("create customer: %w", err)
		}
		if token := req.str("payment_method"); token != "" {
			if _, err := s.attach(ctx, tx, token, c.ID); err != nil {
				return nil, err
			}
		}
		return c.json(), nil
	}}, nil
}

func (s *Simulator) retrieveCustomer(ctx context.Context, req request) (any, error) {
	c, err := one[customer](ctx, s.pool, "customer", req.id, `select * from stripesim.customers where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return c.json(), nil
}

func (s *Simulator) listCustomers(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[customer](ctx, s.pool, `
		select * from stripesim.customers
		where ($1 = '' or seq < (select seq from stripesim.customers where id = $1)) and ($2 = '' or email = $2)
		order by seq desc limit $3`, req.str("starting_after"), req.str("email"), limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf("list", "/v1/customers", rows, limit, customer.json), nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one reads exactly one object; Stripe's 404 when there is none.
func one[T any](ctx context.Context, db querier, kind, id, sql string, args ...any) (T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, fmt.Errorf("read %s: %w", kind, err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, notFound(kind, id)
	}
	if err != nil {
		return row, fmt.Errorf("read %s: %w", kind, err)
	}
	return row, nil
}

func many[T any](ctx context.Context, db querier, sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return out, nil
}
