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
	Presentments    int
	LastReturn      *string
}

func (r methodRow) method() billing.PaymentMethod {
	m := billing.PaymentMethod{
		ID: r.ID, AccountID: r.AccountID, Gateway: r.Gateway, Token: r.Token, CustomerToken: r.CustomerToken, Kind: r.Kind,
		Brand: r.Brand, Last4: r.Last4, ExpiryMonth: r.ExpiryMonth, ExpiryYear: r.ExpiryYear, Currency: r.Currency,
		Position: r.Position, State: r.State, StateReason: r.StateReason, AddedAt: r.AddedAt,
		AttemptsIn24h: r.AttemptsIn24h, AttemptsIn30d: r.AttemptsIn30d,
		Presentments: r.Presentments,
	}
	if r.LastReturn != nil {
		m.Presented, m.LastReturn = true, *r.LastReturn
	}
	if r.RetryNotBefore != nil {
		m.RetryNotBefore = *r.RetryNotBefore
	}
	if r.LastSucceededAt != nil {
		m.LastSucceededAt = *r.LastSucceededAt
	}
	return m
}

// budgetFor says whose budgets to read: for a bank debit those of one invoice too, and without an attempt that is counted already
// because it is the one about to go.
type budgetFor struct {
	invoice billing.InvoiceID
	except  billing.AttemptID
	// removed is a method that is read although it was removed: an open attempt keeps its own.
	removed billing.MethodID
}

// readMethods returns an account's methods in order, with what they used of their budgets (D4): every attempt on the same instrument
// that may have reached the gateway, or is about to, counts, whatever account or invoice it was for.
func readMethods(ctx context.Context, tx pgx.Tx, account billing.AccountID, now time.Time, budget budgetFor) ([]billing.PaymentMethod, error) {
	const query = `
		select m.id, m.account_id, m.gateway, m.token, m.customer_token, m.kind, m.brand, m.last4, m.expiry_month, m.expiry_year,
			m.currency, coalesce(m.position, 0) as position, m.state, m.state_reason, m.retry_not_before, m.added_at, m.last_succeeded_at,
			used.in_24h as attempts_in24h, used.in_30d as attempts_in30d, bank.presentments, bank.last_return
		from payment_methods m
		cross join lateral (
			select count(*) filter (where a.first_sent_at is null or a.first_sent_at > $2::timestamptz - interval '24 hours')::int as in_24h,
			       count(*)::int as in_30d
			  from payment_methods p join attempts a on a.method_id = p.id
			 where ` + sameBudget + ` and a.state <> 'not_sent' and a.id is distinct from nullif($4, '')::uuid
			   and (a.first_sent_at is null or a.first_sent_at > $2::timestamptz - interval '30 days')) used
		cross join lateral (
			select count(*)::int as presentments,
			       (array_agg(case when a.state <> 'declined' then '' when a.network_code <> '' then a.network_code else a.decline_code end
			           order by a.created_at desc, a.id desc) filter (where p.fingerprint = m.fingerprint))[1] as last_return
			  from attempts a join payment_methods p on p.id = a.method_id
			 where m.kind <> 'card' and a.invoice_id = $3 and p.kind = m.kind and a.state <> 'not_sent' and a.id is distinct from nullif($4, '')::uuid
			   and (m.kind <> 'us_bank_account' or a.first_sent_at is null or a.first_sent_at > $2::timestamptz - interval '180 days')) bank
		where m.account_id = $1 and (m.removed_at is null or m.id = $5) order by m.position`
	rows, _ := tx.Query(ctx, query, account, now, budget.invoice, string(budget.except), budget.removed)
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
