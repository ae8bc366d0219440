package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

type methodRow struct {
	ID              billing.MethodID
	AccountID       billing.AccountID
	Gateway         string
	Token           string
	CustomerToken   string
	Kind            billing.MethodKind
	Brand           string
	Last4           string
	ExpiryMonth     int
	ExpiryYear      int
	Currency        string
	Position        int
	State           billing.MethodState
	StateReason     string
	RetryNotBefore  *time.Time
	AddedAt         time.Time
	LastSucceededAt *time.Time
	AttemptsIn24h   int
	AttemptsIn30d   int
}

func (r methodRow) method() billing.PaymentMethod {
	m := billing.PaymentMethod{
		ID: r.ID, AccountID: r.AccountID, Gateway: r.Gateway, Token: r.Token, CustomerToken: r.CustomerToken, Kind: r.Kind,
		Brand: r.Brand, Last4: r.Last4, ExpiryMonth: r.ExpiryMonth, ExpiryYear: r.ExpiryYear, Currency: r.Currency,
		Position: r.Position, State: r.State, StateReason: r.StateReason, AddedAt: r.AddedAt,
		AttemptsIn24h: r.AttemptsIn24h, AttemptsIn30d: r.AttemptsIn30d,
	}
	if r.RetryNotBefore != nil {
		m.RetryNotBefore = *r.RetryNotBefore
	}
	if r.LastSucceededAt != nil {
		m.LastSucceededAt = *r.LastSucceededAt
	}
	return m
}

// readMethods returns an account's methods in order, with what they used of their budgets across all invoices (D4): every attempt that
// may have reached the gateway counts.
func readMethods(ctx context.Context, tx pgx.Tx, account billing.AccountID, now time.Time) ([]billing.PaymentMethod, error) {
	const query = `
		select m.id, m.account_id, m.gateway, m.token, m.customer_token, m.kind, m.brand, m.last4, m.expiry_month, m.expiry_year,
			m.currency, m.position, m.state, m.state_reason, m.retry_not_before, m.added_at, m.last_succeeded_at,
			(select count(*)::int from attempts a where a.method_id = m.id and a.first_sent_at is not null and a.state <> 'not_sent'
				and a.created_at > $2::timestamptz - interval '24 hours') as attempts_in24h,
			(select count(*)::int from attempts a where a.method_id = m.id and a.first_sent_at is not null and a.state <> 'not_sent'
				and a.created_at > $2::timestamptz - interval '30 days') as attempts_in30d
		from payment_methods m where m.account_id = $1 order by m.position`
	rows, _ := tx.Query(ctx, query, account, now)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[methodRow])
	if err != nil {
		return nil, fmt.Errorf("read payment methods of account %s: %w", account, err)
	}
	methods := make([]billing.PaymentMethod, len(found))
	for i, r := range found {
		methods[i] = r.method()
	}
	return methods, nil
}

// masked is how a method is named in texts and histories: "visa ···4242" (I18).
func masked(m billing.PaymentMethod) string {
	name := m.Brand
	if name == "" {
		name = string(m.Kind)
	}
	if m.Last4 == "" {
		return name
	}
	return name + " ···" + m.Last4
}
