package chaos

import (
	"context"
	"fmt"
	"time"
)

// facts are what Postgres says at the end, for the judgement.
type facts struct {
	invoices    map[string]int64     // total by id
	receipts    map[string]time.Time // by attempt
	open        map[string]bool      // attempts without a final outcome
	reversed    map[string]bool      // attempts whose money was taken back
	suspensions []suspension
	decisions   map[string]string // kind by request id
	mails       []sentMail
	steps       []step
	ends        []count
	parked      []count
}

// count is one line of a table.
type count struct {
	What string
	N    int
}

// suspension is one with what the journal knew in its moment.
type suspension struct {
	Account, Invoice string
	At               time.Time
	DueMinor         int64
	Active           bool // still
	Blocked          bool // by an unpaid invoice now
}

// sentMail is a send record of a mail.
type sentMail struct {
	ID, Kind, State, MessageID, Problem string
	Tries                               int
}

// step is an event of an attempt with the next one.
type step struct {
	Attempt string
	At      time.Time
	To      string
	Next    *time.Time
	NextTo  string
}

type pair struct {
	Key   string
	Value string
}

// readFacts reads what is judged. One query each, all after the system came to rest.
func (r *run) readFacts(ctx context.Context) (f facts, err error) {
	f.invoices, f.receipts, f.open, f.decisions = map[string]int64{}, map[string]time.Time{}, map[string]bool{}, map[string]string{}
	f.reversed = map[string]bool{}
	read := func(what string, g func() error) {
		if err == nil {
			if err = g(); err != nil {
				err = fmt.Errorf("read %s: %w", what, err)
			}
		}
	}
	read("invoices", func() error {
		rows, err := query[struct {
			ID    string
			Minor int64
		}](ctx, r, `select id, total_minor from invoices`)
		for _, i := range rows {
			f.invoices[i.ID] = i.Minor
		}
		return err
	})
	read("receipts", func() error {
		rows, err := query[struct {
			Attempt string
			At      time.Time
		}](ctx, r, `select split_part(key, '/', 2), recorded_at from journal_transactions where kind = 'receipt'`)
		for _, x := range rows {
			f.receipts[x.Attempt] = x.At
		}
		return err
	})
	read("open attempts", func() error {
		rows, err := query[pair](ctx, r, `select id::text, state from attempts where state in ('intent', 'sent', 'action_required', 'pending', 'unknown')`)
		for _, x := range rows {
			f.open[x.Key] = true
		}
		return err
	})
	read("reversals", func() error {
		rows, err := query[pair](ctx, r, `select attempt_id::text, reference from reversals`)
		for _, x := range rows {
			f.reversed[x.Key] = true
		}
		return err
	})
	read("decisions", func() error {
		rows, err := query[pair](ctx, r, `select request_id, kind from resolutions`)
		for _, x := range rows {
			f.decisions[x.Key] = x.Value
		}
		return err
	})
	read("suspensions", func() (err error) { f.suspensions, err = query[suspension](ctx, r, suspensionsThen); return })
	read("mails", func() (err error) {
		f.mails, err = query[sentMail](ctx, r, `select id::text, kind, state, message_id, problem, tries from notices where channel = 'email' and message_id <> ''`)
		return
	})
	read("attempts", func() (err error) { f.steps, err = query[step](ctx, r, attemptSteps); return })
	read("ends", func() (err error) { f.ends, err = query[count](ctx, r, endStates); return })
	read("tasks", func() (err error) { f.parked, err = query[count](ctx, r, parkedBy); return })
	return f, err
}

// suspensionsThen: what was due is the receivable as the journal had it when the account was suspended.
const suspensionsThen = `
	select s.account_id, c.invoice_id, s.suspended_at,
	       coalesce((select sum(e.amount_minor) from journal_entries e join journal_transactions t on t.id = e.transaction_id
	                  where e.invoice_id = c.invoice_id and e.ledger_kind = 'receivable' and t.recorded_at <= s.suspended_at), 0)::bigint,
	       s.lifted_at is null,
	       exists (select 1 from cases b join invoices i on i.id = b.invoice_id
	                where b.account_id = s.account_id and b.stage = 'suspended' and b.finished_at is null and i.state = 'open')
	       or (select standing from accounts a where a.id = s.account_id) = 'closed'
	  from suspensions s join cases c on c.id = s.case_id where s.cause = 'unpaid'`

const attemptSteps = `
	select attempt_id::text, at, to_state, lead(at) over w, coalesce(lead(to_state) over w, '')
	  from attempt_events window w as (partition by attempt_id order by id)`

// endStates: where each invoice ended, and what it waits for when it has not.
const endStates = `
	select case when i.state <> 'open' then i.state
	            when c.id is null then 'open, without a case'
	            when exists (select 1 from tasks k where k.case_id = c.id and k.closed_at is null) and c.next_at is null then c.stage || ', parked with a task'
	            when c.next_at is null then c.stage || ', waiting for money or a person'
	            else c.stage || ', waiting on a date' end as what, count(*)::int
	  from invoices i left join cases c on c.invoice_id = i.id and c.finished_at is null
	 group by 1 order by 2 desc, 1`

const parkedBy = `
	select k.kind, count(*)::int from tasks k where k.closed_at is null group by 1 order by 2 desc, 1`
