package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// eventsMax bounds the timeline of one case; a full failure of the longest policy has far fewer.
const eventsMax = 1000

// CaseDetail is everything a page tells of one case, read in one snapshot.
type CaseDetail struct {
	CaseView
	ClockStartedAt time.Time
	ClockShift     time.Duration  // how long the stage clock stood still (T1)
	Dates          dunning.Dates  // of its policy, for its clock as it stands
	Limits         dunning.Limits // of its policy
	Rounds         []RoundView
	Attempts       []AttemptView
	Events         []CaseEvent
	Bookings       []Booking
	Notices        []NoticeView
	Resolutions    []ResolutionView
	Tasks          []TaskView
	Methods        []billing.PaymentMethod // in order; tokens are left out (I18)
	Lines          []billing.Line
	Episodes       []EpisodeView // of the same invoice, oldest first, this one too
}

// EpisodeView is one episode of collecting an invoice.
type EpisodeView struct {
	ID      billing.CaseID
	Episode int
	Stage   string
}

// RoundView is one round with the methods as read when it began (PM1).
type RoundView struct {
	Number  int
	Cause   string // scheduled, machine or person
	BeganAt time.Time
	EndedAt time.Time
	Result  string
	Methods []RoundMethod
}

// RoundMethod is one method's place in a round, and why it was skipped (PM2).
type RoundMethod struct {
	Position int
	Method   billing.MethodID
	Skip     billing.Skip
}

// AttemptView is one attempt with everything that became of it.
type AttemptView struct {
	ID          billing.AttemptID
	Method      billing.MethodID
	Masked      string // "visa ···4242"
	Gateway     string
	Brand       string
	Round       int
	Position    int
	State       billing.AttemptState
	Amount      money.Amount
	Sends       int
	Lookups     int
	NextAt      time.Time
	Reference   string // the gateway's
	Class       string
	DeclineCode string
	AdviceCode  string
	NetworkCode string
	Ruling      string
	Message     string
	CreatedAt   time.Time
	FirstSentAt time.Time
	EndedAt     time.Time
	Events      []AttemptEvent
}

// AttemptEvent is one change of an attempt's state.
type AttemptEvent struct {
	At       time.Time
	From, To billing.AttemptState
}

// CaseEvent is one line of a case's timeline.
type CaseEvent struct {
	ID      int64
	Case    billing.CaseID
	Account billing.AccountID
	Number  string // of the invoice; only in lists over several cases
	At      time.Time
	Kind    string
	Data    json.RawMessage // ids, amounts and codes only (I18)
}

// Booking is one journal transaction that changed what is owed on an invoice (M2). Amount is what it took off; negative when it added.
type Booking struct {
	Kind   string
	Key    string
	At     time.Time
	Amount money.Amount
}

// ResolutionView is something a person decided (R2).
type ResolutionView struct {
	RequestID string
	Kind      string
	Actor     string
	Reason    string
	Fields    json.RawMessage
	Answer    json.RawMessage
	At        time.Time
	State     billing.ResolutionState
}

// Reversible reports whether the decision can be taken back at all; what has happened since may still refuse it.
func (v ResolutionView) Reversible() bool {
	switch v.State {
	case billing.ResolutionProposed, billing.ResolutionWaiting:
		return true
	case billing.ResolutionWithdrawn, billing.ResolutionReversed:
		return false
	case billing.ResolutionDone:
	}
	_, no := instead[billing.ResolutionKind(v.Kind)]
	return !no
}

// TaskView is something a person has to do.
type TaskView struct {
	ID       string
	Kind     string
	Account  billing.AccountID
	Invoice  billing.InvoiceID
	Case     billing.CaseID
	Detail   json.RawMessage
	OpenedAt time.Time
}

// FindCase returns one case with all that happened to it; a Refusal when there is none.
func (s *Store) FindCase(ctx context.Context, id billing.CaseID) (CaseDetail, error) {
	var d CaseDetail
	err := s.inSnapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := d.readCase(ctx, tx, id); err != nil {
			return err
		}
		steps := []func(context.Context, pgx.Tx) error{
			d.readRounds, d.readAttempts, d.readEvents, d.readBookings, d.readResolutions, d.readLines, d.readEpisodes,
		}
		for _, read := range steps {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		var err error
		if d.Notices, err = noticesWhere(ctx, tx, "where n.case_id = $1 order by n.created_at, n.id", eventsMax, id); err != nil {
			return err
		}
		if d.Tasks, err = tasksWhere(ctx, tx, "where t.closed_at is null and t.case_id = $1", id); err != nil {
			return err
		}
		if d.Methods, err = s.methodsForPages(ctx, tx, d.Account); err != nil {
			return err
		}
		policy, err := s.policy(ctx, tx, d.Policy, d.PolicyVersion)
		if err != nil {
			return err
		}
		d.Limits = policy.Limits
		d.Dates, err = policy.DatesFor(d.ClockStartedAt, d.ClockShift, d.TimeZone, d.Invoice)
		return err
	})
	if err != nil {
		return CaseDetail{}, fmt.Errorf("find case %s: %w", id, err)
	}
	return d, nil
}

func (d *CaseDetail) readCase(ctx context.Context, tx pgx.Tx, id billing.CaseID) error {
	type row struct {
		caseViewRow
		ClockStartedAt    time.Time
		ClockShiftSeconds int64
	}
	rows, err := tx.Query(ctx, "select "+caseViewColumns+", c.clock_started_at, c.clock_shift_seconds"+caseViewTables+" where c.id = $1", id)
	if err != nil {
		return err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	if errors.Is(err, pgx.ErrNoRows) {
		return notFoundRefusal("case", string(id))
	}
	if err != nil {
		return err
	}
	d.ClockStartedAt, d.ClockShift = r.ClockStartedAt, time.Duration(r.ClockShiftSeconds)*time.Second
	d.CaseView, err = r.view()
	return err
}

func (d *CaseDetail) readRounds(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select r.number, r.cause, r.began_at, r.ended_at, r.result,
		       coalesce(array_agg(m.position order by m.position) filter (where m.position is not null), '{}'),
		       coalesce(array_agg(m.method_id order by m.position) filter (where m.position is not null), '{}'),
		       coalesce(array_agg(m.skip order by m.position) filter (where m.position is not null), '{}')
		  from rounds r left join round_methods m on m.case_id = r.case_id and m.round = r.number
		 where r.case_id = $1 group by r.case_id, r.number order by r.number limit $2`, d.ID, eventsMax)
	if err != nil {
		return err
	}
	d.Rounds, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (RoundView, error) {
		var v RoundView
		var ended *time.Time
		var positions []int
		var methods, skips []string
		err := row.Scan(&v.Number, &v.Cause, &v.BeganAt, &ended, &v.Result, &positions, &methods, &skips)
		v.EndedAt = orZero(ended)
		for n := range positions {
			v.Methods = append(v.Methods, RoundMethod{positions[n], billing.MethodID(methods[n]), billing.Skip(skips[n])})
		}
		return v, err
	})
	return err
}

func (d *CaseDetail) readAttempts(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select t.id::text, t.method_id, t.gateway, m.kind, m.brand, m.last4, t.round, t.position, t.state, t.amount_minor, t.currency, t.sends,
		       t.lookups, t.next_at, t.gateway_reference, t.class, t.decline_code, t.advice_code, t.network_code, t.ruling, t.message,
		       t.created_at, t.first_sent_at, t.ended_at
		  from attempts t join payment_methods m on m.id = t.method_id
		 where t.case_id = $1 order by t.created_at, t.id limit $2`, d.ID, eventsMax)
	if err != nil {
		return err
	}
	d.Attempts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (AttemptView, error) {
		var v AttemptView
		var m billing.PaymentMethod
		var minor int64
		var code string
		var next, sent, ended *time.Time
		err := row.Scan(&v.ID, &v.Method, &v.Gateway, &m.Kind, &m.Brand, &m.Last4, &v.Round, &v.Position, &v.State, &minor, &code, &v.Sends,
			&v.Lookups, &next, &v.Reference, &v.Class, &v.DeclineCode, &v.AdviceCode, &v.NetworkCode, &v.Ruling, &v.Message,
			&v.CreatedAt, &sent, &ended)
		if err != nil {
			return v, err
		}
		c, err := money.ParseCurrency(code)
		v.Amount, v.Masked, v.Brand = money.New(minor, c), masked(m), m.Brand
		v.NextAt, v.FirstSentAt, v.EndedAt = orZero(next), orZero(sent), orZero(ended)
		return v, err
	})
	if err != nil {
		return err
	}
	return d.readAttemptEvents(ctx, tx)
}

func (d *CaseDetail) readAttemptEvents(ctx context.Context, tx pgx.Tx) error {
	place := make(map[string]int, len(d.Attempts))
	for n, a := range d.Attempts {
		place[string(a.ID)] = n
	}
	rows, err := tx.Query(ctx, `
		select e.attempt_id::text, e.at, e.from_state, e.to_state from attempt_events e join attempts t on t.id = e.attempt_id
		 where t.case_id = $1 order by e.id limit $2`, d.ID, eventsMax)
	if err != nil {
		return err
	}
	var id string
	var e AttemptEvent
	_, err = pgx.ForEachRow(rows, []any{&id, &e.At, &e.From, &e.To}, func() error {
		if n, ok := place[id]; ok {
			d.Attempts[n].Events = append(d.Attempts[n].Events, e)
		}
		return nil
	})
	return err
}

func (d *CaseDetail) readEvents(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select id, at, kind, data from case_events where case_id = $1 order by id desc limit $2", d.ID, eventsMax)
	if err != nil {
		return err
	}
	d.Events, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (CaseEvent, error) {
		e := CaseEvent{Case: d.ID, Account: d.Account}
		err := row.Scan(&e.ID, &e.At, &e.Kind, &e.Data)
		return e, err
	})
	return err
}

// readBookings reads what the journal says of the invoice's receivable, over all episodes.
func (d *CaseDetail) readBookings(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select j.kind, j.key, j.recorded_at, -e.amount_minor from journal_entries e join journal_transactions j on j.id = e.transaction_id
		 where e.invoice_id = $1 and e.ledger_kind = 'receivable' order by e.id limit $2`, d.Invoice, eventsMax)
	if err != nil {
		return err
	}
	currency := d.Total.Currency()
	d.Bookings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Booking, error) {
		var b Booking
		var minor int64
		err := row.Scan(&b.Kind, &b.Key, &b.At, &minor)
		b.Amount = money.New(minor, currency)
		return b, err
	})
	return err
}

func (d *CaseDetail) readResolutions(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select request_id, kind, actor, reason, fields, answer, decided_at as at, state from resolutions
		 where case_id = $1 or case_id is null and account_id = (select account_id from cases where id = $1) order by decided_at, request_id limit $2`, d.ID, eventsMax)
	if err != nil {
		return err
	}
	d.Resolutions, err = pgx.CollectRows(rows, pgx.RowToStructByName[ResolutionView])
	return err
}

func (d *CaseDetail) readLines(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		select position, service, charge_kind, description, period_start, amount_minor from invoice_lines
		 where invoice_id = $1 order by position limit $2`, d.Invoice, eventsMax)
	if err != nil {
		return err
	}
	d.Lines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (billing.Line, error) {
		var l billing.Line
		var minor int64
		err := row.Scan(&l.Position, &l.Service, &l.ChargeKind, &l.Description, &l.PeriodStart, &minor)
		l.Amount = money.New(minor, d.Total.Currency())
		return l, err
	})
	return err
}

func (d *CaseDetail) readEpisodes(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select id, episode, stage from cases where invoice_id = $1 order by episode limit $2", d.Invoice, eventsMax)
	if err != nil {
		return err
	}
	d.Episodes, err = pgx.CollectRows(rows, pgx.RowToStructByName[EpisodeView])
	return err
}

// methodsForPages are an account's methods in order, without their tokens (I18).
func (s *Store) methodsForPages(ctx context.Context, tx pgx.Tx, account billing.AccountID) ([]billing.PaymentMethod, error) {
	now, err := s.now(ctx, tx)
	if err != nil {
		return nil, err
	}
	methods, err := readMethods(ctx, tx, account, now, budgetFor{})
	for n := range methods {
		methods[n].Token, methods[n].CustomerToken = "", ""
	}
	return methods, err
}
