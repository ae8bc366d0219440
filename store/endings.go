package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// end gives the invoice up (written_off) or takes it back (void), and with it the case. While an attempt may still take money the
// decision is kept: no other attempt begins, and it is carried out when that one has ended (rules.md §8, U4).
func (e *episode) end(ctx context.Context, d *decision, to billing.InvoiceState) (string, error) {
	switch {
	case e.row.FinishedAt != nil:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished: the invoice is %s", e.invoice.State)
	case e.invoice.State != billing.InvoiceOpen:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the invoice is %s", e.invoice.State)
	case e.row.Closing != "":
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "it is decided already: %s, when the open attempt has ended", e.row.Closing)
	}
	open, err := e.openAttempt(ctx)
	if err != nil {
		return "", err
	}
	if open != nil {
		row, err := e.attemptRow(ctx, open.ID)
		if err != nil {
			return "", err
		}
		if row.State != billing.AttemptIntent {
			return e.endLater(ctx, d, to, open.Method.Masked)
		}
		// It was not sent, or the gateway proved that it processed nothing: MarkSent finds it ended.
		if err := e.endAttempt(ctx, row, billing.Answer{State: billing.AttemptNotSent, Message: "given up: a person ends the case"}); err != nil {
			return "", err
		}
	}
	return e.endNow(ctx, d.RequestID, to, d.effect)
}

// endLater keeps the decision until the attempt has ended.
func (e *episode) endLater(ctx context.Context, d *decision, to billing.InvoiceState, method string) (string, error) {
	e.row.Closing, e.row.ClosingRequest, d.state = to, d.RequestID, billing.ResolutionWaiting
	const update = `update cases set closing = $2, closing_request = $3, wake = '' where id = $1`
	if _, err := e.tx.Exec(ctx, update, e.row.ID, to, d.RequestID); err != nil {
		return "", fmt.Errorf("end case %s: %w", e.row.ID, err)
	}
	return fmt.Sprintf("decided: the invoice becomes %s when the open attempt on %s has ended; nothing else is charged", to, method), nil
}

// endWaited carries out what was decided while an attempt was open. Money that came meanwhile is booked by then (U4): it overtakes a
// write-off, and a void gives it back.
func (e *episode) endWaited(ctx context.Context) error {
	to, request := e.row.Closing, e.row.ClosingRequest
	e.row.Closing, e.row.ClosingRequest = "", ""
	if _, err := e.tx.Exec(ctx, `update cases set closing = '', closing_request = '' where id = $1`, e.row.ID); err != nil {
		return fmt.Errorf("end case %s: %w", e.row.ID, err)
	}
	state := billing.ResolutionDone
	var changed string
	effect := map[string]any{}
	if to == billing.InvoiceWrittenOff && e.invoice.State != billing.InvoiceOpen {
		state, changed = billing.ResolutionWithdrawn, "nothing is left to write off: the invoice is "+string(e.invoice.State)
	} else {
		var err error
		if changed, err = e.endNow(ctx, request, to, effect); err != nil {
			return err
		}
	}
	if err := e.event(ctx, "carried_out", map[string]any{"request": request, "changed": changed, "state": state}); err != nil {
		return err
	}
	const update = `update resolutions set state = $2, effect = $3 where (request_id = $1 or confirms = $1) and state = 'waiting'`
	if _, err := e.tx.Exec(ctx, update, request, state, effect); err != nil {
		return fmt.Errorf("end case %s: %w", e.row.ID, err)
	}
	const log = `insert into audit_log (at, actor, act, reason, request_id, account_id, invoice_id, case_id, after)
		select $2, actor, kind, reason, request_id, account_id, invoice_id, case_id, $3 from resolutions where request_id = $1`
	if _, err := e.tx.Exec(ctx, log, request, e.now, map[string]any{"carried_out": changed}); err != nil {
		return fmt.Errorf("end case %s: %w", e.row.ID, err)
	}
	return nil
}

// endNow books the end of the invoice; advance finishes the case then.
func (e *episode) endNow(ctx context.Context, request string, to billing.InvoiceState, effect map[string]any) (string, error) {
	if to == billing.InvoiceWrittenOff {
		return e.writeOff(ctx, request, effect)
	}
	return e.void(ctx, request, effect)
}

func (e *episode) writeOff(ctx context.Context, request string, effect map[string]any) (string, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return "", err
	}
	if err := postJournal(ctx, e.tx, "write_off/"+request, e.account.ID, billing.WriteOff(e.invoice, due)); err != nil {
		return "", err
	}
	effect["amount"] = due
	return fmt.Sprintf("%s is written off", due), e.setInvoice(ctx, billing.InvoiceWrittenOff, e.invoice.Allocated)
}

// void gives back what paid the invoice to where it came from (CR6): lots to their credits, funds to their deposits, money to unapplied
// funds with a task to refund it.
func (e *episode) void(ctx context.Context, request string, effect map[string]any) (string, error) {
	lots, expired, err := e.returnLots(ctx, "")
	if err != nil {
		return "", err
	}
	funds, err := e.returnFunds(ctx)
	if err != nil {
		return "", err
	}
	received := e.invoice.Allocated // what neither credits nor funds paid
	if received.IsPositive() {
		if err := postJournal(ctx, e.tx, "moved_to_unapplied/"+request, e.account.ID, billing.MovedToUnapplied(e.invoice, received)); err != nil {
			return "", err
		}
		if err := e.takeOff(ctx, received); err != nil {
			return "", err
		}
		if err := e.openTask(ctx, task{Kind: "refund", Key: "refund/void/" + request, Detail: map[string]any{"amount": received}}); err != nil {
			return "", err
		}
	}
	due, err := e.invoice.Due()
	if err != nil {
		return "", err
	}
	if err := postJournal(ctx, e.tx, "void/"+request, e.account.ID, billing.Void(e.invoice, due)); err != nil {
		return "", err
	}
	effect["amount"] = due
	changed := fmt.Sprintf("the invoice of %s is void", due)
	for _, back := range []struct {
		amount money.Amount
		where  string
	}{{lots, "went back to credits"}, {expired, "of it to credits that have expired: it can't be used again"}, {funds, "went back to advance funds"},
		{received, "is in unapplied funds with a refund task"}} {
		if back.amount.IsPositive() {
			changed += fmt.Sprintf("; %s %s", back.amount, back.where)
		}
	}
	return changed, e.setInvoice(ctx, billing.InvoiceVoid, e.invoice.Allocated)
}

// setInvoice moves an open invoice to an end that no payment is, or back.
func (e *episode) setInvoice(ctx context.Context, to billing.InvoiceState, allocated money.Amount) error {
	if !e.invoice.State.CanBecome(to) {
		return fmt.Errorf("invoice %s: %s to %s is not an edge of the state machine", e.invoice.ID, e.invoice.State, to)
	}
	const update = `update invoices set state = $2, allocated_minor = $4, settled_at = case when $2 <> 'open' then $3::timestamptz end where id = $1 and state = $5`
	tag, err := e.tx.Exec(ctx, update, e.invoice.ID, to, e.now, allocated.Minor(), e.invoice.State)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("it is no longer %s", e.invoice.State)
	}
	if err != nil {
		return fmt.Errorf("set invoice %s to %s: %w", e.invoice.ID, to, err)
	}
	e.invoice.State, e.invoice.Allocated = to, allocated
	return nil
}

// returnLots gives the invoice's lots of one credit, or of all, back to where they came from. What came back to a credit that has
// expired, or was for this invoice only, can't be used again and is booked so (CR6). It returns all that came off, and that part.
func (e *episode) returnLots(ctx context.Context, only billing.CreditID) (off, expired money.Amount, err error) {
	c := e.invoice.Total.Currency()
	off, expired = money.Zero(c), money.Zero(c)
	const query = `select a.id::text, a.credit_id, k.account_id, a.amount_minor,
			k.expires_at is not null and k.expires_at <= $2 or k.for_invoice is not null and $3 = ''
		from credit_applications a join credits k on k.id = a.credit_id
		where a.invoice_id = $1 and a.reversed_at is null and ($3 = '' or a.credit_id = $3) order by a.credit_id, a.id for no key update of k`
	type lot struct {
		ID      string
		Credit  billing.CreditID
		Owner   billing.AccountID
		Minor   int64
		Expired bool
	}
	rows, _ := e.tx.Query(ctx, query, e.invoice.ID, e.now, only)
	lots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[lot])
	if err != nil {
		return off, expired, fmt.Errorf("return lots of invoice %s: %w", e.invoice.ID, err)
	}
	for _, l := range lots {
		const back = `with reversed as (update credit_applications set reversed_at = $2 where id = $1::uuid)
			update credits set remaining_minor = remaining_minor + $4 where id = $3`
		if _, err := e.tx.Exec(ctx, back, l.ID, e.now, l.Credit, l.Minor); err != nil {
			return off, expired, fmt.Errorf("return lot %s: %w", l.ID, err)
		}
		amount := money.New(l.Minor, c)
		applied := billing.CreditApplied(l.Owner, e.invoice, billing.Application{Credit: l.Credit, Amount: amount})
		if err := postJournal(ctx, e.tx, "credit_application_reversed/"+l.ID, e.account.ID, applied.Reversed()); err != nil {
			return off, expired, err
		}
		off = money.New(off.Minor()+l.Minor, c)
		if !l.Expired {
			continue
		}
		posting := billing.CreditExpired(billing.Credit{ID: l.Credit, AccountID: l.Owner}, amount)
		if err := postJournal(ctx, e.tx, "credit_expired/"+l.ID, e.account.ID, posting); err != nil {
			return off, expired, err
		}
		expired = money.New(expired.Minor()+l.Minor, c)
	}
	return off, expired, e.takeOff(ctx, off)
}

// returnFunds gives the advance funds on the invoice back to their deposits.
func (e *episode) returnFunds(ctx context.Context) (money.Amount, error) {
	c := e.invoice.Total.Currency()
	sum := money.Zero(c)
	const query = `select u.id::text, u.deposit_id, u.amount_minor from deposit_uses u join deposits d on d.id = u.deposit_id
		where u.invoice_id = $1 and u.reversed_at is null order by u.deposit_id, u.id for no key update of d`
	type use struct {
		ID      string
		Deposit billing.DepositID
		Minor   int64
	}
	rows, _ := e.tx.Query(ctx, query, e.invoice.ID)
	uses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[use])
	if err != nil {
		return sum, fmt.Errorf("return funds of invoice %s: %w", e.invoice.ID, err)
	}
	for _, u := range uses {
		const back = `with reversed as (update deposit_uses set reversed_at = $2 where id = $1::uuid)
			update deposits set remaining_minor = remaining_minor + $4 where id = $3`
		if _, err := e.tx.Exec(ctx, back, u.ID, e.now, u.Deposit, u.Minor); err != nil {
			return sum, fmt.Errorf("return use %s: %w", u.ID, err)
		}
		used := billing.FundsUsed(e.invoice, billing.Use{Deposit: u.Deposit, Amount: money.New(u.Minor, c)})
		if err := postJournal(ctx, e.tx, "deposit_use_reversed/"+u.ID, e.account.ID, used.Reversed()); err != nil {
			return sum, err
		}
		sum = money.New(sum.Minor()+u.Minor, c)
	}
	return sum, e.takeOff(ctx, sum)
}
