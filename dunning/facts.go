package dunning

import (
	"time"

	"recoup/billing"
	"recoup/money"
)

// Facts is what Postgres says of one case at one instant, read under the invoice's lock. Decide needs nothing else.
type Facts struct {
	Now     time.Time
	Invoice billing.InvoiceID
	State   billing.InvoiceState
	Due     money.Amount
	Stage   Stage
	Dates   Dates

	// Rounds: how many scheduled rounds have begun, how many rounds of any sort, and the open one.
	ScheduledRounds int
	Rounds          int
	Open            *OpenRound
	LastRoundBegan  time.Time

	// Attempt is the invoice's open attempt, if any (PM4).
	Attempt *OpenAttempt

	// Wake asks for one early round (D7).
	Wake Wake

	// HeldUntil stops attempts, notices and escalation until then; zero when not held.
	HeldUntil  time.Time
	HeldScopes []HoldScope

	// PromisedUntil: a promise to pay stops rounds and escalation until then; zero without one (rules.md §8).
	PromisedUntil time.Time
	// Disputed is the part of Due that isn't collected, because the customer disputes it; while there is one nothing escalates (S1).
	Disputed money.Amount
	// Closing is what a person decided to end the invoice with, once the open attempt has ended: void or written_off; "" when nothing.
	Closing billing.InvoiceState

	AccountClosed bool
	// NeverSuspendUntil: a person keeps the account from being suspended or closed until then.
	NeverSuspendUntil time.Time
	// SuspendAgain: a hold had lifted the suspension (S1: a held invoice does not block).
	SuspendAgain bool
	// PostponedUntil: the guarded suspension statement put it off (S2).
	PostponedUntil time.Time
	PostponedWhy   string
	// NoticesRun is when the customer will have had the notices that a suspension needs for as long as the policy says, counted from their
	// delivery (T1); zero while one is not delivered.
	NoticesRun time.Time
	// RoundDeferredUntil: a round stopped because of our own outage and is taken up again then (T1).
	RoundDeferredUntil time.Time

	// Parked is why a safety bound stopped the case until a person asks for it to go on; "" when none did.
	Parked string
	// Stops are the orders to charge nothing that are in force.
	Stops []ChargingStop
}

// Collectable is what may be charged now: what is due less what is disputed.
func (f Facts) Collectable() money.Amount {
	if !f.Disputed.IsPositive() {
		return f.Due
	}
	return money.New(max(0, f.Due.Minor()-f.Disputed.Minor()), f.Due.Currency())
}

// HoldScope is what a hold stops (rules.md §8).
type HoldScope string

// The scopes of a hold.
const (
	HoldAttempts   HoldScope = "attempts"
	HoldNotices    HoldScope = "notices"
	HoldSuspension HoldScope = "suspension"
)

// Wake is who asked for an early round (D7): a person may always ask, a machine at most once in 15 minutes.
type Wake string

// Who asked for an early round.
const (
	WakeNone    Wake = ""
	WakeMachine Wake = "machine" // method changed, funds arrived, credit granted
	WakePerson  Wake = "person"  // staff or customer
)

// MachineWakeEvery bounds early rounds that no person asked for (D7).
const MachineWakeEvery = 15 * time.Minute

// OpenRound is a round begun and not ended, with the candidates still to try, in the order read when it began (PM1).
type OpenRound struct {
	Number     int
	Candidates []Candidate
}

// Candidate is a method still to try in the open round.
type Candidate struct {
	Method   billing.MethodID
	Gateway  string
	Masked   string
	Position int
}

// OpenAttempt is an attempt whose outcome is not final.
type OpenAttempt struct {
	ID     billing.AttemptID
	State  billing.AttemptState
	Method Candidate
	Round  int
	NextAt time.Time // when to look it up next, or to send it again while not processed
	// Deadline is when an attempt that waits for the customer or a bank is cancelled; zero when it has none (U3).
	Deadline time.Time
	Waiting  string // plain words for the pages: "the bank to settle the debit"
}
