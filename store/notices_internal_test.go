package store

import (
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// TestI11Obsolete: which notice no longer goes out in which state of the ledger. A receipt, and what tells of money that moved, always
// does.
func TestI11Obsolete(t *testing.T) {
	open := billing.NoticeFacts{Invoice: billing.Invoice{ID: "i", State: billing.InvoiceOpen},
		Account: billing.Account{Standing: billing.StandingActive}}
	with := func(change func(f *billing.NoticeFacts)) billing.NoticeFacts {
		f := open
		change(&f)
		return f
	}
	attempt := func(s billing.AttemptState) billing.NoticeFacts {
		return with(func(f *billing.NoticeFacts) {
			f.Data.Attempt, f.Attempts = "a", []billing.NoticeAttempt{{ID: "other", State: billing.AttemptDeclined}, {ID: "a", State: s}}
		})
	}
	standing := func(s billing.Standing, told, now int64) billing.NoticeFacts {
		return with(func(f *billing.NoticeFacts) {
			f.Account.Standing, f.Data.Generation, f.Account.Generation = s, told, now
		})
	}
	paid := with(func(f *billing.NoticeFacts) { f.Invoice.State = billing.InvoicePaid })
	cases := []struct {
		kind     dunning.NoticeKind
		facts    billing.NoticeFacts
		obsolete bool
	}{
		{dunning.NoticePaymentFailed, open, false},
		{dunning.NoticePaymentFailed, paid, true},
		{dunning.NoticePaymentFailed, standing(billing.StandingSuspended, 0, 1), false},
		{dunning.NoticePaymentFailed, standing(billing.StandingClosed, 0, 1), true},
		{dunning.NoticeFinalNotice, open, false},
		{dunning.NoticeFinalNotice, paid, true},
		{dunning.NoticeFinalNotice, with(func(f *billing.NoticeFacts) { f.Invoice.State = billing.InvoiceVoid }), true},
		{dunning.NoticeFinalNotice, with(func(f *billing.NoticeFacts) { f.Case.Stage = "suspended" }), true},
		{dunning.NoticeSuspensionScheduled, open, false},
		{dunning.NoticeSuspensionScheduled, paid, true},
		// Suspended for another invoice: this one's notice is required all the same, or its own suspension would wait for ever (S2).
		{dunning.NoticeSuspensionScheduled, standing(billing.StandingSuspended, 0, 1), false},
		{dunning.NoticeSuspended, standing(billing.StandingSuspended, 1, 1), false},
		{dunning.NoticeSuspended, standing(billing.StandingActive, 1, 2), true},
		{dunning.NoticeSuspended, standing(billing.StandingSuspended, 1, 3), true},
		{dunning.NoticeReinstated, standing(billing.StandingActive, 2, 2), false},
		{dunning.NoticeReinstated, standing(billing.StandingSuspended, 2, 3), true},
		{dunning.NoticeActionRequired, attempt(billing.AttemptActionRequired), false},
		{dunning.NoticeActionRequired, attempt(billing.AttemptDeclined), true},
		{dunning.NoticePaymentProcessing, attempt(billing.AttemptPending), false},
		{dunning.NoticePaymentProcessing, attempt(billing.AttemptSucceeded), true},
		{dunning.NoticeMethodBlocked, with(func(f *billing.NoticeFacts) { f.Method.State = billing.MethodBlocked }), false},
		{dunning.NoticeMethodBlocked, with(func(f *billing.NoticeFacts) { f.Method.State = billing.MethodActive }), true},
		{dunning.NoticeReceipt, paid, false},
		{dunning.NoticeReceipt, open, false},
		{dunning.NoticeReceipt, with(func(f *billing.NoticeFacts) { f.Invoice.State = billing.InvoiceVoid }), false},
		{dunning.NoticeBackupCharged, paid, false},
		{dunning.NoticePaymentReturned, open, false},
		{dunning.NoticeFundsReceived, paid, false},
	}
	for i, c := range cases {
		c.facts.Kind = string(c.kind)
		if why := obsolete(c.facts); (why != "") != c.obsolete {
			t.Errorf("case %d, %s: obsolete because %q, want %t", i, c.kind, why, c.obsolete)
		}
	}
}

// TestN3HoldPutsOff: a hold puts a notice off, it never swallows one that a suspension waits for.
func TestN3HoldPutsOff(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		kind   dunning.NoticeKind
		until  time.Time
		scopes []string
		want   time.Time
	}{
		{dunning.NoticeFinalNotice, now.Add(time.Hour), []string{"notices"}, now.Add(heldAgain)},
		{dunning.NoticeFinalNotice, now.Add(time.Second), []string{"notices"}, now.Add(time.Second)},
		{dunning.NoticeFinalNotice, now.Add(time.Hour), []string{"attempts"}, time.Time{}},
		{dunning.NoticeFinalNotice, now, []string{"notices"}, time.Time{}},
		{dunning.NoticeSuspensionScheduled, now.Add(time.Hour), []string{"attempts"}, now.Add(heldAgain)},
		{dunning.NoticeReceipt, now.Add(time.Hour), []string{"notices", "attempts", "suspension"}, time.Time{}},
	}
	for i, c := range cases {
		f := billing.NoticeFacts{Kind: string(c.kind), Now: now, Case: billing.NoticeCase{HeldUntil: c.until, HeldScopes: c.scopes}}
		if got := putOff(f); !got.Equal(c.want) {
			t.Errorf("case %d, %s: put off until %s, want %s", i, c.kind, got, c.want)
		}
	}
}
