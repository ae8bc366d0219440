package dunning

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"recoup/billing"
)

// NoticeKind is what a notice tells (N1).
type NoticeKind string

// The notices to customers (N1).
const (
	NoticeDueSoon             NoticeKind = "invoice_due_soon"
	NoticeMethodExpiring      NoticeKind = "method_expiring"
	NoticeReceipt             NoticeKind = "receipt" // split by source
	NoticePaymentFailed       NoticeKind = "payment_failed"
	NoticeBackupCharged       NoticeKind = "backup_charged" // which method failed, which was charged (PM7)
	NoticeActionRequired      NoticeKind = "action_required"
	NoticePaymentProcessing   NoticeKind = "payment_processing" // one per pending attempt (U3)
	NoticePaymentReturned     NoticeKind = "payment_returned"
	NoticeFinalNotice         NoticeKind = "final_notice"
	NoticeSuspensionScheduled NoticeKind = "suspension_scheduled"
	NoticeSuspended           NoticeKind = "suspended"
	NoticeReinstated          NoticeKind = "reinstated"
	NoticePromiseRecorded     NoticeKind = "promise_recorded"
	NoticePromiseBroken       NoticeKind = "promise_broken"
	NoticeMethodChanged       NoticeKind = "method_changed" // told to the account's owner (PM10)
	NoticeMethodBlocked       NoticeKind = "method_blocked"
	NoticeFundsReceived       NoticeKind = "funds_received"
)

// The notices to operators (N1).
const (
	NoticeOutcomeUnknown         NoticeKind = "outcome_unknown"
	NoticeOurOutage              NoticeKind = "our_outage"
	NoticeReconciliationMismatch NoticeKind = "reconciliation_mismatch"
	NoticeBudgetUsedUp           NoticeKind = "budget_used_up"
)

// Audience is who reads a notice.
type Audience string

// The audiences of notices.
const (
	AudienceCustomer Audience = "customer"
	AudienceOperator Audience = "operator"
)

// noticeTraits says what each kind is.
type noticeTraits struct {
	audience   Audience
	mandatory  bool // suspension waits for it (S2)
	nevermerge bool // N4
}

var noticeKinds = []struct {
	kind NoticeKind
	noticeTraits
}{
	{NoticeDueSoon, noticeTraits{audience: AudienceCustomer}},
	{NoticeMethodExpiring, noticeTraits{audience: AudienceCustomer}},
	{NoticeReceipt, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticePaymentFailed, noticeTraits{audience: AudienceCustomer}},
	{NoticeBackupCharged, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeActionRequired, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticePaymentProcessing, noticeTraits{audience: AudienceCustomer}},
	{NoticePaymentReturned, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeFinalNotice, noticeTraits{audience: AudienceCustomer, mandatory: true, nevermerge: true}},
	{NoticeSuspensionScheduled, noticeTraits{audience: AudienceCustomer, mandatory: true, nevermerge: true}},
	{NoticeSuspended, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeReinstated, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticePromiseRecorded, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticePromiseBroken, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeMethodChanged, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeMethodBlocked, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeFundsReceived, noticeTraits{audience: AudienceCustomer, nevermerge: true}},
	{NoticeOutcomeUnknown, noticeTraits{audience: AudienceOperator, nevermerge: true}},
	{NoticeOurOutage, noticeTraits{audience: AudienceOperator}},
	{NoticeReconciliationMismatch, noticeTraits{audience: AudienceOperator, nevermerge: true}},
	{NoticeBudgetUsedUp, noticeTraits{audience: AudienceOperator}},
}

// NoticeKinds returns all kinds, in the order of rule N1.
func NoticeKinds() []NoticeKind {
	var out []NoticeKind
	for _, k := range noticeKinds {
		out = append(out, k.kind)
	}
	return out
}

func (k NoticeKind) traits() noticeTraits {
	for _, n := range noticeKinds {
		if n.kind == k {
			return n.noticeTraits
		}
	}
	return noticeTraits{}
}

// Known reports whether the kind is one of N1's.
func (k NoticeKind) Known() bool { return k.traits().audience != "" }

// Audience returns who reads the kind; "" for an unknown one.
func (k NoticeKind) Audience() Audience { return k.traits().audience }

// Mandatory reports whether an account may be suspended only after a notice of this kind was delivered (S2).
func (k NoticeKind) Mandatory() bool { return k.traits().mandatory }

// Mergeable reports whether several notices of this kind of one account on one day may make one mail (N4). A notice that announces a
// consequence, or tells of money that moved, is never merged away.
func (k NoticeKind) Mergeable() bool { return k.Known() && !k.traits().nevermerge }

// NoticeKey says what a notice may be sent once for (N2): exactly one per key.
type NoticeKey struct {
	Account   billing.AccountID
	Case      billing.CaseID // "" when the notice isn't about a case
	Kind      NoticeKind
	Occasion  string // the round, attempt, generation or date it belongs to: "round-2"
	Channel   string // billing.ChannelEmail, billing.ChannelConsole
	Recipient int    // the contact's position; 0 for the console
}

// String returns the key as one line in which no two keys look the same.
func (k NoticeKey) String() string {
	return strings.Join([]string{
		fmt.Sprintf("%q", k.Account), fmt.Sprintf("%q", k.Case), fmt.Sprintf("%q", k.Kind), fmt.Sprintf("%q", k.Occasion),
		fmt.Sprintf("%q", k.Channel), fmt.Sprint(k.Recipient),
	}, "/")
}

// MessageID returns the mail's Message-ID at a domain: the same for the same key, at every try (N2).
func (k NoticeKey) MessageID(domain string) string {
	sum := sha256.Sum256([]byte(k.String()))
	return "<" + hex.EncodeToString(sum[:16]) + "@" + domain + ">"
}
