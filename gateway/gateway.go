// Package gateway declares what Recoup asks of a payment gateway and what a gateway must promise (rule U6).
// An adapter (gateway/stripe) implements Gateway and passes gateway/conformance. Adapters know nothing of Postgres or Temporal and
// never decide what an answer means for a case: they report one of the six outcomes and the raw codes; dunning classifies them (D1).
package gateway

import (
	"context"
	"time"

	"recoup/billing"
	"recoup/money"
)

// Gateway is a payment gateway. Every method keeps ctx's deadline. Charge, LookUp and Cancel never return an error for what the
// gateway said or failed to say: that is an Answer (a timeout is AttemptUnknown, D2). An error means a defect of the request itself.
type Gateway interface {
	// Name is the adapter's name as stored with payment methods: "stripe".
	Name() string
	// Contract is the adapter's idempotency contract (U6).
	Contract() Contract
	// Charge sends one attempt. The idempotency key is req.Attempt and nothing else (PM5); sending the same request again inside
	// Contract().KeyWindow returns the first answer.
	Charge(ctx context.Context, req ChargeRequest) Answer
	// LookUp asks what became of an attempt, by our reference. State AttemptNotSent is only returned when a negative is proved.
	LookUp(ctx context.Context, req LookUpRequest) Answer
	// Cancel makes sure an open attempt can no longer succeed. "Too late, it succeeded" is an Answer with AttemptSucceeded.
	Cancel(ctx context.Context, req LookUpRequest) Answer
}

// ChargeRequest is one instruction to charge one method.
type ChargeRequest struct {
	Attempt       billing.AttemptID
	Invoice       billing.InvoiceID
	Case          billing.CaseID
	InvoiceNumber string
	Kind          billing.MethodKind
	Token         string
	CustomerToken string
	Amount        money.Amount
}

// LookUpRequest names an attempt at the gateway.
type LookUpRequest struct {
	Attempt billing.AttemptID
	// Reference is the gateway's own id of the object, when an earlier answer told it.
	Reference string
	// CustomerToken is the method's, if it has one; gateways that list by customer read less.
	CustomerToken string
	// FirstSentAt is when the first byte may have left (U1).
	FirstSentAt time.Time
	// LastSentAt is when the attempt was last sent; misses soon after it prove nothing. Zero: it was sent once.
	LastSentAt time.Time
}

// Answer is what is known of an attempt after talking to the gateway.
type Answer = billing.Answer

// Contract is what a gateway promises of idempotency (U6, faults.md A6–A8). The core derives from it what it may do.
type Contract struct {
	// KeyWindow is how long after the first send the same key returns the first answer, less a safety margin.
	KeyWindow time.Duration
	// LookUpByReference: LookUp works by our attempt id.
	LookUpByReference bool
	// LookUpLag is how long a miss proves nothing.
	LookUpLag time.Duration
	// CancelByReference: Cancel works by our attempt id or reference.
	CancelByReference bool
	// ProvesNegative: LookUp can prove that an attempt never happened; without it an unknown outcome waits for a person.
	ProvesNegative bool
	// ChargesPerSecond bounds the rate of charges over all workers.
	ChargesPerSecond float64
	// Timeout is how long one call may take; the charge activity's deadline lies above it.
	Timeout time.Duration
}

// Event is a gateway's webhook after its signature was checked. It carries no truth: whoever gets it looks the attempt up again.
type Event = billing.GatewayEvent
