package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// accountRowsMax bounds each list on an account's page.
const accountRowsMax = 100

// AccountView is one account as lists show it. No contact data.
type AccountView struct {
	billing.Account
	OpenCases    int
	OpenInvoices int
	Due          []money.Amount // over its open invoices that are due, by currency
}

// AccountFilter says which accounts a list shows, by id.
type AccountFilter struct {
	Search   string // part of an id or a name
	Standing billing.Standing
	After    string // the last id of the page before
	Limit    int
}

// AccountPage is one page of accounts.
type AccountPage struct {
	Accounts []AccountView
	Next     string
}

// ListAccounts returns one page of accounts by id.
func (s *Store) ListAccounts(ctx context.Context, f AccountFilter) (AccountPage, error) {
	q := &conditions{}
	if search := trimSearch(f.Search); search != "" {
		q.add("(a.id ilike ? or a.name ilike ?)", like(search), like(search))
	}
	switch f.Standing {
	case "":
	case billing.StandingActive, billing.StandingSuspended, billing.StandingClosed:
		q.add("a.standing = ?", string(f.Standing))
	default:
		return AccountPage{}, billing.Refuse(billing.RefusedInvalid, "standing", "there is no standing %q", string(f.Standing))
	}
	if f.After != "" {
		if err := billing.CheckID(f.After); err != nil {
			return AccountPage{}, billing.Refuse(billing.RefusedInvalid, "after", "%v", err)
		}
		q.add("a.id > ?", f.After)
	}
	limit := pageLimit(f.Limit)
	var page AccountPage
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf("select %s from accounts a %s order by a.id limit %d", accountColumns, q.where(), limit+1), q.args...)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByName[accountRow])
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			page.Next = string(found[limit-1].ID)
		}
		for _, r := range found {
			page.Accounts = append(page.Accounts, AccountView{Account: r.account()})
		}
		return s.readAccountDues(ctx, tx, page.Accounts)
	})
	if err != nil {
		return AccountPage{}, fmt.Errorf("list accounts: %w", err)
	}
	return page, nil
}

// readAccountDues fills in what each account owes now.
func (s *Store) readAccountDues(ctx context.Context, tx pgx.Tx, accounts []AccountView) error {
	place := make(map[string]int, len(accounts))
	ids := make([]string, len(accounts))
	for n, a := range accounts {
		ids[n], place[string(a.ID)] = string(a.ID), n
	}
	rows, err := tx.Query(ctx, s.atPresent(`
		select i.account_id, i.currency, sum(i.total_minor - i.allocated_minor) filter (where i.due_at <= now()), count(*), count(c.id)
		  from invoices i left join cases c on c.invoice_id = i.id and c.finished_at is null
		 where i.account_id = any($1) and i.state = 'open' group by i.account_id, i.currency order by i.account_id, i.currency`), ids)
	if err != nil {
		return err
	}
	var id, code string
	var minor *int64
	var invoices, cases int
	_, err = pgx.ForEachRow(rows, []any{&id, &code, &minor, &invoices, &cases}, func() error {
		a := &accounts[place[id]]
		a.OpenCases += cases
		a.OpenInvoices += invoices
		if minor == nil {
			return nil
		}
		currency, err := money.ParseCurrency(code)
		a.Due = append(a.Due, money.New(*minor, currency))
		return err
	})
	return err
}

// AccountDetail is everything a page tells of one account, read in one snapshot. It alone carries contact data.
type AccountDetail struct {
	AccountView
	Contacts  []billing.Contact
	Children  []billing.AccountID // accounts of the organisation it owns
	Standings []StandingView      // newest first
	Calls     []StandingCall      // newest first
	Invoices  []InvoiceView       // open ones first, then newest
	Methods   []billing.PaymentMethod
	Credits   []billing.Credit
	Deposits  []DepositView
	Unapplied []money.Amount
	Notices   []NoticeView
	Tasks     []TaskView
	Limits    dunning.Limits // of the policy that it follows as a whole, for a hold on all of its cases
	// Resolutions are what was decided about the account as a whole, oldest first.
	Resolutions []ResolutionView
}

// StandingView is one suspension and its end (S1).
type StandingView struct {
	Cause         string
	Case          billing.CaseID
	SuspendedAt   time.Time
	LiftedAt      time.Time
	LiftedBecause string
}

// StandingCall is one call of the user's own service (S3).
type StandingCall struct {
	Generation int64
	Standing   billing.Standing
	Reason     string
	CreatedAt  time.Time
	AcceptedAt time.Time
	Tries      int
	Problem    string
}

// DepositView is a deposit with what it paid (AF3).
type DepositView struct {
	billing.Deposit
	Uses []DepositUse
}

// DepositUse is a part of a deposit put on an invoice.
type DepositUse struct {
	Invoice    billing.InvoiceID
	Amount     money.Amount
	At         time.Time
	ReversedAt time.Time
}

// FindAccount returns one account; a Refusal when there is none.
func (s *Store) FindAccount(ctx context.Context, id billing.AccountID) (AccountDetail, error) {
	var d AccountDetail
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := d.readAccount(ctx, tx, id); err != nil {
			return err
		}
		one := []AccountView{d.AccountView}
		if err := s.readAccountDues(ctx, tx, one); err != nil {
			return err
		}
		d.AccountView = one[0]
		steps := []func(context.Context, pgx.Tx) error{
			d.readPeople, d.readStandings, d.readInvoices, d.readCredits, d.readDeposits, d.readUnapplied, d.readResolutions,
		}
		for _, read := range steps {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		var err error
		if d.Notices, err = noticesWhere(ctx, tx, "where n.account_id = $1 order by n.created_at desc, n.id desc", accountRowsMax, id); err != nil {
			return err
		}
		if d.Tasks, err = tasksWhere(ctx, tx, "where t.closed_at is null and t.account_id = $1", id); err != nil {
			return err
		}
		policy, err := s.accountPolicy(ctx, tx, id)
		if err != nil {
			return err
		}
		d.Limits = policy.Limits
		d.Methods, err = s.methodsForPages(ctx, tx, id)
		return err
	})
	if err != nil {
		return AccountDetail{}, fmt.Errorf("find account %s: %w", id, err)
	}
	return d, nil
}

func (d *AccountDetail) readAccount(ctx context.Context, tx pgx.Tx, id billing.AccountID) error {
	rows, err := tx.Query(ctx, "select "+accountColumns+" from accounts a where a.id = $1", id)
	if err != nil {
		return err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[accountRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return notFoundRefusal("account", string(id))
	}
	if err != nil {
		return err
	}
	d.Account = r.account()
	return nil
}
