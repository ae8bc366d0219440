package billing

import (
	"time"

	"recoup/money"
)

// NoticeID names one send record: one notice, one channel, one recipient (N2).
type NoticeID string

// NoticeClaim is one send record taken for sending. Try fences it: a dispatcher whose claim ran out can't record anything any more.
type NoticeClaim struct {
	ID  NoticeID
	Try int
}

// The channels of a notice (N2).
const (
	ChannelEmail   = "email"
	ChannelConsole = "console"
)

// NoticeData is what the transaction that causes a notice leaves with it: ids, amounts and codes (I18). It only points at what the
// notice is about; amounts due, sources, reasons and dates in the text are read again from the ledger when it is sent (N3, I11).
// Every field is optional. By kind:
//
//	receipt                Attempt when a method was charged
//	backup_charged         Attempt (the backup's), Round
//	payment_failed         Round
//	payment_processing, payment_returned, action_required   Attempt
//	final_notice, suspension_scheduled                      SuspendAt as promised then; a later true date wins
//	suspended, reinstated  Generation of the standing
//	funds_received         Amount
//	method_blocked         Method
//	promise_recorded, promise_broken   Amount, Until
type NoticeData struct {
	Attempt    AttemptID     `json:"attempt,omitempty"`
	Round      int           `json:"round,omitempty"`
	Method     MethodID      `json:"method,omitempty"`
	Amount     *money.Amount `json:"amount,omitempty"`
	SuspendAt  time.Time     `json:"suspend_at,omitzero"`
	Until      time.Time     `json:"until,omitzero"`
	Generation int64         `json:"generation,omitempty"`
}

// NoticeFacts is what the ledger says at the instant a notice is about to be handed over: its text states nothing else (N3, I11).
type NoticeFacts struct {
	ID        NoticeID
	Kind      string
	Channel   string
	MessageID string // of the mail, the same at every try (N2)
	Data      NoticeData
	CreatedAt time.Time
	Now       time.Time
	// NotNow is why the notice must not go out at this moment: it was settled (suppressed, or recorded as sent in doubt) or put off;
	// "" to send it.
	NotNow string

	Account Account
	Contact Contact // resolved now, by position; without an address for the console, or when the contact is gone
	Invoice Invoice // without lines; ID "" when the notice isn't about one
	Sources []NoticeSource
	// Overdue are all open invoices of the account that are past due, oldest first, at most NoticeOverdueMax; OverdueMore counts the rest.
	Overdue     []Invoice
	OverdueMore int

	Case     NoticeCase      // zero when the notice isn't about one
	Attempts []NoticeAttempt // those the notice is about: the round's, or the one Data names
	Open     AttemptState    // of the invoice's open attempt now, or ""
	Method   NoticeMethod    // Data.Method as it is now
}

// NoticeOverdueMax bounds the invoices that one notice lists.
const NoticeOverdueMax = 20

// NoticeCase is where the case stands when its notice goes out. The instants are zero when the policy foresees no such step any more.
type NoticeCase struct {
	ID            CaseID
	Stage         string
	HeldUntil     time.Time
	HeldScopes    []string
	NextAttemptAt time.Time
	FinalNoticeAt time.Time
	SuspendAt     time.Time
	CloseAt       time.Time
}

// Held reports whether a hold now stops what scope names: attempts, notices or suspension.
func (f NoticeFacts) Held(scope string) bool {
	if !f.Case.HeldUntil.After(f.Now) {
		return false
	}
	for _, s := range f.Case.HeldScopes {
		if s == scope {
			return true
		}
	}
	return false
}

// SourceKind is where money for an invoice came from.
type SourceKind string

// The sources of money, in the order they are used (AF1).
const (
	SourceCredit SourceKind = "credit"
	SourceFunds  SourceKind = "funds"
	SourceMethod SourceKind = "method"
	SourceOther  SourceKind = "other" // recorded by a person, or received outside a method
)

// NoticeSource is one part of what was paid on an invoice; for a method it names which.
type NoticeSource struct {
	Kind   SourceKind
	Method NoticeMethod
	Amount money.Amount
}

// NoticeMethod is a method as a text may name it (I18).
type NoticeMethod struct {
	ID       MethodID
	Kind     MethodKind
	Brand    string
	Last4    string
	Position int
	State    MethodState
}

// NoticeAttempt is one attempt a notice is about. SafeReason never names fraud, loss or theft (N3).
type NoticeAttempt struct {
	ID         AttemptID
	Method     NoticeMethod
	State      AttemptState
	Amount     money.Amount
	SafeReason string
}

// NoticeText is a notice as it was handed over; the console shows it.
type NoticeText struct {
	Subject string
	Body    string // plain text
	Problem string // what an operator should know, or ""
}

// StandingCall is one call of the user's own service: an account's standing changed (S3). The generation orders the calls of an account.
type StandingCall struct {
	Account    AccountID
	Generation int64
	Standing   Standing
	Reason     string
	At         time.Time
	Try        int // fences the claim
}
