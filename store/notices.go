package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"recoup/billing"
	"recoup/dunning"
)

// NoticesChannel is the Postgres channel that wakes the dispatcher when notices or calls of the suspension hook are queued.
const NoticesChannel = "recoup_notices"

// notice is one thing to tell a customer, on every channel (N2).
type notice struct {
	Account   billing.AccountID
	Case      billing.CaseID    // "" when it belongs to the account alone
	Invoice   billing.InvoiceID // "" when there is none
	Kind      string
	Occasion  string // the round, attempt, generation or date it belongs to; with the kind it makes the notice unique (N2)
	Data      billing.NoticeData
	SendAfter time.Time // zero: at once; quiet hours are the caller's business (N4)
}

// queueNotice writes the send records of a notice in the caller's transaction: one for the console and one mail to the account's first
// contact. The same notice again changes nothing (N2). An account without any contact gets a task for operators instead of a mail (N5).
func queueNotice(ctx context.Context, tx pgx.Tx, n notice) error {
	data, err := json.Marshal(n.Data)
	if err != nil {
		return fmt.Errorf("queue notice %s of %s: %w", n.Kind, n.Account, err)
	}
	const sql = `
with first_contact as (select min(position) as position from contacts where account_id = $1),
copies as (
    select 'console' as channel, 0 as recipient
    union all
    select 'email', position from first_contact where position is not null),
queued as (
    insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, recipient, data, send_after)
    select gen_random_uuid(), $1, nullif($2, ''), nullif($3, ''), $4, $5, channel, recipient, $6, coalesce($7::timestamptz, now())
      from copies
    on conflict do nothing
    returning 1),
nobody as (
    insert into tasks (id, key, kind, account_id, detail)
    select gen_random_uuid(), 'contact_missing/' || $1, 'contact_missing', $1, jsonb_build_object('notice', $4::text)
      from first_contact where position is null
    on conflict do nothing)
select pg_notify('` + NoticesChannel + `', '') where exists (select 1 from queued)`
	if _, err := tx.Exec(ctx, sql, n.Account, n.Case, n.Invoice, n.Kind, n.Occasion, data, timeOrNull(n.SendAfter)); err != nil {
		return fmt.Errorf("queue notice %s of %s: %w", n.Kind, n.Account, err)
	}
	return nil
}

// ClaimNotices takes up to limit notices of one channel that are due, oldest first, for the length of lease. Others skip them until then;
// a claim that runs out is taken again by whoever comes first.
func (s *Store) ClaimNotices(ctx context.Context, channel string, limit int, lease time.Duration) ([]billing.NoticeClaim, error) {
	var claims []billing.NoticeClaim
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		const sql = `
			update notices n set tries = tries + 1, lease_until = $3
			  from (select id from notices
			         where state in ('queued', 'sending') and channel = $4 and send_after <= $1
			           and (lease_until is null or lease_until <= $1)
			         order by send_after limit $2 for update skip locked) due
			 where n.id = due.id
			returning n.id::text as id, n.tries as try`
		rows, _ := tx.Query(ctx, sql, now, limit, now.Add(lease), channel)
		claims, err = pgx.CollectRows(rows, pgx.RowToStructByName[billing.NoticeClaim])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim notices: %w", err)
	}
	return claims, nil
}

// NoticeSent records a claimed notice as handed over, with what it said.
func (s *Store) NoticeSent(ctx context.Context, c billing.NoticeClaim, text billing.NoticeText) error {
	return s.recordNotice(ctx, c, "sent", func(ctx context.Context, tx pgx.Tx, now time.Time) (pgconn.CommandTag, error) {
		const sql = `update notices set state = 'sent', sent_at = $3, subject = $4, body = $5, problem = $6, lease_until = null
			where id = $1 and tries = $2 and state in ('queued', 'sending')`
		return tx.Exec(ctx, sql, c.ID, c.Try, now, text.Subject, text.Body, text.Problem)
	})
}

// NoticeLater gives a claimed notice back that was not begun, to be taken up after wait. What an earlier try left in doubt stays so.
// Alert opens a task, because the reason lasts and people have to look.
func (s *Store) NoticeLater(ctx context.Context, c billing.NoticeClaim, wait time.Duration, problem string, alert bool) error {
	return s.giveBack(ctx, c, "later", "state", wait, problem, alert)
}

// NoticeNotTaken gives a begun mail back, to be sent after wait: it is certain that the server did not take it. Alert as in NoticeLater.
func (s *Store) NoticeNotTaken(ctx context.Context, c billing.NoticeClaim, wait time.Duration, problem string, alert bool) error {
	return s.giveBack(ctx, c, "not taken", "'queued'", wait, problem, alert)
}

func (s *Store) giveBack(ctx context.Context, c billing.NoticeClaim, what, state string, wait time.Duration, problem string, alert bool) error {
	return s.recordNotice(ctx, c, what, func(ctx context.Context, tx pgx.Tx, now time.Time) (pgconn.CommandTag, error) {
		sql := `update notices set state = ` + state + `, send_after = $3, problem = $4, lease_until = null
			where id = $1 and tries = $2 and state in ('queued', 'sending')`
		tag, err := tx.Exec(ctx, sql, c.ID, c.Try, now.Add(wait), problem)
		if err != nil || tag.RowsAffected() == 0 || !alert {
			return tag, err
		}
		// One open task for the trouble, not one per mail.
		const open = `insert into tasks (id, key, kind, account_id, detail, opened_at)
			select gen_random_uuid(), 'mail_stuck/' || to_char($2::timestamptz at time zone 'UTC', 'YYYY-MM-DD'), 'mail_stuck', account_id,
			       jsonb_build_object('notice', id, 'problem', $3::text), $2
			  from notices where id = $1 on conflict do nothing`
		_, err = tx.Exec(ctx, open, c.ID, now, problem)
		return tag, err
	})
}

// NoticeFailed records that a claimed mail can't be delivered to its contact. The next contact gets it instead, and operators get a
// task (N5). The last contact's failure leaves the notice undelivered, which postpones a suspension (S2).
func (s *Store) NoticeFailed(ctx context.Context, c billing.NoticeClaim, text billing.NoticeText) error {
	return s.recordNotice(ctx, c, "failed", func(ctx context.Context, tx pgx.Tx, now time.Time) (pgconn.CommandTag, error) {
		const sql = `update notices set state = 'failed', subject = $3, body = $4, problem = $5, lease_until = null
			where id = $1 and tries = $2 and state in ('queued', 'sending')`
		tag, err := tx.Exec(ctx, sql, c.ID, c.Try, text.Subject, text.Body, text.Problem)
		if err != nil || tag.RowsAffected() == 0 {
			return tag, err
		}
		const next = `
			with failed as (select * from notices where id = $1 and channel = 'email'),
			onward as (
			    insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, recipient, data, send_after)
			    select gen_random_uuid(), f.account_id, f.case_id, f.invoice_id, f.kind, f.occasion, f.channel, c.position, f.data, $2
			      from failed f
			     cross join lateral (select min(position) as position from contacts
			                          where account_id = f.account_id and position > f.recipient) c
			     where c.position is not null
			    on conflict do nothing)
			insert into tasks (id, key, kind, account_id, invoice_id, case_id, detail, opened_at)
			select gen_random_uuid(), 'mail_undeliverable/' || account_id || '/' || recipient, 'mail_undeliverable', account_id, invoice_id,
			       case_id, jsonb_build_object('notice', id, 'contact', recipient, 'problem', problem), $2
			  from failed on conflict do nothing`
		_, err = tx.Exec(ctx, next, c.ID, now)
		return tag, err
	})
}

// NoticeInDoubt records that nobody knows whether a mail was handed over: the connection broke before the server's answer. A kind that
// must arrive is sent again after wait, under the same Message-ID; any other is left as sent, with a word about the doubt (faults.md F1).
func (s *Store) NoticeInDoubt(ctx context.Context, c billing.NoticeClaim, wait time.Duration, text billing.NoticeText) error {
	return s.recordNotice(ctx, c, "in doubt", func(ctx context.Context, tx pgx.Tx, now time.Time) (pgconn.CommandTag, error) {
		var kind dunning.NoticeKind
		err := tx.QueryRow(ctx, `select kind from notices where id = $1 and tries = $2 and state = 'sending' for update`, c.ID, c.Try).Scan(&kind)
		if errors.Is(err, pgx.ErrNoRows) {
			return pgconn.CommandTag{}, nil
		}
		if err != nil {
			return pgconn.CommandTag{}, err
		}
		if mustArrive[kind] {
			const again = `update notices set send_after = $2, problem = $3, lease_until = null where id = $1`
			return tx.Exec(ctx, again, c.ID, now.Add(wait), text.Problem)
		}
		const leave = `update notices set state = 'sent', sent_at = $2, subject = $3, body = $4, problem = $5, lease_until = null where id = $1`
		return tx.Exec(ctx, leave, c.ID, now, text.Subject, text.Body, inDoubt+": "+text.Problem)
	})
}

// inDoubt begins the problem of a mail that may have been handed over without our knowing, and was not sent again.
const inDoubt = "in doubt whether it went out; not sent again"

// WordingBroke opens a task for operators: a kind's own wording failed and a plain notice went out instead (faults.md F6).
func (s *Store) WordingBroke(ctx context.Context, f billing.NoticeFacts, problem string) error {
	const sql = `insert into tasks (id, key, kind, account_id, detail)
		values (gen_random_uuid(), 'notice_wording/' || $1::text, 'notice_wording', $2,
			jsonb_build_object('notice', $3::text, 'problem', $4::text))
		on conflict do nothing`
	if _, err := s.pool.Exec(ctx, sql, f.Kind, f.Account.ID, f.ID, problem); err != nil {
		return fmt.Errorf("open task for wording of %s: %w", f.Kind, err)
	}
	return nil
}

// recordNotice runs one recording under its fence: a claim that another took over changes nothing and is an error.
func (s *Store) recordNotice(ctx context.Context, c billing.NoticeClaim, what string,
	record func(ctx context.Context, tx pgx.Tx, now time.Time) (pgconn.CommandTag, error)) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		tag, err := record(ctx, tx, now)
		if err == nil && tag.RowsAffected() != 1 {
			err = fmt.Errorf("the claim of try %d is no longer valid", c.Try)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record notice %s as %s: %w", c.ID, what, err)
	}
	return nil
}

// ListenNotices calls wake whenever notices or standing calls are queued, until ctx ends or the connection breaks. It holds one
// connection of the pool.
func (s *Store) ListenNotices(ctx context.Context, wake func()) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("listen for notices: %w", err)
	}
	// A listening connection must not go back to the pool.
	c := conn.Hijack()
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "listen "+NoticesChannel); err != nil {
		return fmt.Errorf("listen for notices: %w", err)
	}
	wake() // what was queued before we listened
	for {
		if _, err := c.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen for notices: %w", err)
		}
		wake()
	}
}
