package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// carryOut does the change to m.methods and to what is stored of each; writePlaces stores the order.
func (m *methodChange) carryOut(ctx context.Context) (string, error) {
	switch m.MethodChange.Kind {
	case billing.MethodAdd:
		return m.add(ctx)
	case billing.MethodReplace:
		return m.replace(ctx)
	case billing.MethodReorder:
		return m.reorder()
	case billing.MethodRemove:
		return m.remove(ctx)
	case billing.MethodDisable:
		return m.setState(ctx, billing.MethodActive, billing.MethodDisabled)
	case billing.MethodEnable:
		return m.setState(ctx, billing.MethodDisabled, billing.MethodActive)
	case billing.MethodBackupsOn, billing.MethodBackupsOff:
		return m.setBackups(ctx, m.MethodChange.Kind == billing.MethodBackupsOff)
	}
	return "", billing.Refuse(billing.RefusedInvalid, "kind", "%q is none of %v", string(m.MethodChange.Kind), billing.MethodChangeKinds())
}

func (m *methodChange) add(ctx context.Context) (string, error) {
	if len(m.methods) >= billing.MethodsMax {
		return "", billing.Refuse(billing.RefusedNotNow, "token", "the account has %d payment methods, which is the most: remove one first", len(m.methods))
	}
	at := len(m.methods)
	if m.New.Primary {
		at = 0
	}
	added, err := m.insert(ctx, "")
	if err != nil {
		return "", err
	}
	m.methods = slices.Insert(m.methods, at, added)
	return masked(added) + " is added", nil
}

// replace puts the new method into the place of the old one. What hangs on the old one's attempts stays with it.
func (m *methodChange) replace(ctx context.Context) (string, error) {
	at, err := m.place()
	if err != nil {
		return "", err
	}
	old := m.methods[at]
	added, err := m.insert(ctx, old.ID)
	if err != nil {
		return "", err
	}
	if err := m.retire(ctx, old, added.ID); err != nil {
		return "", err
	}
	m.methods[at] = added
	return masked(old) + " is replaced by " + masked(added), nil
}

func (m *methodChange) remove(ctx context.Context) (string, error) {
	at, err := m.place()
	if err != nil {
		return "", err
	}
	old := m.methods[at]
	if err := m.retire(ctx, old, ""); err != nil {
		return "", err
	}
	m.methods = slices.Delete(m.methods, at, at+1)
	m.about = old.ID
	return masked(old) + " is removed", nil
}

func (m *methodChange) reorder() (string, error) {
	by := map[billing.MethodID]billing.PaymentMethod{}
	for _, p := range m.methods {
		by[p.ID] = p
	}
	var order []billing.PaymentMethod
	same := true
	for n, id := range m.Order {
		p, there := by[id]
		if !there || len(m.Order) != len(m.methods) {
			return "", billing.Refuse(billing.RefusedConflict, "order",
				"the payment methods are not those that were ordered: somebody changed them meanwhile. Look again and repeat")
		}
		same = same && m.methods[n].ID == id
		order = append(order, p)
	}
	if same {
		return "", billing.Refuse(billing.RefusedNotNow, "order", "that is their order already")
	}
	m.methods, m.about = order, order[0].ID
	return masked(order[0]) + " is the primary", nil
}

// setState takes a method out of use or back into it. One that its bank refused, or that the customer must mend, is neither: switching it
// off and on again would clear what the bank said (D1).
func (m *methodChange) setState(ctx context.Context, from, to billing.MethodState) (string, error) {
	at, err := m.place()
	if err != nil {
		return "", err
	}
	p := &m.methods[at]
	switch {
	case p.State == to:
		return "", billing.Refuse(billing.RefusedNotNow, "method", "%s is %s already", masked(*p), to)
	case p.State != from:
		return "", billing.Refuse(billing.RefusedNotNow, "method", "%s can't be used as it is: replace or remove it", masked(*p))
	}
	if _, err := m.tx.Exec(ctx, `update payment_methods set state = $2, state_reason = '' where id = $1`, p.ID, to); err != nil {
		return "", fmt.Errorf("change method %s: %w", p.ID, err)
	}
	p.State, m.about = to, p.ID
	return masked(*p) + " is " + string(to), nil
}

func (m *methodChange) setBackups(ctx context.Context, off bool) (string, error) {
	words := map[bool]string{true: "off", false: "on"}
	if m.account.BackupsOff == off {
		return "", billing.Refuse(billing.RefusedNotNow, "backups", "backup methods are %s already", words[off])
	}
	if _, err := m.tx.Exec(ctx, `update accounts set backups_off = $2 where id = $1`, m.account.ID, off); err != nil {
		return "", fmt.Errorf("switch backups of account %s: %w", m.account.ID, err)
	}
	m.account.BackupsOff = off
	return "backup methods are " + words[off], nil
}

// place finds the method that is meant among those of the account; another's is as one that isn't there (I19).
func (m *methodChange) place() (int, error) {
	at := slices.IndexFunc(m.methods, func(p billing.PaymentMethod) bool { return p.ID == m.Method })
	if at < 0 {
		return 0, billing.Refuse(billing.RefusedNotFound, "method", "the account has no payment method %s", m.Method)
	}
	return at, nil
}

// insert adds the new method, behind all others until writePlaces. The same instrument is refused when it is there already, unless it takes
// its own place with new data, and when its bank refused it for good (D1). Advice to wait stays with the instrument (D3).
func (m *methodChange) insert(ctx context.Context, instead billing.MethodID) (billing.PaymentMethod, error) {
	n := *m.New
	if n.Currency == "" {
		n.Currency = billing.DebitCurrency(n.Kind)
	}
	id, err := newMethodID()
	if err != nil {
		return billing.PaymentMethod{}, err
	}
	if m.Own {
		if n.CustomerToken, err = m.ownCustomer(ctx, n); err != nil {
			return billing.PaymentMethod{}, err
		}
	}
	const insert = `insert into payment_methods (id, account_id, gateway, token, customer_token, kind, brand, last4, expiry_month, expiry_year, currency,
			position, added_at)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce(max(position), 0) + 1, $12 from payment_methods where account_id = $2
		returning fingerprint`
	var instrument string
	if err := m.tx.QueryRow(ctx, insert, id, m.account.ID, n.Gateway, n.Token, n.CustomerToken, string(n.Kind), n.Brand, n.Last4, n.ExpiryMonth,
		n.ExpiryYear, n.Currency, m.now).Scan(&instrument); err != nil {
		return billing.PaymentMethod{}, fmt.Errorf("add method to account %s: %w", m.account.ID, err)
	}
	if err := m.sameInstrument(ctx, id, instrument, instead); err != nil {
		return billing.PaymentMethod{}, err
	}
	m.about = id
	methods, err := readMethods(ctx, m.tx, m.account.ID, m.now, budgetFor{})
	if err != nil {
		return billing.PaymentMethod{}, err
	}
	for _, p := range methods {
		if p.ID == id {
			return p, nil
		}
	}
	return billing.PaymentMethod{}, fmt.Errorf("add method to account %s: it is not there", m.account.ID)
}

func (m *methodChange) sameInstrument(ctx context.Context, id billing.MethodID, instrument string, instead billing.MethodID) error {
	const query = `select coalesce(bool_or(account_id = $3 and state = 'blocked'), false),
			coalesce(bool_or(account_id = $3 and removed_at is null and id <> $4), false),
			coalesce(bool_or(account_id <> $3), false)
		from payment_methods where fingerprint = $1 and id <> $2`
	var blocked, there, others bool
	if err := m.tx.QueryRow(ctx, query, instrument, id, m.account.ID, instead).Scan(&blocked, &there, &others); err != nil {
		return fmt.Errorf("add method to account %s: %w", m.account.ID, err)
	}
	switch {
	case blocked:
		return billing.Refuse(billing.RefusedNotNow, "token", "this method was refused for good: give another one")
	case there:
		return billing.Refuse(billing.RefusedConflict, "token", "this method is there already")
	case others && m.Own:
		// Whoever knows another customer's token must not pay with it.
		return billing.Refuse(billing.RefusedNotNow, "token", "this method can't be used here: add it anew")
	}
	const keep = `update payment_methods set retry_not_before = (select max(retry_not_before) from payment_methods where fingerprint = $2) where id = $1`
	if _, err := m.tx.Exec(ctx, keep, id, instrument); err != nil {
		return fmt.Errorf("add method to account %s: %w", m.account.ID, err)
	}
	return nil
}

// ownCustomer is the account's customer at the gateway, as its methods have it. One's own people can't name another.
func (m *methodChange) ownCustomer(ctx context.Context, n billing.NewMethod) (string, error) {
	const query = `select coalesce((select customer_token from payment_methods where account_id = $1 and gateway = $2 and customer_token <> ''
		order by removed_at is null desc, added_at desc, id limit 1), '')`
	var own string
	if err := m.tx.QueryRow(ctx, query, m.account.ID, n.Gateway).Scan(&own); err != nil {
		return "", fmt.Errorf("find the customer of account %s: %w", m.account.ID, err)
	}
	if n.CustomerToken != "" && n.CustomerToken != own {
		return "", billing.Refuse(billing.RefusedInvalid, "customer_token", "is not this account's customer: leave it out")
	}
	return own, nil
}

// retire takes a method out of the order for good. Its attempts keep it; an attempt that was not sent is given up by the last look (PM6).
// What the bank refused for good stays known as refused.
func (m *methodChange) retire(ctx context.Context, old billing.PaymentMethod, by billing.MethodID) error {
	const update = `update payment_methods set removed_at = $2, position = null, replaced_by = nullif($3, ''),
		state = case when state = 'active' then 'disabled' else state end where id = $1`
	if _, err := m.tx.Exec(ctx, update, old.ID, m.now, by); err != nil {
		return fmt.Errorf("remove method %s: %w", old.ID, err)
	}
	return nil
}

// writePlaces stores the order, from 1 without gaps; constraint payment_methods_position_once looks at commit.
func (m *methodChange) writePlaces(ctx context.Context) error {
	batch := &pgx.Batch{}
	for n := range m.methods {
		if m.methods[n].Position == n+1 {
			continue
		}
		m.methods[n].Position = n + 1
		batch.Queue(`update payment_methods set position = $2 where id = $1`, m.methods[n].ID, n+1)
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := m.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("order methods of account %s: %w", m.account.ID, err)
	}
	return nil
}
