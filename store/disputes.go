package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// dispute keeps a part of the invoice from being collected until a person ends the dispute. The rest is collected on schedule; the
// account is not suspended for the invoice meanwhile (S1), and the stage clock stands (T1).
func (e *episode) dispute(ctx context.Context, d *decision) (string, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return "", err
	}
	switch {
	case e.row.FinishedAt != nil || e.invoice.State != billing.InvoiceOpen:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	case e.row.Closing != "":
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "it was decided to end the case")
	case e.invoice.Disputed.IsPositive():
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "%s is disputed already: end that dispute first", e.invoice.Disputed)
	case d.Amount.Currency() != due.Currency():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "the invoice is in %s", due.Currency())
	case d.Amount.Minor() > due.Minor():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "only %s is due", due)
	}
	attempt, err := e.openAttempt(ctx)
	if err != nil {
		return "", err
	}
	const insert = `insert into disputes (request_id, account_id, invoice_id, case_id, currency, amount_minor, claim, opened_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`
	if _, err := e.tx.Exec(ctx, insert, d.RequestID, e.account.ID, e.invoice.ID, e.row.ID, due.Currency().Code(), d.Amount.Minor(), d.Claim, e.now); err != nil {
		return "", fmt.Errorf("dispute of case %s: %w", e.row.ID, err)
	}
	e.invoice.Disputed = *d.Amount
	if err := e.openTask(ctx, task{Kind: "dispute", Key: "dispute/" + d.RequestID, Detail: map[string]any{"amount": d.Amount, "request": d.RequestID}}); err != nil {
		return "", err
	}
	rest, err := e.collectable()
	if err != nil {
		return "", err
	}
	changed := fmt.Sprintf("%s is disputed and not collected; %s still is", d.Amount, rest)
	if attempt != nil {
		changed += fmt.Sprintf("; an attempt on %s is still open and may take more", attempt.Method.Masked)
	}
	return changed, e.liftIfSettled(ctx, "the last blocking invoice is disputed")
}

// endDispute ends a dispute as a person decided: upheld, the disputed part is credited to this invoice; rejected, it is collected.
func (e *episode) endDispute(ctx context.Context, d *decision) (string, error) {
	if !e.invoice.Disputed.IsPositive() {
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "nothing of the invoice is disputed")
	}
	part, err := e.invoice.Withheld()
	if err != nil {
		return "", err
	}
	if err := e.closeDispute(ctx, string(d.Outcome), d.by); err != nil {
		return "", err
	}
	if d.Outcome == billing.DisputeRejected || !part.IsPositive() {
		return fmt.Sprintf("the dispute is rejected: %s is collected again", part), nil
	}
	applied, err := e.goodwill(ctx, d, part, "dispute upheld")
	if err != nil {
		return "", err
	}
	return "the dispute is upheld: " + applied, nil
}

// closeDispute ends the open dispute. The stage clock stood meanwhile (T1); a task asks no more.
func (e *episode) closeDispute(ctx context.Context, outcome, by string) error {
	var request string
	var opened time.Time
	const update = `update disputes set ended_at = $2, outcome = $3 where invoice_id = $1 and ended_at is null returning request_id, opened_at`
	err := e.tx.QueryRow(ctx, update, e.invoice.ID, e.now, outcome).Scan(&request, &opened)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("end dispute of invoice %s: %w", e.invoice.ID, err)
	}
	part := e.invoice.Disputed
	e.invoice.Disputed = money.Zero(e.invoice.Total.Currency())
	if err := e.closeTask(ctx, "dispute/"+request, by); err != nil {
		return err
	}
	if err := e.event(ctx, "dispute_ended", map[string]any{"request": request, "outcome": outcome, "amount": part}); err != nil {
		return err
	}
	if stood := e.now.Sub(opened); e.row.FinishedAt == nil && stood > time.Second {
		return e.shiftClock(ctx, stood, "disputed")
	}
	return nil
}

// settleDispute ends a dispute because its invoice is settled. When money came for what was disputed, a person looks at it.
func (e *episode) settleDispute(ctx context.Context) error {
	part := e.invoice.Disputed
	if err := e.closeDispute(ctx, "settled", "recoup"); err != nil || e.invoice.State != billing.InvoicePaid {
		return err
	}
	return e.openTask(ctx, task{Kind: "disputed_and_paid", Key: "disputed_and_paid/" + string(e.row.ID), Detail: map[string]any{"amount": part}})
}
