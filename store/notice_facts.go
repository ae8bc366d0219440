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

// noticeRow is a send record as claimed.
type noticeRow struct {
	Kind      dunning.NoticeKind
	Occasion  string
	Channel   string
	Recipient int
	State     string
	Data      []byte
	CreatedAt time.Time
	AccountID billing.AccountID
	CaseID    *billing.CaseID
	InvoiceID *billing.InvoiceID
}

func (r noticeRow) key() dunning.NoticeKey {
	k := dunning.NoticeKey{Account: r.AccountID, Kind: r.Kind, Occasion: r.Occasion, Channel: r.Channel, Recipient: r.Recipient}
	if r.CaseID != nil {
		k.Case = *r.CaseID
	}
	return k
}

// BeginNotice is the last look before a claimed notice is handed over: under locks that no money can move past it re-reads everything
// the text may state, and decides in the same transaction (N3, I11). Either the notice is settled or put off and NotNow says why, or it
// may go out now: a mail is then marked as sending, which is what makes a crash between here and NoticeSent visible. Domain
// is the sender's, for the Message-ID.
func (s *Store) BeginNotice(ctx context.Context, c billing.NoticeClaim, domain string) (billing.NoticeFacts, error) {
	var f billing.NoticeFacts
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		f = billing.NoticeFacts{ID: c.ID}
		row, err := readNotice(ctx, tx, c)
		if errors.Is(err, pgx.ErrNoRows) {
			f.NotNow = "another dispatcher took it"
			return nil
		}
		if err != nil {
			return err
		}
		f.MessageID = row.key().MessageID(domain)
		if err := s.fillNotice(ctx, tx, row, &f); err != nil {
			return err
		}
		return settleOrSend(ctx, tx, c, row, &f)
	})
	if err != nil {
		return f, fmt.Errorf("begin notice %s: %w", c.ID, err)
	}
	return f, nil
}

func readNotice(ctx context.Context, tx pgx.Tx, c billing.NoticeClaim) (noticeRow, error) {
	const query = `select kind, occasion, channel, recipient, state, data, created_at, account_id, case_id, invoice_id
		from notices where id = $1 and tries = $2 and state in ('queued', 'sending')`
	rows, _ := tx.Query(ctx, query, c.ID, c.Try)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[noticeRow])
}

// settleOrSend takes the one decision about a claimed notice whose facts were read under locks.
func settleOrSend(ctx context.Context, tx pgx.Tx, c billing.NoticeClaim, row noticeRow, f *billing.NoticeFacts) error {
	update := func(sql string, args ...any) error {
		tag, err := tx.Exec(ctx, `update notices set `+sql+` where id = $1 and tries = $2 and state in ('queued', 'sending')`,
			append([]any{c.ID, c.Try}, args...)...)
		if err == nil && tag.RowsAffected() != 1 {
			f.NotNow = "another dispatcher took it"
		}
		return err
	}
	if until := putOff(*f); !until.IsZero() {
		f.NotNow = "a hold stops it"
		return update(`state = 'queued', lease_until = null, send_after = $3`, until)
	}
	if why := obsolete(*f); why != "" {
		f.NotNow = why
		if row.State == "sending" {
			why += "; an earlier try may have gone out" // its dispatcher died of it (faults.md F1)
		}
		return update(`state = 'suppressed', lease_until = null, problem = $3`, why)
	}
	if row.Channel != billing.ChannelEmail {
		return nil
	}
	if row.State == "sending" && !mustArrive[row.Kind] {
		f.NotNow = inDoubt
		return update(`state = 'sent', lease_until = null, sent_at = $3, problem = $4`, f.Now, inDoubt)
	}
	if f.Contact.Email == "" {
		return nil // the contact is gone: the caller records it as undeliverable
	}
	// What the text is about to state, for the audit (I11).
	stated, err := json.Marshal(map[string]any{
		"at": f.Now, "invoice_state": f.Invoice.State, "total": f.Invoice.Total, "allocated": f.Invoice.Allocated,
		"standing": f.Account.Standing, "generation": f.Account.Generation,
	})
	if err != nil {
		return err
	}
	return update(markBegun, f.MessageID, stated)
}

// fillNotice reads everything a text may state, locking the account and the invoice against money that moves meanwhile.
func (s *Store) fillNotice(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	f.Kind, f.Channel, f.CreatedAt = string(row.Kind), row.Channel, row.CreatedAt
	if err := json.Unmarshal(row.Data, &f.Data); err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	rows, _ := tx.Query(ctx, `select `+accountColumns+` from accounts a where a.id = $1 for share`, row.AccountID)
	account, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[accountRow])
	if err != nil {
		return fmt.Errorf("read account %s: %w", row.AccountID, err)
	}
	f.Account = account.account()
	if row.InvoiceID != nil {
		if f.Invoice, err = shareInvoice(ctx, tx, *row.InvoiceID); err != nil {
			return err
		}
	}
	if f.Now, err = s.now(ctx, tx); err != nil {
		return err
	}
	if row.Channel == billing.ChannelEmail {
		if err := readContact(ctx, tx, row, f); err != nil {
			return err
		}
	}
	for _, read := range []func(context.Context, pgx.Tx, noticeRow, *billing.NoticeFacts) error{
		s.readNoticeCase, readNoticeAttempts, readNoticeSources, readNoticeMethod, readOverdue,
	} {
		if err := read(ctx, tx, row, f); err != nil {
			return err
		}
	}
	return nil
}

func shareInvoice(ctx context.Context, tx pgx.Tx, id billing.InvoiceID) (billing.Invoice, error) {
	rows, _ := tx.Query(ctx, `select `+invoiceColumns+` from invoices i where i.id = $1 for share`, id)
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[invoiceRow])
	if err != nil {
		return billing.Invoice{}, fmt.Errorf("read invoice %s: %w", id, err)
	}
	return r.invoice()
}

// readContact resolves the recipient now: an address that changed since the notice was queued is the one that gets it (faults.md F4).
func readContact(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	c := billing.Contact{AccountID: row.AccountID, Position: row.Recipient}
	const query = `select name, email from contacts where account_id = $1 and position = $2`
	err := tx.QueryRow(ctx, query, row.AccountID, row.Recipient).Scan(&c.Name, &c.Email)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read contact %d: %w", row.Recipient, err)
	}
	f.Contact = c
	return nil
}

// readNoticeCase reads where the case stands and what its policy foresees next, by its clock as it is now (T1).
func (s *Store) readNoticeCase(ctx context.Context, tx pgx.Tx, row noticeRow, f *billing.NoticeFacts) error {
	if row.CaseID == nil {
		return nil
	}
	rows, _ := tx.Query(ctx, `select `+caseColumns+` from cases c where c.id = $1`, *row.CaseID)
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[caseRow])
	if err != nil {
		return fmt.Errorf("read case %s: %w", *row.CaseID, err)
	}
	policy, err := s.keptPolicy(ctx, tx, c)
	if err != nil {
		return fmt.Errorf("case %s: %w", c.ID, err)
	}
	dates, err := policy.DatesFor(c.ClockStartedAt, time.Duration(c.ClockShiftSeconds)*time.Second, f.Account.TimeZone, c.InvoiceID)
	if err != nil {
		return fmt.Errorf("dates of case %s: %w", c.ID, err)
	}
	f.Case = billing.NoticeCase{ID: c.ID, Stage: string(c.Stage), HeldUntil: orZero(c.HeldUntil), HeldScopes: c.HoldScopes}
	if promised := orZero(c.PromisedUntil); promised.After(f.Now) {
		// A promise stops all that a hold of every scope stops.
		f.Case.HeldUntil, f.Case.HeldScopes = latest(promised, f.Case.HeldUntil), allScopes
	}
	switch c.Stage {
	case dunning.StageCollecting, dunning.StageRetrying:
		if c.ScheduledRounds < len(dates.Rounds) {
			f.Case.NextAttemptAt = latest(dates.Rounds[c.ScheduledRounds], orZero(c.RoundDeferredUntil))
		}
	case dunning.StageFinalNotice, dunning.StageSuspensionScheduled, dunning.StageSuspended, dunning.StageFinished:
	}
	if c.Wake != dunning.WakeNone {
		f.Case.NextAttemptAt = f.Now
	}
	if c.Stage == dunning.StageFinished {
		return nil
	}
	f.Case.FinalNoticeAt, f.Case.CloseAt = dates.FinalNotice, dates.Close
	due, err := f.Invoice.Due()
	if err != nil {
		return fmt.Errorf("case %s: %w", c.ID, err)
	}
	// Below the policy's minimum nobody is suspended (S2), so no text announces it.
	if c.Stage != dunning.StageSuspended && !dates.Suspend.IsZero() && due.Minor() >= minimumToSuspend(policy, due.Currency()) {
		f.Case.SuspendAt = latest(dates.Suspend, orZero(c.PostponedUntil), f.Data.SuspendAt)
	}
	return nil
}

func minimumToSuspend(p dunning.Policy, c money.Currency) int64 {
	if m, ok := p.MinimumToSuspend[c.Code()]; ok {
		return m
	}
	return p.MinimumToSuspend[dunning.DefaultAmount]
}

func latest(times ...time.Time) time.Time {
	var last time.Time
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last.UTC()
}
