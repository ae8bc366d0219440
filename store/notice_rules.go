package store

import (
	"fmt"
	"slices"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

// mustArrive lists the kinds that ask the customer to act or announce a consequence. When it is in doubt whether such a mail went out
// it is sent again, with the same Message-ID: losing the word is worse than saying it twice. The others are not sent twice (faults.md
// F1); their copy in the console is certain.
var mustArrive = map[dunning.NoticeKind]bool{
	dunning.NoticePaymentFailed: true, dunning.NoticePaymentReturned: true, dunning.NoticeActionRequired: true,
	dunning.NoticeFinalNotice: true, dunning.NoticeSuspensionScheduled: true, dunning.NoticeSuspended: true,
	dunning.NoticePromiseBroken: true, dunning.NoticeMethodChanged: true, dunning.NoticeMethodBlocked: true,
}

// obsolete returns why a notice would contradict the ledger as it now stands, or "" (N3, I11). A receipt, and what else tells of money
// that moved, is never obsolete: it tells of a fact.
func obsolete(f billing.NoticeFacts) string {
	switch dunning.NoticeKind(f.Kind) {
	case dunning.NoticePaymentFailed, dunning.NoticePromiseBroken:
		return settledOrClosed(f)
	case dunning.NoticeFinalNotice, dunning.NoticeSuspensionScheduled:
		if why := settledOrClosed(f); why != "" {
			return why
		}
		if f.Case.Stage == "suspended" || f.Case.Stage == "finished" {
			return "the case is " + f.Case.Stage
		}
	case dunning.NoticeActionRequired:
		if why := settledOrClosed(f); why != "" {
			return why
		}
		return attemptLeft(f, billing.AttemptActionRequired)
	case dunning.NoticePaymentProcessing:
		return attemptLeft(f, billing.AttemptPending)
	case dunning.NoticeSuspended:
		return standingLeft(f, billing.StandingSuspended)
	case dunning.NoticeReinstated:
		return standingLeft(f, billing.StandingActive)
	case dunning.NoticeMethodBlocked:
		if f.Method.State == billing.MethodActive {
			return "the method is usable again"
		}
	}
	return ""
}

func settledOrClosed(f billing.NoticeFacts) string {
	switch {
	case f.Invoice.ID != "" && f.Invoice.State != billing.InvoiceOpen:
		return "the invoice is " + string(f.Invoice.State)
	case f.Account.Standing == billing.StandingClosed:
		return "the account is closed"
	}
	return ""
}

// attemptLeft returns what became of the attempt a notice is about when it is no longer in state.
func attemptLeft(f billing.NoticeFacts, state billing.AttemptState) string {
	for _, a := range f.Attempts {
		if a.ID == f.Data.Attempt && a.State != state {
			return "the attempt is " + string(a.State)
		}
	}
	return ""
}

// standingLeft returns how the account's standing moved on when it is no longer the one a notice tells of (S3).
func standingLeft(f billing.NoticeFacts, standing billing.Standing) string {
	switch {
	case f.Account.Standing != standing:
		return "the account is " + string(f.Account.Standing)
	case f.Data.Generation != 0 && f.Account.Generation != f.Data.Generation:
		return fmt.Sprintf("the account's standing changed again: it is of generation %d now", f.Account.Generation)
	}
	return ""
}

// heldAgain is how often a notice that a hold stops is looked at again, so that it goes out soon after an early release.
const heldAgain = time.Minute

// putOff returns until when a hold stops a notice, or zero. A required notice is put off and never suppressed by a hold: suppressed, it
// could never be delivered and the suspension would wait for it for ever (S2).
func putOff(f billing.NoticeFacts) time.Time {
	if !f.Case.HeldUntil.After(f.Now) {
		return time.Time{}
	}
	switch dunning.NoticeKind(f.Kind) {
	case dunning.NoticePaymentFailed, dunning.NoticeFinalNotice, dunning.NoticeMethodBlocked:
		if !slices.Contains(f.Case.HeldScopes, "notices") {
			return time.Time{}
		}
	case dunning.NoticeSuspensionScheduled: // any hold stops every escalation, so the date it tells would not be true
	default:
		return time.Time{}
	}
	if again := f.Now.Add(heldAgain); again.Before(f.Case.HeldUntil) {
		return again
	}
	return f.Case.HeldUntil
}
