package billing

import (
	"time"

	"recoup/money"
)

// ResolutionKind is something a person can decide about a case or an account (rules.md §8).
type ResolutionKind string

// The kinds of resolutions.
const (
	PaidOutOfBand   ResolutionKind = "paid_out_of_band"
	RetryNow        ResolutionKind = "retry_now"
	PromiseToPay    ResolutionKind = "promise_to_pay"
	Hold            ResolutionKind = "hold"
	Release         ResolutionKind = "release"
	Dispute         ResolutionKind = "dispute"
	EndDispute      ResolutionKind = "end_dispute"
	Extend          ResolutionKind = "extend"
	GrantCredit     ResolutionKind = "grant_credit"
	WriteOffInvoice ResolutionKind = "write_off"
	VoidInvoice     ResolutionKind = "void"
	ResolveUnknown  ResolutionKind = "resolve_unknown"
	SuspendNow      ResolutionKind = "suspend_now"
	Reinstate       ResolutionKind = "reinstate"
	NeverSuspend    ResolutionKind = "never_suspend"
	CloseAccount    ResolutionKind = "close_account"
	Reverse         ResolutionKind = "reverse"
)

// ResolutionKinds returns every kind, in the order of rules.md §8.
func ResolutionKinds() []ResolutionKind {
	return []ResolutionKind{PaidOutOfBand, RetryNow, PromiseToPay, Hold, Release, Dispute, EndDispute, Extend, GrantCredit, WriteOffInvoice, VoidInvoice,
		ResolveUnknown, SuspendNow, Reinstate, NeverSuspend, CloseAccount, Reverse}
}

// AccountKinds returns the kinds that can be decided about an account as a whole. Those of its standing may name a case instead, and
// are then about the account of that case.
func AccountKinds() []ResolutionKind {
	return []ResolutionKind{Hold, Release, SuspendNow, Reinstate, NeverSuspend, CloseAccount, Reverse}
}

// Limits of resolutions (rules.md §8).
const (
	// HoldMax is how far ahead a hold may end; one extension may add as much again.
	HoldMax = 14 * 24 * time.Hour
	// PromiseMax is how far ahead a promise to pay may lie, and PromiseEvery how often an account may make one, unless a supervisor
	// overrides.
	PromiseMax   = 30 * 24 * time.Hour
	PromiseEvery = 365 * 24 * time.Hour
	// ExtendMax bounds by how much extensions move the stage clock of one case, all together.
	ExtendMax = 30 * 24 * time.Hour
	// NeverSuspendMax is how far ahead an account may be kept from being suspended.
	NeverSuspendMax = 366 * 24 * time.Hour
)

// Resolution is one decision, about a case or about an account. RequestID makes it idempotent: the same id returns the first answer (R2).
// The same form goes through the console, the CLI, the JSON API and the workflow's Signal and Update "resolve" (R1).
type Resolution struct {
	RequestID string         `json:"request_id"`
	Kind      ResolutionKind `json:"kind"`
	Case      CaseID         `json:"case"`
	Account   AccountID      `json:"account,omitempty"` // instead of Case
	Actor     string         `json:"actor"`
	Reason    string         `json:"reason"`

	// paid_out_of_band, promise_to_pay, dispute, grant_credit; resolve_unknown takes amount, when another was captured than was asked
	// for, and reference
	Amount     *money.Amount `json:"amount,omitempty"`
	Reference  string        `json:"reference,omitempty"`
	ReceivedOn string        `json:"received_on,omitempty"` // local date, "2026-11-21"
	// retry_now: one method, or the whole order
	Method MethodID `json:"method,omitempty"`
	// resolve_unknown: what the person found at the gateway; evidence says how they know that nothing was captured
	Verdict  Verdict `json:"verdict,omitempty"`
	Evidence string  `json:"evidence,omitempty"`
	// hold, promise_to_pay, extend, never_suspend
	Until time.Time `json:"until,omitzero"`
	Scope []string  `json:"scope,omitempty"` // hold: attempts, notices, suspension; empty: all three
	// promise_to_pay: a supervisor lifts the limits on how many
	Override bool `json:"override,omitempty"`
	// dispute: what the customer says; end_dispute: who was right
	Claim   string         `json:"claim,omitempty"`
	Outcome DisputeOutcome `json:"outcome,omitempty"`
	// reverse: the request id of the decision to take back
	Reverses string `json:"reverses,omitempty"`
	// Confirms: the request id of a decision of this kind that waits for a second person (R2); its fields are taken from there.
	Confirms string `json:"confirms,omitempty"`
}

// DisputeOutcome is who was right in a dispute.
type DisputeOutcome string

// The outcomes of a dispute that a person decides.
const (
	DisputeUpheld   DisputeOutcome = "upheld"   // the customer: the disputed part is credited
	DisputeRejected DisputeOutcome = "rejected" // we: the disputed part is collected
)

// ResolutionState is where a decision stands.
type ResolutionState string

// The states of a decision.
const (
	ResolutionProposed  ResolutionState = "proposed"  // waits for a second person (R2)
	ResolutionWaiting   ResolutionState = "waiting"   // recorded; carried out when an open attempt has ended
	ResolutionDone      ResolutionState = "done"      //
	ResolutionWithdrawn ResolutionState = "withdrawn" // came to nothing: taken back before it was carried out, or overtaken by a payment
	ResolutionReversed  ResolutionState = "reversed"  // carried out and taken back by compensating entries
)

// ResolutionAnswer says what a resolution changed and what happens next.
type ResolutionAnswer struct {
	RequestID string `json:"request_id"`
	Changed   string `json:"changed"`
	Next      string `json:"next"`
	// State is where the decision stands: done, or proposed or waiting.
	State ResolutionState `json:"state,omitempty"`
	// Repeated: this request id had been answered before; nothing happened now.
	Repeated bool `json:"repeated,omitempty"`
}
