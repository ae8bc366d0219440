package store

import (
	"context"
	"fmt"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// bookReceipt books what a gateway captured: up to the amount due to the invoice, the rest to unapplied funds with a refund task (U4).
// The journal's key is the attempt, so one attempt has one receipt whoever reports it (I2).
func (e *episode) bookReceipt(ctx context.Context, row attemptRow, m billing.PaymentMethod, answer billing.Answer) error {
	split, err := e.bookArrival(ctx, row, answer.Captured)
	if err != nil {
		return err
	}
	if _, err := e.tx.Exec(ctx, `update payment_methods set last_succeeded_at = $2 where id = $1`, m.ID, e.now); err != nil {
		return fmt.Errorf("book receipt of attempt %s: %w", row.ID, err)
	}
	data := billing.NoticeData{Attempt: billing.AttemptID(row.ID.String()), Round: row.Round}
	if split.ToInvoice.IsZero() {
		return nil
	}
	backup, err := e.isBackup(ctx, row)
	if err != nil {
		return err
	}
	if backup {
		// PM7: which method failed and which was charged.
		if err := e.tell(ctx, dunning.NoticeBackupCharged, "attempt-"+row.ID.String(), data); err != nil {
			return err
		}
	}
	return e.receipt(ctx, "attempt-"+row.ID.String(), data)
}

// bookLateMoney books money of an attempt that was taken for ended: it goes where U4 sends it, and a person is told.
func (e *episode) bookLateMoney(ctx context.Context, row attemptRow, answer billing.Answer) error {
	if _, err := e.bookArrival(ctx, row, answer.Captured); err != nil {
		return err
	}
	return e.openTask(ctx, task{Kind: "late_success", Key: "late_success/" + row.ID.String(), Attempt: row.ID.String(),
		Detail: map[string]any{"captured": answer.Captured, "reference": answer.Reference}})
}

// bookArrival posts money that arrived through a gateway and allocates the invoice's part of it.
func (e *episode) bookArrival(ctx context.Context, row attemptRow, captured money.Amount) (billing.Split, error) {
	due, err := e.dueNow()
	if err != nil {
		return billing.Split{}, err
	}
	posting, split := billing.Receipt(row.Gateway, e.invoice, due, captured)
	if err := postJournal(ctx, e.tx, receiptKey(row), e.account.ID, posting); err != nil {
		return split, err
	}
	return split, e.settleSplit(ctx, split, "attempt-"+row.ID.String(), row.ID.String())
}

// dueNow is what the invoice can still take: nothing when it is void or written off.
func (e *episode) dueNow() (money.Amount, error) {
	if e.invoice.State != billing.InvoiceOpen {
		return money.Zero(e.invoice.Total.Currency()), nil
	}
	return e.invoice.Due()
}

// settleSplit allocates the invoice's part and opens the refund task for the rest (U4).
func (e *episode) settleSplit(ctx context.Context, split billing.Split, occasion, attempt string) error {
	if split.ToInvoice.IsPositive() {
		var err error
		if e.invoice, err = allocate(ctx, e.tx, e.invoice, split.ToInvoice, e.now); err != nil {
			return err
		}
		// Now and not when the case ends: an attempt that is still open may keep it for days (S1).
		if err := e.liftIfSettled(ctx, "every blocking invoice is settled"); err != nil {
			return err
		}
	}
	if !split.Unapplied.IsPositive() {
		return nil
	}
	if err := e.event(ctx, "unapplied", map[string]any{"amount": split.Unapplied}); err != nil {
		return err
	}
	return e.openTask(ctx, task{Kind: "refund", Key: "refund/" + occasion, Attempt: attempt, Detail: map[string]any{"amount": split.Unapplied}})
}

// isBackup reports whether a better-placed method was declined in the same round, or before our outage stopped it.
func (e *episode) isBackup(ctx context.Context, row attemptRow) (bool, error) {
	const query = `select exists (select 1 from attempts where case_id = $1 and round <= $2 and position < $3 and state = 'declined'
		and class <> 'our_config' and round > (select coalesce(max(number), 0) from rounds where case_id = $1 and number < $2 and result <> 'deferred'))`
	var backup bool
	if err := e.tx.QueryRow(ctx, query, row.CaseID, row.Round, row.Position).Scan(&backup); err != nil {
		return false, fmt.Errorf("book receipt of attempt %s: %w", row.ID, err)
	}
	return backup, nil
}

// receipt tells the customer what was paid, from what; it comes outside of quiet hours only by chance and is never urgent.
func (e *episode) receipt(ctx context.Context, occasion string, data billing.NoticeData) error {
	if err := e.event(ctx, "receipt", map[string]any{"allocated": e.invoice.Allocated, "total": e.invoice.Total}); err != nil {
		return err
	}
	return e.tell(ctx, dunning.NoticeReceipt, occasion, data)
}

// paidOutOfBand books money that a person says was received by other means (U4); while an attempt's outcome is unknown it is
// provisional and the person is told (U2).
func (e *episode) paidOutOfBand(ctx context.Context, d *decision) (string, error) {
	r := d.Resolution
	if r.Amount.Currency() != e.invoice.Total.Currency() {
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "the invoice is in %s", e.invoice.Total.Currency())
	}
	due, err := e.dueNow()
	if err != nil {
		return "", err
	}
	attempt, err := e.openAttempt(ctx)
	if err != nil {
		return "", err
	}
	posting, split := billing.OutOfBand(e.invoice, due, *r.Amount)
	if err := postJournal(ctx, e.tx, "paid_out_of_band/"+r.RequestID, e.account.ID, posting); err != nil {
		return "", err
	}
	if err := e.settleSplit(ctx, split, "paid_out_of_band/"+r.RequestID, ""); err != nil {
		return "", err
	}
	if split.ToInvoice.IsPositive() {
		if err := e.receipt(ctx, "paid_out_of_band-"+r.RequestID, billing.NoticeData{Amount: r.Amount}); err != nil {
			return "", err
		}
	}
	d.effect["to_invoice"], d.effect["unapplied"] = split.ToInvoice, split.Unapplied
	changed := fmt.Sprintf("%s booked to the invoice", split.ToInvoice)
	if split.Unapplied.IsPositive() {
		changed += fmt.Sprintf(", %s to unapplied funds with a refund task", split.Unapplied)
	}
	if attempt != nil {
		changed += fmt.Sprintf("; provisional: an attempt on %s is still open, and what it takes will go to unapplied funds", attempt.Method.Masked)
	}
	return changed, nil
}
