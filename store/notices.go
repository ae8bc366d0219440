package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
)

// NoticesChannel is the Postgres channel that wakes the dispatcher of notices when some are queued.
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
	var sendAfter *time.Time
	if !n.SendAfter.IsZero() {
		sendAfter = &n.SendAfter
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
    returning send_after),
nobody as (
    insert into tasks (id, key, kind, account_id, detail)
    select gen_random_uuid(), 'contact_missing/' || $1, 'contact_missing', $1, jsonb_build_object('notice', $4::text)
      from first_contact where position is null
    on conflict do nothing)
select pg_notify('` + NoticesChannel + `', '') where exists (select 1 from queued where send_after <= now())`
	if _, err := tx.Exec(ctx, sql, n.Account, n.Case, n.Invoice, n.Kind, n.Occasion, data, sendAfter); err != nil {
		return fmt.Errorf("queue notice %s of %s: %w", n.Kind, n.Account, err)
	}
	return nil
}
