package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// Charge is an attempt that may be sent now: everything a gateway needs, frozen at the last look (PM6).
type Charge struct {
	Attempt       billing.AttemptID
	Case          billing.CaseID
	Invoice       billing.InvoiceID
	InvoiceNumber string
	Gateway       string
	Kind          billing.MethodKind
	Token         string
	CustomerToken string
	Amount        money.Amount
	Reference     string
	FirstSentAt   time.Time
	LastSentAt    time.Time // of an attempt to look up
	// MaybeSent: an earlier send was never answered. Within the key's window the same key goes again and the gateway returns what
	// became of it (U1); after it only a look-up is allowed.
	MaybeSent bool
}

type attemptRow struct {
	ID               uuid.UUID
	CaseID           billing.CaseID
	InvoiceID        billing.InvoiceID
	MethodID         billing.MethodID
	Gateway          string
	Round            int
	Position         int
	State            billing.AttemptState
	AmountMinor      int64
	Currency         string
	FirstSentAt      *time.Time
	Sends            int
	Lookups          int
	NextAt           *time.Time
	GatewayReference string
	CreatedAt        time.Time
	EndedAt          *time.Time
}

const attemptColumns = `a.id, a.case_id, a.invoice_id, a.method_id, a.gateway, a.round, a.position, a.state, a.amount_minor, a.currency,
	a.first_sent_at, a.sends, a.lookups, a.next_at, a.gateway_reference, a.created_at, a.ended_at`

const openStates = `('intent', 'sent', 'action_required', 'pending', 'unknown')`

// openAttempt reads the invoice's attempt whose outcome is not final, if any (PM4).
func (e *episode) openAttempt(ctx context.Context) (*dunning.OpenAttempt, error) {
	const query = `select a.id, a.state, a.next_at, a.method_id, a.gateway, a.round, a.position, m.brand, m.kind, m.last4, a.first_sent_at
		from attempts a join payment_methods m on m.id = a.method_id
		where a.invoice_id = $1 and a.state in ` + openStates
	var a dunning.OpenAttempt
	var id uuid.UUID
	var nextAt, sentAt *time.Time
	var m billing.PaymentMethod
	err := e.tx.QueryRow(ctx, query, e.invoice.ID).Scan(&id, &a.State, &nextAt, &a.Method.Method, &a.Method.Gateway, &a.Round,
		&a.Method.Position, &m.Brand, &m.Kind, &m.Last4, &sentAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read open attempt of invoice %s: %w", e.invoice.ID, err)
	}
	a.ID, a.NextAt, a.Method.Masked = billing.AttemptID(id.String()), orZero(nextAt), masked(m)
	a.Waiting = waitingFor(a.State, a.Method.Masked)
	a.Deadline = e.policy.Unit.DeadlineOf(a.State, m.Kind, orZero(sentAt))
	return &a, nil
}

func waitingFor(s billing.AttemptState, method string) string {
	switch s {
	case billing.AttemptPending:
		return "the bank to settle the debit of " + method
	case billing.AttemptActionRequired:
		return "the customer to confirm " + method
	case billing.AttemptUnknown:
		return "word from the gateway on " + method
	case billing.AttemptIntent, billing.AttemptSent, billing.AttemptSucceeded, billing.AttemptDeclined, billing.AttemptNotSent:
	}
	return "the gateway to take the charge of " + method
}

// BeginAttempt is the last look (PM6): under the locks it re-reads amount due, state, holds, method and policy, and commits the attempt's
// row before anything is sent (PM5). When the step is no longer to charge that method, charge is nil and the step says what is.
// An open attempt of the invoice is taken up instead of a second one being made (PM4).
func (s *Store) BeginAttempt(ctx context.Context, id billing.CaseID, method billing.MethodID, keyWindow time.Duration) (charge *Charge, step dunning.Step, err error) {
	err = s.withCase(ctx, id, func(e *episode) error {
		charge = nil
		f, next, err := e.decide(ctx)
		if err != nil {
			return err
		}
		if f.Attempt != nil {
			charge, err = e.takeUpAttempt(ctx, f, keyWindow)
		} else if next.Do == dunning.DoCharge && next.Method == method {
			charge, err = e.openNewAttempt(ctx, f, next)
		}
		if err != nil || charge != nil {
			return err
		}
		step, err = e.advance(ctx)
		return err
	})
	if err != nil {
		return nil, dunning.Step{}, fmt.Errorf("begin attempt of case %s: %w", id, err)
	}
	return charge, step, nil
}

// openNewAttempt commits the intent; nil when the method can't be used any more.
func (e *episode) openNewAttempt(ctx context.Context, f dunning.Facts, next dunning.Step) (*Charge, error) {
	if err := e.lockInstrument(ctx, next.Method); err != nil {
		return nil, err
	}
	m, skipped, err := e.skipUnusable(ctx, f, next.Method)
	if err != nil || skipped {
		return nil, err
	}
	if parked, err := e.parkedByBound(ctx); err != nil || parked {
		return nil, err
	}
	amount, err := e.amountToCharge()
	if err != nil {
		return nil, fmt.Errorf("new attempt: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new attempt: %w", err)
	}
	const insert = `insert into attempts (id, case_id, invoice_id, account_id, method_id, gateway, round, position, amount_minor, currency, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	if _, err := e.tx.Exec(ctx, insert, id, e.row.ID, e.invoice.ID, e.account.ID, m.ID, m.Gateway, f.Open.Number, next.Position,
		amount.Minor(), amount.Currency().Code(), e.now); err != nil {
		return nil, fmt.Errorf("new attempt: %w", err)
	}
	if err := e.attemptEvent(ctx, id, "", billing.AttemptIntent, nil); err != nil {
		return nil, err
	}
	return e.charge(attemptRow{ID: id, State: billing.AttemptIntent}, m, amount), nil
}

// skipUnusable takes a method out of the open round when it can't be charged any more, and reports whether it did (PM2).
func (e *episode) skipUnusable(ctx context.Context, f dunning.Facts, id billing.MethodID) (m billing.PaymentMethod, skipped bool, err error) {
	if m, err = e.method(ctx, id); err != nil {
		return m, false, err
	}
	skip := m.Skip(e.now, f.Due.Currency())
	if skip == billing.SkipNone {
		if skip, err = e.switchedOff(ctx, m, f.Open.Number); err != nil || skip == billing.SkipNone {
			return m, false, err
		}
	}
	const update = `update round_methods set skip = $4 where case_id = $1 and round = $2 and method_id = $3`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, f.Open.Number, m.ID, string(skip)); err != nil {
		return m, false, fmt.Errorf("skip method %s: %w", m.ID, err)
	}
	return m, true, e.skipped(ctx, m, skip)
}

// takeUpAttempt resumes the invoice's open attempt when it is one to send (its worker died, or the gateway did not process it); nil
// when something else comes next.
func (e *episode) takeUpAttempt(ctx context.Context, f dunning.Facts, keyWindow time.Duration) (*Charge, error) {
	// Read again under its lock: MarkSent takes no other, so the facts may be older than a send.
	row, err := e.attemptRow(ctx, f.Attempt.ID)
	if err != nil {
		return nil, err
	}
	if row.State != billing.AttemptIntent && row.State != billing.AttemptSent || orZero(row.NextAt).After(e.now) {
		return nil, nil
	}
	m, err := e.methodBut(ctx, row.MethodID, f.Attempt.ID)
	if err != nil {
		return nil, err
	}
	stopped, err := e.stopped(ctx, row.Gateway)
	if err != nil {
		return nil, err
	}
	outlived := keyOutlived(row, e.now, keyWindow)
	if row.State == billing.AttemptIntent {
		// Nothing can have moved, so the last look is taken again before it goes.
		stale := row.AmountMinor != f.Collectable().Minor() || m.Skip(e.now, f.Due.Currency()) != billing.SkipNone
		if stale || f.StopsAttempts() || f.Closing != "" || outlived {
			return nil, e.endAttempt(ctx, row, billing.Answer{State: billing.AttemptNotSent, Message: "given up before it was sent"})
		}
		if stopped {
			return nil, nil
		}
	} else if stopped {
		// It may never have left, and then sending it again would charge.
		return nil, e.recordAnswer(ctx, row, billing.Answer{State: billing.AttemptUnknown, Message: "charging is stopped: looked up instead of sent again"})
	} else if f.Closing != "" {
		return nil, e.recordAnswer(ctx, row, billing.Answer{State: billing.AttemptUnknown, Message: "the case is being ended: looked up instead of sent again"})
	} else if outlived {
		// Only a look-up may say what became of it (I13).
		return nil, e.recordAnswer(ctx, row, billing.Answer{State: billing.AttemptUnknown, Message: "the key's window has passed"})
	}
	return e.charge(row, m, money.New(row.AmountMinor, f.Due.Currency())), nil
}

func (e *episode) charge(row attemptRow, m billing.PaymentMethod, amount money.Amount) *Charge {
	return &Charge{
		Attempt: billing.AttemptID(row.ID.String()), Case: e.row.ID, Invoice: e.invoice.ID, InvoiceNumber: e.invoice.Number,
		Gateway: m.Gateway, Kind: m.Kind, Token: m.Token, CustomerToken: m.CustomerToken, Amount: amount,
		Reference: row.GatewayReference, FirstSentAt: orZero(row.FirstSentAt), MaybeSent: row.State == billing.AttemptSent,
	}
}

// MarkSent stamps an attempt before its first byte leaves (U1, faults.md A4). It refuses when the attempt has ended meanwhile, the key's
// window has passed (I13) or charging is stopped at its gateway: then nothing may be sent.
func (s *Store) MarkSent(ctx context.Context, id billing.AttemptID, keyWindow time.Duration) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := refuseIfStopped(ctx, tx, id); err != nil {
			return err
		}
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const update = `
			with before as (select id, state from attempts where id = $1 for no key update)
			update attempts a set state = 'sent', first_sent_at = coalesce(a.first_sent_at, $2), sends = a.sends + 1, next_at = null
			  from before where a.id = before.id and a.state in ('intent', 'sent')
			   and ` + insideWindow + `
			returning before.state`
		var before billing.AttemptState
		err = tx.QueryRow(ctx, update, id, now, keyWindow.Seconds()).Scan(&before)
		if errors.Is(err, pgx.ErrNoRows) {
			return billing.Refuse(billing.RefusedNotNow, "attempt", "attempt %s may not be sent any more", id)
		}
		if err != nil {
			return err
		}
		const event = `insert into attempt_events (attempt_id, at, from_state, to_state) values ($1, $2, $3, 'sent')`
		_, err = tx.Exec(ctx, event, id, now, before)
		return err
	})
	if err != nil {
		return fmt.Errorf("mark attempt %s sent: %w", id, err)
	}
	return nil
}

// method reads one method with what it used of its budgets.
func (e *episode) method(ctx context.Context, id billing.MethodID) (billing.PaymentMethod, error) {
	return e.methodBut(ctx, id, "")
}

// methodBut leaves an attempt out that has its place in the budgets already, because it is the one about to go.
func (e *episode) methodBut(ctx context.Context, id billing.MethodID, except billing.AttemptID) (billing.PaymentMethod, error) {
	methods, err := readMethods(ctx, e.tx, e.account.ID, e.now, budgetFor{invoice: e.invoice.ID, except: except, removed: id})
	if err != nil {
		return billing.PaymentMethod{}, err
	}
	for _, m := range methods {
		if m.ID == id {
			return m, nil
		}
	}
	return billing.PaymentMethod{}, fmt.Errorf("account %s has no payment method %s", e.account.ID, id)
}

func (e *episode) attemptRow(ctx context.Context, id billing.AttemptID) (attemptRow, error) {
	rows, _ := e.tx.Query(ctx, `select `+attemptColumns+` from attempts a where a.id = $1 for no key update`, id)
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[attemptRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return r, billing.Refuse(billing.RefusedNotFound, "attempt", "there is no attempt %s", id)
	}
	if err != nil {
		return r, fmt.Errorf("lock attempt %s: %w", id, err)
	}
	return r, nil
}

func (e *episode) attemptEvent(ctx context.Context, id uuid.UUID, from, to billing.AttemptState, detail map[string]any) error {
	if detail == nil {
		detail = map[string]any{}
	}
	const insert = `insert into attempt_events (attempt_id, at, from_state, to_state, detail) values ($1, $2, $3, $4, $5)`
	if _, err := e.tx.Exec(ctx, insert, id, e.now, from, to, detail); err != nil {
		return fmt.Errorf("record attempt %s: %w", id, err)
	}
	return nil
}

// AttemptToLookUp returns what a gateway needs to say what became of an attempt; nil when it is final already.
func (s *Store) AttemptToLookUp(ctx context.Context, id billing.AttemptID) (*Charge, error) {
	const query = `select a.case_id, a.invoice_id, a.gateway, a.gateway_reference, a.first_sent_at, a.amount_minor, a.currency, a.state, m.kind, m.customer_token,
		(select max(v.at) from attempt_events v where v.attempt_id = a.id and v.to_state = 'sent')
		from attempts a join payment_methods m on m.id = a.method_id where a.id = $1`
	c := Charge{Attempt: id}
	var state billing.AttemptState
	var sent, last *time.Time
	var minor int64
	var code string
	err := s.pool.QueryRow(ctx, query, id).Scan(&c.Case, &c.Invoice, &c.Gateway, &c.Reference, &sent, &minor, &code, &state, &c.Kind, &c.CustomerToken, &last)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, billing.Refuse(billing.RefusedNotFound, "attempt", "there is no attempt %s", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read attempt %s: %w", id, err)
	}
	if state.Final() {
		return nil, nil
	}
	currency, err := money.ParseCurrency(code)
	if err != nil {
		return nil, fmt.Errorf("read attempt %s: %w", id, err)
	}
	c.FirstSentAt, c.LastSentAt, c.Amount = orZero(sent), orZero(last), money.New(minor, currency)
	return &c, nil
}
