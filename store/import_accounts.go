package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// lookAtAccounts finds out which accounts are new, and what is known of every account the file names.
func (i *importer) lookAtAccounts(ctx context.Context) error {
	b := i.in.Batch
	there, err := i.findAccounts(ctx, namedAccounts(b))
	if err != nil {
		return err
	}
	contacts, err := i.findContacts(ctx, b.Accounts)
	if err != nil {
		return err
	}
	i.accounts = map[billing.AccountID]knownAccount{}
	for id, a := range there {
		i.accounts[id] = known(a, false)
	}
	for _, a := range b.Accounts {
		old, exists := there[a.Account.ID]
		switch {
		case !exists:
			i.fresh.accounts = append(i.fresh.accounts, a)
			i.accounts[a.Account.ID] = known(a.Account, true)
		case a.KeepExisting:
			i.result.Accounts.Unchanged++
		default:
			i.count(i.sameAccount(a, old, contacts[a.Account.ID]), &i.result.Accounts)
		}
	}
	if err := i.knowPolicies(ctx); err != nil {
		return err
	}
	for _, a := range i.fresh.accounts {
		p := a.Account.ParentID
		if p == "" {
			continue
		}
		if i.has(a.Line, "account.parent", p) && i.accounts[p].parent != "" {
			i.problems.Add(a.Line, "account.parent", "%s has a parent itself: an organisation has one owning account and no levels below", p)
		}
	}
	i.result.Accounts.New = len(i.fresh.accounts)
	return nil
}

func known(a billing.Account, isNew bool) knownAccount {
	return knownAccount{zone: a.TimeZone, policy: a.Policy, country: a.Country, plan: a.Plan, parent: a.ParentID, isNew: isNew}
}

// knowPolicies refuses new accounts that name a policy that isn't there.
func (i *importer) knowPolicies(ctx context.Context) error {
	there := map[string]error{"": nil}
	for _, a := range i.fresh.accounts {
		name := a.Account.Policy
		missing, looked := there[name]
		if !looked {
			var refusal *billing.Refusal
			if _, missing = i.store.policy(ctx, i.tx, name, 0); missing != nil && !errors.As(missing, &refusal) {
				return missing
			}
			there[name] = missing
		}
		if missing != nil {
			i.problems.Add(a.Line, "account.policy", "%v", missing)
		}
	}
	return nil
}

func (i *importer) sameAccount(a billing.BatchAccount, old billing.Account, contacts []billing.Contact) bool {
	id, n := string(a.Account.ID), a.Account
	if !i.same(a.Line, "account", id, attribute{"name", old.Name, n.Name}, attribute{"parent", old.ParentID, n.ParentID},
		attribute{"time_zone", old.TimeZone, n.TimeZone}, attribute{"locale", old.Locale, n.Locale},
		attribute{"country", old.Country, n.Country}, attribute{"plan", old.Plan, n.Plan}, attribute{"policy", old.Policy, n.Policy},
		attribute{"credit_sharing", old.CreditSharing, n.CreditSharing}) {
		return false
	}
	// Said without the addresses: they stay out of terminals' scrollback and logs (I18).
	if fmt.Sprint(contacts) != fmt.Sprint(append([]billing.Contact(nil), a.Contacts...)) {
		i.problems.Add(a.Line, "account.contacts", "%s is there already with other contacts", id)
		return false
	}
	return true
}

// has notes a reference to an account that is neither in the file nor in the database.
func (i *importer) has(line int, field string, id billing.AccountID) bool {
	_, ok := i.accounts[id]
	if !ok {
		i.problems.Add(line, field, "there is no account %s, neither in the file nor in the database", id)
	}
	return ok
}

func namedAccounts(b billing.Batch) []string {
	seen := map[billing.AccountID]bool{}
	var ids []string
	add := func(id billing.AccountID) {
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, string(id))
		}
	}
	for _, a := range b.Accounts {
		add(a.Account.ID)
		add(a.Account.ParentID)
	}
	for _, m := range b.Methods {
		add(m.Method.AccountID)
	}
	for _, c := range b.Credits {
		add(c.Credit.AccountID)
	}
	for _, d := range b.Deposits {
		add(d.Deposit.AccountID)
	}
	for _, n := range b.Invoices {
		add(n.Invoice.AccountID)
	}
	return ids
}

func (i *importer) findAccounts(ctx context.Context, ids []string) (map[billing.AccountID]billing.Account, error) {
	rows, _ := i.tx.Query(ctx, `select `+accountColumns+` from accounts a where a.id = any($1)`, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[accountRow])
	if err != nil {
		return nil, fmt.Errorf("look up accounts: %w", err)
	}
	there := make(map[billing.AccountID]billing.Account, len(found))
	for _, r := range found {
		there[r.ID] = r.account()
	}
	return there, nil
}

func (i *importer) findContacts(ctx context.Context, accounts []billing.BatchAccount) (map[billing.AccountID][]billing.Contact, error) {
	ids := make([]string, len(accounts))
	for n, a := range accounts {
		ids[n] = string(a.Account.ID)
	}
	const query = `select account_id, position, name, email from contacts where account_id = any($1) order by account_id, position`
	rows, _ := i.tx.Query(ctx, query, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[billing.Contact])
	if err != nil {
		return nil, fmt.Errorf("look up contacts: %w", err)
	}
	contacts := map[billing.AccountID][]billing.Contact{}
	for _, c := range found {
		contacts[c.AccountID] = append(contacts[c.AccountID], c)
	}
	return contacts, nil
}

func (i *importer) writeAccounts(ctx context.Context) error {
	columns := []string{"id", "name", "parent_id", "time_zone", "locale", "country", "plan", "policy", "credit_sharing", "standing", "created_at"}
	var contacts []billing.Contact
	err := copyRows(ctx, i.tx, "accounts", columns, i.fresh.accounts, func(b billing.BatchAccount) []any {
		a := b.Account
		contacts = append(contacts, b.Contacts...)
		var parent *string
		if a.ParentID != "" {
			p := string(a.ParentID)
			parent = &p
		}
		return []any{string(a.ID), a.Name, parent, a.TimeZone, a.Locale, a.Country, a.Plan, a.Policy, a.CreditSharing, string(billing.StandingActive), i.now}
	})
	if err != nil {
		return err
	}
	i.tell(len(i.fresh.accounts))
	return copyRows(ctx, i.tx, "contacts", []string{"account_id", "position", "name", "email"}, contacts, func(c billing.Contact) []any {
		return []any{string(c.AccountID), c.Position, c.Name, c.Email}
	})
}
