// Package model predicts what becomes of a case from the rules of the business alone. It is the reference that the workflow simulation
// compares Recoup with, so it shares nothing with what it judges: no decision function, no schedule, no SQL, only the nouns, the
// amounts and the policy document. Read it beside docs/rules.md, line by line.
//
// It is a small discrete simulation: time jumps from one thing that can happen to the next (a happening drawn by the test, an answer
// heard, a date of the policy), and at each instant everything that is possible is done. It owns no I/O and no clock.
package model

import (
	"time"

	"recoup/dunning"
	"recoup/money"
)

// Minor is an amount in minor units of the case's one currency (M1).
type Minor int64

// Case is all that the model is told: one invoice of one account, and what the world will do.
type Case struct {
	Zone     *time.Location
	Policy   dunning.Policy
	Currency money.Currency
	Lines    []Line
	Credits  []Credit
	Deposits []Deposit
	Methods  []Method  // in the account's order (§0)
	Start    time.Time // the case opens

	// Jitter is what the rules leave free: how long after 09:00 this invoice's mornings begin (T2). Pause is how long Recoup waits
	// after the gateway refused us before it asks again (D1 our_config).
	Jitter time.Duration
	Pause  time.Duration

	Happenings []Happening // by time
	// Deaths are where the worker dies at the first charges, "" nowhere: it must change nothing (PM5), so the model doesn't look at it.
	Deaths []Death
}

// Line is one line of the invoice.
type Line struct {
	Service string
	Tax     bool // of a kind that credits don't pay (CR3)
	Amount  Minor
}

// Credit is a promotional grant, all of it unspent.
type Credit struct {
	ID       string
	Amount   Minor
	Services []string  // none: all
	Expires  time.Time // zero: never
	Granted  time.Time
}

// Deposit is settled prepaid money (AF3).
type Deposit struct {
	ID     string
	Amount Minor
}

// Method is a payment method and what its gateway will say to each send; the last answer repeats.
type Method struct {
	ID      string
	Bank    bool
	Brand   string    // of a card
	Expires time.Time // of a card; zero: never
	Answers []Answer
}

// Saying is what a gateway says to one send.
type Saying string

// The sayings of a gateway.
const (
	SaysYes      Saying = "yes"
	SaysSoft     Saying = "soft"      // D1 soft_funds
	SaysIssuer   Saying = "issuer"    // D1 soft_issuer
	SaysHard     Saying = "hard"      // D1 hard_instrument
	SaysFix      Saying = "fix_data"  // D1 fix_data
	SaysAuth     Saying = "auth"      // D1 auth_required
	SaysRisk     Saying = "risk"      // D1 risk
	SaysBusy     Saying = "busy"      // D1 transient
	SaysRefused  Saying = "refuses"   // D1 our_config
	SaysNothing  Saying = "nothing"   // D2: unknown
	SaysPending  Saying = "pending"   // U3, a bank
	SaysConfirm  Saying = "confirm"   // U3, the customer has to act
	SaysNoTraces Saying = "no traces" // only as a turn: it is proved that the send never happened (U6)
)

// Answer is what is said to one send, and what looking shows later when that was not final.
type Answer struct {
	Say   Saying
	Turns []Turn
}

// Turn is what shows from so long after the first send on.
type Turn struct {
	After time.Duration
	Say   Saying
}

// At is what shows so long after the first send.
func (a Answer) At(since time.Duration) Saying {
	say := a.Say
	for _, t := range a.Turns {
		if since >= t.After {
			say = t.Say
		}
	}
	return say
}

// Death is a boundary of a charge at which its worker dies.
type Death string

// The boundaries, by their labels.
const (
	DiesNowhere     Death = ""
	DiesAfterIntent Death = "after intent"
	DiesBeforeSend  Death = "before send"
	DiesAfterAnswer Death = "after answer"
	DiesAfterCommit Death = "after outcome commit"
)

// Doing is a sort of happening.
type Doing string

// What happens to a case from outside.
const (
	PaidElsewhere Doing = "paid elsewhere" // Amount; 0: whatever is due
	RetryNow      Doing = "retry now"      // Method, or "" for the whole order
	HoldFor       Doing = "hold"           // Until; OnlyEscalation: its scope is suspension, attempts go on
	Release       Doing = "release"
	FoundCaptured Doing = "found captured" // resolve_unknown
	FoundNothing  Doing = "found nothing"
	AddMethod     Doing = "method added" // New, last in the order
	DisableMethod Doing = "method disabled"
	FixMethod     Doing = "method mended" // corrected, replaced or re-authenticated
	FundsArrive   Doing = "funds arrive"  // Amount
	GrantCredit   Doing = "credit granted"
	Webhook       Doing = "webhook"    // the gateway says that something is new about the open attempt, which may be so
	Poke          Doing = "poke flood" // carries no truth
	StopCharging  Doing = "charging stopped"
	StartCharging Doing = "charging started"
	Terminate     Doing = "workflow terminated" // and started again by the live check
	WorkersDown   Doing = "workers down"        // Until
	Chargeback    Doing = "chargeback"          // of what a method paid (U5)
)

// Happening is one thing that happens to a case. Fields beyond At and Do are those that its Doing names.
type Happening struct {
	At             time.Time
	Do             Doing
	Amount         Minor
	Method         string
	New            Method
	Credit         Credit
	Until          time.Time
	OnlyEscalation bool
}
