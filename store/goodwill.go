package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/money"
)

// grantCredit grants goodwill and puts it on this invoice at once; while an attempt may still take the money it waits for its end, so
// that both don't pay the same (U4).
func (e *episode) grantCredit(ctx context.Context, d *decision) (string, error) {
	due, err := e.invoice.Due()
	if err != nil {
		return "", err
	}
	switch {
	case e.row.FinishedAt != nil || e.invoice.State != billing.InvoiceOpen:
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "the case is finished")
	case e.row.Closing != "":
		return "", billing.Refuse(billing.RefusedNotNow, "kind", "it was decided to end the case")
	case d.Amount.Currency() != due.Currency():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "the invoice is in %s", due.Currency())
	case d.Amount.Minor() > due.Minor():
		return "", billing.Refuse(billing.RefusedInvalid, "amount", "only %s is due", due)
	}
	return e.goodwill(ctx, d, *d.Amount, "goodwill")
}

// goodwill grants a credit that pays this invoice only, whatever its lines are for, and applies what there is of balances.
func (e *episode) goodwill(ctx context.Context, d *decision, amount money.Amount, why string) (string, error) {
	lines, err := readLines(ctx, e.tx, e.invoice)
	if err != nil {
		return "", err
	}
	// Not retroactive (CR3): it begins with the earliest usage that it pays.
	starts := e.now
	for _, l := range lines {
		if l.PeriodStart.Before(starts) {
			starts = l.PeriodStart
		}
	}
	c := billing.Credit{ID: billing.CreditID("goodwill-" + shortened(d.RequestID)), AccountID: e.account.ID, Enabled: true, Granted: amount, Remaining: amount,
		StartsOn: starts, GrantedAt: e.now, Reason: why, ForInvoice: e.invoice.ID}
	const insert = `insert into credits (id, account_id, enabled, currency, granted_minor, remaining_minor, starts_on, included_kinds, reason, granted_at, for_invoice)
		values ($1, $2, true, $3, $4, $4, $5, '{upfront,marketplace,support,tax}', $6, $7, $8)`
	if _, err := e.tx.Exec(ctx, insert, c.ID, c.AccountID, amount.Currency().Code(), amount.Minor(), starts.Format(time.DateOnly), why, e.now, e.invoice.ID); err != nil {
		return "", fmt.Errorf("grant credit for case %s: %w", e.row.ID, err)
	}
	if err := postJournal(ctx, e.tx, "credit_granted:"+string(c.ID), e.account.ID, billing.CreditGranted(c)); err != nil {
		return "", err
	}
	d.effect["credit"], d.effect["amount"] = c.ID, amount
	if err := e.applyBalances(ctx); err != nil {
		return "", err
	}
	applied, err := e.appliedOf(ctx, c.ID)
	if err != nil {
		return "", err
	}
	changed := fmt.Sprintf("a credit of %s is granted, %s of it is on the invoice", amount, applied)
	if applied.IsZero() {
		changed += "; it is applied when the open attempt has ended, if something is due then"
	}
	return changed, nil
}

// appliedOf is how much of a credit is on the invoice.
func (e *episode) appliedOf(ctx context.Context, id billing.CreditID) (money.Amount, error) {
	const query = `select coalesce(sum(amount_minor), 0)::bigint from credit_applications where credit_id = $1 and invoice_id = $2 and reversed_at is null`
	var minor int64
	if err := e.tx.QueryRow(ctx, query, id, e.invoice.ID).Scan(&minor); err != nil {
		return money.Amount{}, fmt.Errorf("read applications of credit %s: %w", id, err)
	}
	return money.New(minor, e.invoice.Total.Currency()), nil
}

// endGoodwill takes a goodwill credit back: what is on the invoice comes off, and it pays nothing any more. It returns what came off.
func (e *episode) endGoodwill(ctx context.Context, id billing.CreditID) (money.Amount, error) {
	off, _, err := e.returnLots(ctx, id)
	if err != nil {
		return off, err
	}
	const update = `update credits set enabled = false where id = $1 and enabled returning granted_minor`
	var granted int64
	if err := e.tx.QueryRow(ctx, update, id).Scan(&granted); err != nil {
		return off, fmt.Errorf("end credit %s: %w", id, err)
	}
	c := billing.Credit{ID: id, AccountID: e.account.ID}
	return off, postJournal(ctx, e.tx, "credit_expired/"+string(id), e.account.ID, billing.CreditExpired(c, money.New(granted, off.Currency())))
}

// shortened makes an id that fits (billing.IDMax) from a request id: the same for the same one.
func shortened(request string) string {
	if len(request) <= 40 {
		return request
	}
	sum := sha256.Sum256([]byte(request))
	return hex.EncodeToString(sum[:16])
}
