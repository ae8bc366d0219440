package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// Bounds of the overview's lists.
const (
	overviewTasks  = 20
	overviewEvents = 18
	overviewDue    = 10
	uncollectedMax = 10_000 // counted no further
)

// Overview is the state of the whole shop, read in one snapshot.
type Overview struct {
	Counts       CaseCounts
	Collected    []Collected // since the instant asked for, by source and currency
	Tasks        []TaskView  // open, oldest first, a few
	TasksOpen    int
	WithoutCase  []InvoiceView // due, open, and no live case: the trigger's next work (I20)
	WithoutCases int           // how many; counted to 10,000
	Outstanding  []money.Amount
	Events       []CaseEvent // newest first
}

// Collected is what one kind of booking took off invoices.
type Collected struct {
	Kind   string // of the journal transaction
	Amount money.Amount
	Count  int
}

// ReadOverview reads the overview; Collected counts from since.
func (s *Store) ReadOverview(ctx context.Context, since time.Time) (Overview, error) {
	var o Overview
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		if o.Counts, err = s.countCases(ctx, tx); err != nil {
			return err
		}
		if o.Collected, err = readCollected(ctx, tx, since); err != nil {
			return err
		}
		if o.Outstanding, err = readOutstanding(ctx, tx); err != nil {
			return err
		}
		if o.Tasks, err = tasksWhere(ctx, tx, "where t.closed_at is null and $1 = ''", ""); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "select count(*) from tasks where closed_at is null").Scan(&o.TasksOpen); err != nil {
			return err
		}
		if err := s.readWithoutCase(ctx, tx, &o); err != nil {
			return err
		}
		o.Events, err = readLastEvents(ctx, tx)
		return err
	})
	if err != nil {
		return Overview{}, fmt.Errorf("read overview: %w", err)
	}
	return o, nil
}

// readCollected sums by kind what took something off a receivable; a reversal counts against the kind it takes back.
func readCollected(ctx context.Context, tx pgx.Tx, since time.Time) ([]Collected, error) {
	rows, err := tx.Query(ctx, `
		select regexp_replace(j.kind, '_reversed$', '') as kind, e.currency, -sum(e.amount_minor)::bigint, count(*)
		  from journal_transactions j join journal_entries e on e.transaction_id = j.id
		 where j.recorded_at >= $1 and e.ledger_kind = 'receivable' and j.kind <> 'invoice_issued'
		 group by 1, e.currency order by 1, e.currency`, since)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Collected, error) {
		var c Collected
		var code string
		var minor int64
		if err := row.Scan(&c.Kind, &code, &minor, &c.Count); err != nil {
			return c, err
		}
		currency, err := money.ParseCurrency(code)
		c.Amount = money.New(minor, currency)
		return c, err
	})
}

// readOutstanding sums what is still due over all open cases, by currency.
func readOutstanding(ctx context.Context, tx pgx.Tx) ([]money.Amount, error) {
	rows, err := tx.Query(ctx, `
		select i.currency, sum(i.total_minor - i.allocated_minor)::bigint from cases c join invoices i on i.id = c.invoice_id
		 where c.finished_at is null and i.state = 'open' group by i.currency order by i.currency`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanAmount)
}

func scanAmount(row pgx.CollectableRow) (money.Amount, error) {
	var code string
	var minor int64
	if err := row.Scan(&code, &minor); err != nil {
		return money.Amount{}, err
	}
	currency, err := money.ParseCurrency(code)
	return money.New(minor, currency), err
}

const withoutCase = `
	from invoices i join accounts a on a.id = i.account_id left join cases c on c.invoice_id = i.id and c.finished_at is null
	where i.state = 'open' and i.collect_at <= now() and c.id is null`

func (s *Store) readWithoutCase(ctx context.Context, tx pgx.Tx, o *Overview) error {
	count := fmt.Sprintf("select count(*) from (select 1 %s limit %d) counted", withoutCase, uncollectedMax)
	if err := tx.QueryRow(ctx, s.atPresent(count)).Scan(&o.WithoutCases); err != nil {
		return err
	}
	list := fmt.Sprintf("select %s %s order by i.collect_at, i.id limit %d", invoiceViewColumns, withoutCase, overviewDue)
	rows, err := tx.Query(ctx, s.atPresent(list))
	if err != nil {
		return err
	}
	o.WithoutCase, err = pgx.CollectRows(rows, scanInvoice)
	return err
}

func readLastEvents(ctx context.Context, tx pgx.Tx) ([]CaseEvent, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		select e.id, e.case_id, c.account_id, i.number, e.at, e.kind, e.data
		  from (select * from case_events order by id desc limit %d) e
		  join cases c on c.id = e.case_id join invoices i on i.id = c.invoice_id order by e.id desc`, overviewEvents))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (CaseEvent, error) {
		var e CaseEvent
		err := row.Scan(&e.ID, &e.Case, &e.Account, &e.Number, &e.At, &e.Kind, &e.Data)
		return e, err
	})
}

func tasksWhere(ctx context.Context, tx pgx.Tx, where string, arg any) ([]TaskView, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		select t.id::text, t.kind, coalesce(t.account_id, ''), coalesce(t.invoice_id, ''), coalesce(t.case_id, ''), t.detail, t.opened_at
		  from tasks t %s order by t.opened_at, t.id limit %d`, where, overviewTasks), arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (TaskView, error) {
		var v TaskView
		err := row.Scan(&v.ID, &v.Kind, &v.Account, &v.Invoice, &v.Case, &v.Detail, &v.OpenedAt)
		return v, err
	})
}

// ChangeMark names the newest facts; two equal marks mean that nothing a page shows has changed (but a notice being read or sent).
func (s *Store) ChangeMark(ctx context.Context) (string, error) {
	var mark string
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			select concat_ws('/', (select max(id) from case_events), (select max(id) from attempt_events),
			       (select max(id) from journal_transactions), (select max(id) from audit_log))`).Scan(&mark)
	})
	if err != nil {
		return "", fmt.Errorf("read change mark: %w", err)
	}
	return mark, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return s.pool.Ping(ctx)
}

// InvoiceView is one invoice as pages show it.
type InvoiceView struct {
	ID        billing.InvoiceID
	Number    string
	Account   billing.AccountID
	TimeZone  string
	State     billing.InvoiceState
	Total     money.Amount
	Allocated money.Amount
	Due       money.Amount
	DueDate   string
	DueAt     time.Time
	CollectAt time.Time
	Case      billing.CaseID // the newest, or ""
	CaseStage string
	// Of the newest case: what lies over its stage.
	Disputed      money.Amount
	PromisedUntil time.Time
	HeldUntil     time.Time
}

const invoiceViewColumns = `
	i.id, i.number, i.account_id, a.time_zone, i.state, i.currency, i.total_minor, i.allocated_minor, i.due_date::text, i.due_at, i.collect_at,
	coalesce((select k.id from cases k where k.invoice_id = i.id order by k.episode desc limit 1), ''),
	coalesce((select k.stage from cases k where k.invoice_id = i.id order by k.episode desc limit 1), ''),
	coalesce((select d.amount_minor from disputes d where d.invoice_id = i.id and d.ended_at is null), 0),
	(select k.promised_until from cases k where k.invoice_id = i.id and k.finished_at is null),
	(select k.held_until from cases k where k.invoice_id = i.id and k.finished_at is null)`

func scanInvoice(row pgx.CollectableRow) (InvoiceView, error) {
	var v InvoiceView
	var code string
	var total, allocated, disputed int64
	var promised, held *time.Time
	err := row.Scan(&v.ID, &v.Number, &v.Account, &v.TimeZone, &v.State, &code, &total, &allocated, &v.DueDate, &v.DueAt, &v.CollectAt,
		&v.Case, &v.CaseStage, &disputed, &promised, &held)
	if err != nil {
		return v, err
	}
	c, err := money.ParseCurrency(code)
	if err != nil {
		return v, err
	}
	v.Total, v.Allocated, v.Due = money.New(total, c), money.New(allocated, c), money.Zero(c)
	v.Disputed, v.PromisedUntil, v.HeldUntil = money.Zero(c), orZero(promised), orZero(held)
	if v.State == billing.InvoiceOpen {
		v.Due = money.New(total-allocated, c)
		v.Disputed = money.New(min(disputed, v.Due.Minor()), c)
	}
	return v, nil
}
