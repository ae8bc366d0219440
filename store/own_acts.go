package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
)

// OwnAct is what one of an account's own people asks for about one of its invoices.
type OwnAct struct {
	Account billing.AccountID
	Invoice billing.InvoiceID
	// RequestID makes it idempotent among the account's own (R2): it can't meet, or find out about, another's.
	RequestID string
	Actor     string
	Method    billing.MethodID // pay: this one, or "" for the whole order
	Until     time.Time        // ask for time
}

// PayNow asks for one round at once on an invoice of one's own, by the same path and under the same guards as staff's retry_now; refused
// in words for customers, with the next possible time where there is one.
func (s *Store) PayNow(ctx context.Context, a OwnAct) (billing.ResolutionAnswer, error) {
	return s.own(ctx, a, billing.Resolution{Kind: billing.RetryNow, Method: a.Method, Reason: "asked for by the customer"}, (*episode).mayPayNow)
}

// AskForTime promises to pay all that is due until a date, within the limits of promise_to_pay (rules.md §8) and never beyond them.
func (s *Store) AskForTime(ctx context.Context, a OwnAct) (billing.ResolutionAnswer, error) {
	return s.own(ctx, a, billing.Resolution{Kind: billing.PromiseToPay, Until: a.Until, Reason: "asked for by the customer"}, (*episode).mayAskForTime)
}

func (s *Store) own(ctx context.Context, a OwnAct, r billing.Resolution, may func(*episode, context.Context, *billing.Resolution) error) (billing.ResolutionAnswer, error) {
	if len(a.RequestID) == 0 || len(a.RequestID) > 128 {
		return billing.ResolutionAnswer{}, billing.Refuse(billing.RefusedInvalid, "request_id", "must be 1 to 128 characters")
	}
	r.RequestID, r.Actor = OwnRequest(a.Account, a.RequestID), a.Actor
	var answer billing.ResolutionAnswer
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		e, first, err := s.lockOwn(ctx, tx, a, &r)
		if err != nil {
			return err
		}
		if first != nil {
			answer = *first
			return nil
		}
		if err := may(e, ctx, &r); err != nil {
			return err
		}
		if err := r.Check(); err != nil {
			return err
		}
		answer, err = e.resolve(ctx, r)
		return inOwnWords(err)
	})
	if err == nil {
		boundary.At(boundary.AfterResolve, r.Case)
	}
	answer.RequestID = a.RequestID
	return answer, err
}

// lockOwn locks the newest case of the account's invoice and looks whether the request was answered before. What isn't the account's isn't
// there (I19).
func (s *Store) lockOwn(ctx context.Context, tx pgx.Tx, a OwnAct, r *billing.Resolution) (*episode, *billing.ResolutionAnswer, error) {
	const query = `select coalesce(d.case_id, (select c.id from cases c where c.invoice_id = i.id order by c.episode desc limit 1), ''),
			d.fields -> 'amount', i.state, i.collect_at
		from invoices i left join resolutions d on d.request_id = $3 and d.invoice_id = i.id
		where i.id = $1 and i.account_id = $2`
	var amount []byte
	var state billing.InvoiceState
	var collect time.Time
	err := tx.QueryRow(ctx, query, a.Invoice, a.Account, r.RequestID).Scan(&r.Case, &amount, &state, &collect)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil, billing.Refuse(billing.RefusedNotFound, "", "There is no such invoice.")
	case err != nil:
		return nil, nil, fmt.Errorf("find the case of invoice %s: %w", a.Invoice, err)
	case r.Case == "" && state == billing.InvoiceOpen:
		return nil, nil, billing.Refuse(billing.RefusedNotNow, "", "This invoice is not due yet. It is collected from %s on.", collect.UTC().Format(time.DateOnly))
	case r.Case == "":
		return nil, nil, notOpen(state)
	}
	e, err := s.lockCase(ctx, tx, r.Case)
	if err != nil {
		return nil, nil, err
	}
	if amount != nil && r.Kind == billing.PromiseToPay { // what was due when it was asked for first
		if err := json.Unmarshal(amount, &r.Amount); err != nil {
			return nil, nil, fmt.Errorf("read request %s: %w", r.RequestID, err)
		}
	}
	first, err := e.firstAnswer(ctx, *r)
	return e, first, err
}

// OwnRequest is under which id a customer's request is kept.
func OwnRequest(account billing.AccountID, request string) string {
	sum := sha256.Sum256([]byte(string(account) + "\x00" + request))
	return "own-" + hex.EncodeToString(sum[:16])
}

func notOpen(state billing.InvoiceState) error {
	if state == billing.InvoicePaid {
		return billing.Refuse(billing.RefusedNotNow, "", "This invoice is paid.")
	}
	return billing.Refuse(billing.RefusedNotNow, "", "Nothing is to be paid on this invoice any more.")
}

// inOwnWords keeps staff's words from customers: mayPayNow and mayAskForTime have said what can be said.
func inOwnWords(err error) error {
	var refusal *billing.Refusal
	if errors.As(err, &refusal) && refusal.Code != billing.RefusedInvalid {
		return billing.Refuse(billing.RefusedNotNow, "", "This is not possible now. Please write to us.")
	}
	return err
}

// mayPayNow says to a customer why a payment can't be tried now, and when it can.
func (e *episode) mayPayNow(ctx context.Context, r *billing.Resolution) error {
	f, err := e.facts(ctx)
	if err != nil {
		return err
	}
	no := func(text string, args ...any) error { return billing.Refuse(billing.RefusedNotNow, "", text, args...) }
	switch {
	case f.State != billing.InvoiceOpen:
		return notOpen(f.State)
	case f.Attempt != nil && !f.Attempt.NextAt.IsZero() && f.Attempt.NextAt.After(e.now):
		return no("A payment on %s is still under way. Nothing else is charged meanwhile; look again after %s.", f.Attempt.Method.Masked, e.local(f.Attempt.NextAt))
	case f.Attempt != nil:
		return no("A payment on %s is still under way. Nothing else is charged meanwhile; look again in a moment.", f.Attempt.Method.Masked)
	case f.Parked != "" || f.Closing != "":
		return no("We are looking at this invoice ourselves. Please write to us.")
	case f.Open != nil:
		return no("A payment is being tried right now. Look again in a moment.")
	case withoutPromise(f).StopsAttempts():
		return no("Collecting this invoice is halted until %s. Write to us if you want to pay sooner.", e.local(f.HeldUntil))
	case !f.Collectable().IsPositive():
		return no("All of this invoice is disputed: nothing is charged until that is settled.")
	}
	if err := e.mayChargeNow(ctx, r.Method, f); err != nil || e.row.PromisedUntil == nil {
		return err
	}
	return e.waivePromise(ctx)
}

// withoutPromise is what stops attempts beside the time that the customer asked for: paying now ends that.
func withoutPromise(f dunning.Facts) dunning.Facts {
	f.PromisedUntil = time.Time{}
	return f
}

// waivePromise ends the time that a customer asked for, because they pay now. It counts against the next: else paying and asking in turn
// would put a suspension off for ever.
func (e *episode) waivePromise(ctx context.Context) error {
	var request string
	if err := e.tx.QueryRow(ctx, `select request_id from promises where invoice_id = $1 and state = 'open'`, e.invoice.ID).Scan(&request); err != nil {
		return fmt.Errorf("end the promise of case %s: %w", e.row.ID, err)
	}
	return e.endPromise(ctx, request, "waived")
}

// mayChargeNow looks for a usable method, as retryNow does after it.
func (e *episode) mayChargeNow(ctx context.Context, chosen billing.MethodID, f dunning.Facts) error {
	methods, err := readMethods(ctx, e.tx, e.account.ID, e.now, budgetFor{invoice: e.invoice.ID})
	if err != nil {
		return err
	}
	var earliest time.Time
	var why string
	for n, m := range methods {
		if chosen != "" && m.ID != chosen || chosen == "" && n > 0 && e.account.BackupsOff {
			continue
		}
		skip := m.Skip(e.now, f.Due.Currency())
		if skip == billing.SkipNone {
			return nil
		}
		if skip == billing.SkipAdvice && (earliest.IsZero() || m.RetryNotBefore.Before(earliest)) {
			earliest = m.RetryNotBefore
		}
		why = ownSkips[skip]
	}
	switch {
	case !earliest.IsZero():
		return billing.Refuse(billing.RefusedNotNow, "method", "The bank asks to wait until %s before it is tried again.", e.local(earliest))
	case chosen != "" && why == "":
		return billing.Refuse(billing.RefusedNotFound, "method", "There is no such payment method.")
	case chosen != "":
		return billing.Refuse(billing.RefusedNotNow, "method", "This payment method %s. Choose or add another one.", why)
	}
	return billing.Refuse(billing.RefusedNotNow, "method", "None of your payment methods can be charged now. Add or replace one.")
}

// ownSkips say to a customer why a method isn't charged; fraud, loss and theft are never named (N3).
var ownSkips = map[billing.Skip]string{
	billing.SkipDisabled: "is switched off", billing.SkipExpired: "has expired", billing.SkipBlocked: "can't be used any more",
	billing.SkipNeedsUpdate: "needs to be replaced with corrected details", billing.SkipAuthentication: "must be confirmed with your bank first",
	billing.SkipCurrency: "is for another currency", billing.SkipBudget: "was tried as often as the card networks allow",
	billing.SkipReturn: "can't be debited again for this invoice", billing.SkipAdvice: "can't be tried again yet",
}

// SkipInOwnWords is why a method isn't charged now, as a customer reads it after "This method …"; "" when it is.
func SkipInOwnWords(skip billing.Skip) string { return ownSkips[skip] }

// mayAskForTime says to a customer why there is no more time; the promise is for all that is due.
func (e *episode) mayAskForTime(ctx context.Context, r *billing.Resolution) error {
	no := func(text string, args ...any) error { return billing.Refuse(billing.RefusedNotNow, "", text, args...) }
	due, err := e.invoice.Due()
	if err != nil {
		return err
	}
	limits := e.policy.Limits
	last := e.now.Add(limits.PromiseMax())
	switch {
	case e.row.FinishedAt != nil || e.invoice.State != billing.InvoiceOpen:
		return notOpen(e.invoice.State)
	case e.row.Closing != "":
		return no("We are looking at this invoice ourselves. Please write to us.")
	case e.row.Stage == dunning.StageSuspended || e.account.Standing != billing.StandingActive:
		return no("The account is suspended. More time can't change that; a payment does.")
	case e.row.PromisedUntil != nil:
		return no("You asked for time already: nothing is charged before %s.", e.local(*e.row.PromisedUntil))
	case !r.Until.After(e.now):
		return billing.Refuse(billing.RefusedInvalid, "until", "Choose a day in the future.")
	case r.Until.After(last):
		return billing.Refuse(billing.RefusedInvalid, "until", "At most %d days ahead: until %s.", limits.PromiseDays, e.local(last))
	}
	if err := e.mayPromise(ctx, false); err != nil {
		var refusal *billing.Refusal
		if !errors.As(err, &refusal) {
			return err
		}
		if limits.PromiseDays == 0 || limits.PromisesPerInvoice == 0 {
			return no("There is no more time for this invoice. Please write to us.")
		}
		return no("You have had time for an invoice in the last %s. Please write to us.", limits.PromiseEveryWords())
	}
	r.Amount = &due
	return nil
}

// local is an instant as the account's people read it.
func (e *episode) local(t time.Time) string {
	loc, err := time.LoadLocation(e.account.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc).Format("2 January 2006, 15:04 (MST)")
}
