package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"recoup/billing"
)

// view is what a kind's template may say: the ledger's facts, already written out for one reader. Amounts and dates that don't apply
// are "".
type view struct {
	Invoice    string
	DueOn      string
	Total      string
	Paid       string
	Due        string
	Open       bool
	PaidInFull bool
	Sources    []Row

	Charged       string // of the attempt the notice names
	ChargedMethod string
	Failed        []Row // method and safe reason
	FailedMethods string
	NoMethod      bool
	Method        string
	ChangedMethod string // as Method, or "" when the notice names none
	Amount        string
	HeldUntil     string

	NextAttempt string
	SuspendAt   string
	Suspended   bool // already, for another invoice
	CloseAt     string
	Overdue     []Row
	OverdueMore string

	PendingSentence     string
	HeldSentence        string
	NextAttemptSentence string
	SuspendSentence     string
}

// Row is one labelled value of a notice.
type Row struct{ Label, Value string }

func viewOf(f billing.NoticeFacts) (view, error) {
	c := clockOf(f.Account)
	v := view{Method: methodName(f.Method), CloseAt: c.instant(future(f.Case.CloseAt, f.Now))}
	if err := v.invoice(f, c); err != nil {
		return v, err
	}
	v.attempts(f)
	if f.Data.Method != "" {
		v.ChangedMethod = v.Method
	}
	v.future(f, c)
	if f.Data.Amount != nil {
		v.Amount = amount(*f.Data.Amount, f.Account.Locale)
	}
	for _, i := range f.Overdue {
		due, err := i.Due()
		if err != nil {
			return v, fmt.Errorf("overdue invoice %s: %w", i.ID, err)
		}
		v.Overdue = append(v.Overdue, Row{numberOf(i), amount(due, f.Account.Locale) + ", due on " + c.date(i.DueDate)})
	}
	if f.OverdueMore > 0 {
		v.OverdueMore = fmt.Sprint(f.OverdueMore)
	}
	return v, nil
}

func (v *view) invoice(f billing.NoticeFacts, c clock) error {
	if f.Invoice.ID == "" {
		return nil
	}
	due, err := f.Invoice.Due()
	if err != nil {
		return fmt.Errorf("invoice %s: %w", f.Invoice.ID, err)
	}
	locale := f.Account.Locale
	v.Invoice, v.DueOn = numberOf(f.Invoice), c.date(f.Invoice.DueDate)
	v.Total, v.Paid, v.Due = amount(f.Invoice.Total, locale), amount(f.Invoice.Allocated, locale), amount(due, locale)
	v.Open, v.PaidInFull = f.Invoice.State == billing.InvoiceOpen, f.Invoice.State == billing.InvoicePaid
	for _, s := range f.Sources {
		v.Sources = append(v.Sources, Row{sourceLabel(s), amount(s.Amount, locale)})
	}
	return nil
}

// numberOf returns how an invoice is named; its id when its number says nothing.
func numberOf(i billing.Invoice) string {
	if n := plain(i.Number); n != "" {
		return n
	}
	return string(i.ID)
}

func sourceLabel(s billing.NoticeSource) string {
	switch s.Kind {
	case billing.SourceCredit:
		return "Paid with promotional credit"
	case billing.SourceFunds:
		return "Paid with advance funds"
	case billing.SourceMethod:
		return "Charged to " + methodName(s.Method)
	case billing.SourceOther:
	}
	return "Other payment"
}

// attempts sorts the attempts into the one the notice names and those that failed.
func (v *view) attempts(f billing.NoticeFacts) {
	var failed []string
	for _, a := range f.Attempts {
		name := methodName(a.Method)
		switch {
		case a.ID == f.Data.Attempt && f.Data.Attempt != "":
			v.Charged, v.ChargedMethod = amount(a.Amount, f.Account.Locale), name
		case a.State == billing.AttemptDeclined:
			v.Failed = append(v.Failed, Row{name, safeReason(a.SafeReason)})
			failed = append(failed, name)
		}
	}
	v.NoMethod = len(f.Attempts) == 0
	v.FailedMethods = strings.Join(failed, " and ")
}

func safeReason(reason string) string {
	reason = plain(reason)
	if reason == "" {
		return "The bank declined the payment"
	}
	first, size := utf8.DecodeRuneInString(reason)
	return string(unicode.ToUpper(first)) + reason[size:]
}

// future writes what happens next and when (N3), as the ledger and the policy's clock have it now.
func (v *view) future(f billing.NoticeFacts, c clock) {
	held := f.Case.HeldUntil.After(f.Now)
	if held {
		v.HeldUntil = c.instant(f.Case.HeldUntil)
		v.HeldSentence = "Collecting this invoice is on hold until " + c.instant(f.Case.HeldUntil) + "."
	}
	if !f.Data.Until.IsZero() {
		v.HeldUntil = c.day(f.Data.Until) // what was promised
	}
	switch f.Open {
	case billing.AttemptPending:
		v.PendingSentence = "A payment for this invoice is being processed by the bank right now; nothing else is charged until that ends."
	case billing.AttemptActionRequired:
		v.PendingSentence = "A payment for this invoice waits for your confirmation with your bank."
	case billing.AttemptIntent, billing.AttemptSent, billing.AttemptUnknown:
		// F9: never told as charged nor as failed.
		v.PendingSentence = "A payment for this invoice is not confirmed by the bank yet; nothing else is charged until it is."
	case billing.AttemptSucceeded, billing.AttemptDeclined, billing.AttemptNotSent:
	}
	if next := f.Case.NextAttemptAt; !next.IsZero() && v.Open && !f.Held("attempts") && f.Open == "" {
		if next.After(f.Now) {
			v.NextAttempt = c.instant(next)
			v.NextAttemptSentence = "We will try again on " + v.NextAttempt + "."
		} else {
			v.NextAttemptSentence = "We will try again shortly."
		}
	}
	if at := f.Case.SuspendAt; !at.IsZero() && v.Open && !held {
		switch {
		case f.Account.Standing == billing.StandingSuspended:
			v.Suspended = true
			v.SuspendSentence = "The service of your account is suspended already."
		case at.After(f.Now):
			v.SuspendAt = c.instant(at)
			v.SuspendSentence = "If the invoice is still unpaid on " + v.SuspendAt + ", the service of your account will be suspended."
		default:
			v.SuspendSentence = "The service of your account can be suspended at any time from now on."
		}
	}
}

// future returns t when it is still to come, or zero.
func future(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}
