package store

import (
	"context"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// instead says what to do about a decision of a kind that can't be taken back.
var instead = map[billing.ResolutionKind]string{
	billing.RetryNow:       "its round is over: money that it took is refunded",
	billing.Hold:           "release the case",
	billing.Release:        "put the case on hold",
	billing.Dispute:        "end the dispute: end_dispute, upheld or rejected",
	billing.VoidInvoice:    "credits and funds went back: issue a new invoice",
	billing.ResolveUnknown: "what the gateway says later is booked all the same",
	billing.SuspendNow:     "reinstate the account",
	billing.Reinstate:      "suspend_now suspends the account",
	billing.CloseAccount:   "reinstate the account",
	billing.Reverse:        "decide again what was taken back",
}

// takeBack undoes an earlier decision by compensating entries (M2): the journal, the timeline and the decision's row stay. An invoice
// that it had settled is collected again by a new case, linked to the old one.
func (e *episode) takeBack(ctx context.Context, d *decision) (string, error) {
	before, err := e.decided(ctx, d.Reverses)
	if err != nil {
		return "", err
	}
	switch before.State {
	case billing.ResolutionProposed:
		if err := e.closeTask(ctx, "second_person/"+before.RequestID, d.by); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is withdrawn before a second person confirmed it", before.Kind), e.setResolution(ctx, before.RequestID, billing.ResolutionWithdrawn, nil)
	case billing.ResolutionWithdrawn, billing.ResolutionReversed:
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "%s is %s already", before.RequestID, before.State)
	case billing.ResolutionWaiting:
		if err := e.withdrawEnding(ctx, before.RequestID); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is withdrawn before it was carried out", before.Kind), e.setResolution(ctx, before.RequestID, billing.ResolutionWithdrawn, nil)
	case billing.ResolutionDone:
	}
	if other, no := instead[before.Kind]; no {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "%s can't be taken back: %s", before.Kind, other)
	}
	var changed string
	switch before.Kind {
	case billing.PaidOutOfBand:
		changed, err = e.takeBackPayment(ctx, d, before)
	case billing.GrantCredit, billing.EndDispute:
		changed, err = e.takeBackGoodwill(ctx, d, before)
	case billing.WriteOffInvoice:
		changed, err = e.takeBackWriteOff(ctx, d, before)
	case billing.PromiseToPay:
		changed, err = e.takeBackPromise(ctx, before)
	case billing.Extend:
		changed, err = e.takeBackExtension(ctx, before)
	case billing.NeverSuspend:
		d.all = true
		changed, err = "the account may be suspended again", e.neverSuspendUntil(ctx, nil)
	default:
		return "", billing.Refuse(billing.RefusedInvalid, "reverses", "%s can't be taken back", before.Kind)
	}
	if err != nil {
		return "", err
	}
	if before.Effect.Amount != nil {
		d.effect["amount"] = *before.Effect.Amount
	}
	return changed, e.setResolution(ctx, before.RequestID, billing.ResolutionReversed, nil)
}

// takeBackPayment reverses a payment that a person had noted by mistake. What went to unapplied funds must still be there.
func (e *episode) takeBackPayment(ctx context.Context, d *decision, before decided) (string, error) {
	if before.Effect.ToInvoice == nil || before.Effect.Unapplied == nil {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "%s was noted before payments could be taken back", before.RequestID)
	}
	off, unapplied := *before.Effect.ToInvoice, *before.Effect.Unapplied
	switch e.invoice.State {
	case billing.InvoiceWrittenOff:
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "the rest of the invoice is written off: take that back first")
	case billing.InvoiceVoid:
		off, unapplied = money.Zero(off.Currency()), money.New(off.Minor()+unapplied.Minor(), off.Currency()) // it was moved there
	case billing.InvoiceOpen, billing.InvoicePaid:
	}
	const query = `select coalesce(-sum(amount_minor), 0)::bigint from journal_entries where ledger_kind = 'unapplied_funds' and account_id = $1 and currency = $2`
	var there int64
	if err := e.tx.QueryRow(ctx, query, e.account.ID, off.Currency().Code()).Scan(&there); err != nil {
		return "", fmt.Errorf("take back payment %s: %w", before.RequestID, err)
	}
	if there < unapplied.Minor() {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "%s of it went to unapplied funds, where only %s is left", unapplied, money.New(there, off.Currency()))
	}
	posting := billing.OutOfBandReversed(e.invoice, off, unapplied)
	if err := postJournal(ctx, e.tx, "paid_out_of_band_reversed/"+before.RequestID, e.account.ID, posting); err != nil {
		return "", err
	}
	if err := e.closeTask(ctx, "refund/paid_out_of_band/"+before.RequestID, d.by); err != nil {
		return "", err
	}
	if err := e.takeOff(ctx, off); err != nil {
		return "", err
	}
	changed := fmt.Sprintf("the payment is taken back: %s from the invoice", off)
	if unapplied.IsPositive() {
		changed += fmt.Sprintf(", %s from unapplied funds", unapplied)
	}
	return changed, e.goOnCollecting(ctx, d, before, off)
}

func (e *episode) takeBackGoodwill(ctx context.Context, d *decision, before decided) (string, error) {
	if before.Effect.Credit == "" {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "that dispute was rejected: nothing was credited")
	}
	if e.invoice.State == billing.InvoiceVoid || e.invoice.State == billing.InvoiceWrittenOff {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "the invoice is %s", e.invoice.State)
	}
	off, err := e.endGoodwill(ctx, before.Effect.Credit)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the credit is taken back: %s from the invoice", off), e.goOnCollecting(ctx, d, before, off)
}

// withdrawEnding forgets a void or a write-off that still waits for an attempt.
func (e *episode) withdrawEnding(ctx context.Context, request string) error {
	e.row.Closing, e.row.ClosingRequest = "", ""
	const update = `update cases set closing = '', closing_request = '' where invoice_id = $1 and closing_request = $2`
	if _, err := e.tx.Exec(ctx, update, e.invoice.ID, request); err != nil {
		return fmt.Errorf("take back %s: %w", request, err)
	}
	return nil
}

// takeBackWriteOff opens the invoice again.
func (e *episode) takeBackWriteOff(ctx context.Context, d *decision, before decided) (string, error) {
	if before.Effect.Amount == nil || e.invoice.State != billing.InvoiceWrittenOff {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "the invoice is %s", e.invoice.State)
	}
	amount := *before.Effect.Amount
	if err := postJournal(ctx, e.tx, "write_off_reversed/"+before.RequestID, e.account.ID, billing.WriteOff(e.invoice, amount).Reversed()); err != nil {
		return "", err
	}
	if err := e.setInvoice(ctx, billing.InvoiceOpen, e.invoice.Allocated); err != nil {
		return "", err
	}
	return fmt.Sprintf("the write-off of %s is taken back", amount), e.goOnCollecting(ctx, d, before, amount)
}

func (e *episode) takeBackPromise(ctx context.Context, before decided) (string, error) {
	var state string
	if err := e.tx.QueryRow(ctx, `select state from promises where request_id = $1`, before.RequestID).Scan(&state); err != nil {
		return "", fmt.Errorf("take back promise %s: %w", before.RequestID, err)
	}
	if state != "open" || e.row.PromisedUntil == nil {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "the promise is %s already", state)
	}
	return "the promise is withdrawn; the stage clock runs again", e.endPromise(ctx, before.RequestID, "withdrawn")
}

// takeBackExtension moves the stage clock back, but never so that a step that was put off is overdue at once.
func (e *episode) takeBackExtension(ctx context.Context, before decided) (string, error) {
	if e.row.FinishedAt != nil || before.CaseID == nil || *before.CaseID != e.row.ID {
		return "", billing.Refuse(billing.RefusedNotNow, "reverses", "the case that was extended is finished")
	}
	shift := time.Duration(before.Effect.Seconds) * time.Second
	if err := e.giveBack(ctx, shift, shiftedByTakeback); err != nil {
		return "", err
	}
	what, at, err := e.nextDated()
	if err != nil {
		return "", err
	}
	if late := e.now.Sub(at); !at.IsZero() && late > 0 {
		if err := e.shiftClock(ctx, late, shiftedByTakeback); err != nil {
			return "", err
		}
	}
	return "the extension is taken back: " + what + " comes as before, or now", nil
}

// goOnCollecting makes sure that what an invoice owes again is collected: by its live case, or by a new one linked to the old (U5).
func (e *episode) goOnCollecting(ctx context.Context, d *decision, before decided, owed money.Amount) error {
	next, err := e.s.collectAgain(ctx, e)
	if err != nil {
		return err
	}
	if next.row.ID == e.row.ID {
		return nil
	}
	d.next = next
	data := map[string]any{"amount": owed, "case": e.row.ID, "request": before.RequestID}
	if err := next.event(ctx, "reopened", data); err != nil {
		return err
	}
	if next.row.Stage == dunning.StageCollecting && next.row.Rounds == 0 {
		return next.applyBalances(ctx)
	}
	return nil
}
