// Package conformance is the one suite that every gateway adapter must pass before Recoup trusts it with money (rules U6, D2, PM3–PM5;
// faults.md 2A). It drives an adapter against a gateway that keeps books of its own and can be made to fail in every way a gateway
// fails, and compares three things: what the adapter says, what the books say, and what becomes of sending the same attempt again.
//
// It owns the expectations, not the means: a Harness says how to reach the adapter, its gateway's books and its test instruments.
package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
)

// Behaviour names what a test instrument does when it is charged.
type Behaviour string

// The behaviours an adapter's gateway must offer. "Before" and "after" mean before and after the money moved; a fault strikes on the
// first send of an attempt only.
const (
	Succeeds            Behaviour = "succeeds"
	DeclinedFunds       Behaviour = "declined: insufficient funds"
	DeclinedLost        Behaviour = "declined: lost card"
	DeclinedAdvice      Behaviour = "declined with network advice 03"
	DeclinedExpired     Behaviour = "declined: expired card"
	DeclinedRisk        Behaviour = "declined: fraud suspected"
	DeclinedIssuer      Behaviour = "declined: do not honor"
	DeclinedProcessing  Behaviour = "declined: processing error"
	DeclinedLater       Behaviour = "declined with the advice to try again later"
	NeedsAuthentication Behaviour = "declined: authentication required"
	WaitsForCustomer    Behaviour = "waits for the customer"
	TakesAPart          Behaviour = "takes 60 percent"
	TakesTooMuch        Behaviour = "takes one minor unit too much"
	UnknownMethod       Behaviour = "a method nobody knows"

	BankSettles Behaviour = "bank debit that settles"
	BankFails   Behaviour = "bank debit that fails"
	BankStays   Behaviour = "bank debit that stays pending"
	BankClosed  Behaviour = "bank debit of a closed account"
	BankReturns Behaviour = "bank debit that settles and is returned"
	Disputed    Behaviour = "succeeds and is disputed"

	TimeoutBefore   Behaviour = "timeout before"
	TimeoutAfter    Behaviour = "timeout after"
	LateEffect      Behaviour = "executes late"
	ServerErrBefore Behaviour = "500 before"
	ServerErrAfter  Behaviour = "500 after"
	ServerErrKept   Behaviour = "500 kept under the key, nothing moved"
	ServerErrPaid   Behaviour = "500 kept under the key, money moved"
	ProxyErrBefore  Behaviour = "503 page of a proxy before"
	ResetBefore     Behaviour = "reset before"
	ResetAfter      Behaviour = "reset in the middle of the answer"
	Slow            Behaviour = "slow, within the timeout"
	Truncated       Behaviour = "truncated answer after"
	HTMLAnswer      Behaviour = "HTML answer after"
	UnknownStatus   Behaviour = "unknown status after"
	WrongType       Behaviour = "wrong JSON type after"
	EmptyAnswer     Behaviour = "empty object after"
	HugeAnswer      Behaviour = "endless answer after"
	RateLimited     Behaviour = "429 before"
	InProgress      Behaviour = "409 before"
	Unauthorized    Behaviour = "401 before"
)

// Instrument is a payment method at the gateway under test.
type Instrument struct {
	Token         string
	CustomerToken string
	Kind          billing.MethodKind
}

// Booked is one charge in the gateway's own books: money taken, or pending.
type Booked struct {
	Attempt billing.AttemptID
	Key     string // the idempotency key it came with
	Amount  money.Amount
	Pending bool
}

// Read is a request that moves no money and can fail.
type Read string

// The reads that the harness breaks.
const (
	ReadAttempt   Read = "an attempt by our reference"
	ReadReversals Read = "reversals of a payment"
	ReadList      Read = "the list of payments"
	ReadTakenBack Read = "the list of reversals"
)

// Delivery is a webhook as it arrived: the body and the header that signs it.
type Delivery struct {
	Body      []byte
	Signature string
}

// WebhookFault is what goes wrong with a webhook on its way.
type WebhookFault string

// The faults of webhooks.
const (
	WebhookLost      WebhookFault = "lost"
	WebhookDoubled   WebhookFault = "doubled"
	WebhookReordered WebhookFault = "reordered" // arrives after younger ones
	WebhookForged    WebhookFault = "forged"    // a copy signed by somebody else arrives first
	WebhookOld       WebhookFault = "old"       // a copy signed long ago arrives first
)

// Harness is an adapter, its gateway with empty books, and the ways to move them. Every field is needed, except those of an optional
// interface that Lacks names.
type Harness struct {
	Gateway gateway.Gateway
	// Lacks says why the adapter has no gateway.ReversalReader, gateway.ReversalLister, gateway.ChargeLister or
	// gateway.WebhookParser, by the interface's name.
	Lacks map[string]string
	// Unreachable is the same adapter where nothing listens.
	Unreachable gateway.Gateway
	// Instruments has a method for every behaviour.
	Instruments map[Behaviour]Instrument
	// Books reads all charges that took money or hold it.
	Books func(t *testing.T) []Booked
	// Struck reports whether the fault of an attempt did happen, so that no row passes because nothing went wrong.
	Struck func(t *testing.T, attempt billing.AttemptID) bool
	// Elapse moves the clocks of adapter and gateway, and lets the gateway do what falls due.
	Elapse func(t *testing.T, d time.Duration)
	// Now reads that clock.
	Now func() time.Time
	// BankDelay is when a bank debit settles or fails, and when what is returned or disputed is taken back after that.
	BankDelay time.Duration
	// CustomerActs lets the customer of a waiting payment approve.
	CustomerActs func(t *testing.T, reference string)
	// Break makes the next requests of a read fail in the way named, 1 and up, and returns how many ways there are; 0 mends it.
	Break func(t *testing.T, read Read, way int) (ways int)
	// BreakWebhook makes the webhook that tells of an attempt's success go wrong.
	BreakWebhook func(t *testing.T, fault WebhookFault, attempt billing.AttemptID)
	// Deliveries lets the gateway deliver what it has to tell, also what is late, and returns what arrived since the last call, in the
	// order of arrival.
	Deliveries func(t *testing.T) []Delivery
}

// Behaviours lists what an adapter's gateway must offer: one instrument each.
func Behaviours() []Behaviour {
	list := []Behaviour{LateEffect, BankSettles, BankFails, BankClosed, BankReturns, Disputed}
	for _, r := range rows {
		list = append(list, r.behaviour)
	}
	return list
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	s := &suite{Harness: h}
	t.Run("contract", s.contract)
	t.Run("outcomes", s.outcomes)
	t.Run("late effect", s.lateEffect)
	t.Run("same attempt at once", s.atOnce)
	t.Run("other parameters", s.otherParameters)
	t.Run("key window", s.keyWindow)
	t.Run("currencies", s.currencies)
	t.Run("bank debits", s.bankDebits)
	t.Run("look-ups", s.lookUps)
	t.Run("cancels", s.cancels)
	t.Run("not reachable", s.notReachable)
	t.Run("defective requests", s.defects)
	t.Run("reversals", s.reversals)
	t.Run("list", s.list)
	t.Run("list of reversals", s.listOfReversals)
	t.Run("webhooks", s.webhooks)
}

type suite struct {
	Harness
	made int
}

var usd = money.MustCurrency("USD")

// attempt is a charge the suite makes.
type attempt struct {
	req  gateway.ChargeRequest
	sent time.Time
	last gateway.Answer
	// byCustomer: the customer completed it, so the charge came with no key of ours.
	byCustomer bool
}

func (a *attempt) lookUp() gateway.LookUpRequest {
	return gateway.LookUpRequest{Attempt: a.req.Attempt, Reference: a.last.Reference, CustomerToken: a.req.CustomerToken, FirstSentAt: a.sent}
}

// blind is a look-up without the gateway's reference, as after an answer that never came.
func (a *attempt) blind() gateway.LookUpRequest {
	return gateway.LookUpRequest{Attempt: a.req.Attempt, CustomerToken: a.req.CustomerToken, FirstSentAt: a.sent}
}

// prepare makes an attempt of 10.00 USD.
func (s *suite) prepare(t *testing.T, b Behaviour) *attempt {
	t.Helper()
	s.made++
	i, ok := s.Instruments[b]
	if !ok {
		t.Fatalf("the harness has no instrument that %q", b)
	}
	id := billing.AttemptID(fmt.Sprintf("a%04d-%d", s.made, s.Now().UnixNano()))
	return &attempt{sent: s.Now(), req: gateway.ChargeRequest{
		Attempt: id, Invoice: billing.InvoiceID("inv-" + string(id)), Case: billing.CaseID("case-" + string(id)),
		InvoiceNumber: "2026-0001", Kind: i.Kind, Token: i.Token, CustomerToken: i.CustomerToken, Amount: money.New(1000, usd)}}
}

// send charges it, the first time or again, and holds the answer against the books.
func (s *suite) send(t *testing.T, a *attempt) gateway.Answer {
	t.Helper()
	answer := s.Gateway.Charge(context.Background(), a.req)
	s.audit(t, a, answer)
	a.last = answer
	return answer
}

// ask looks an attempt up and holds the answer against the books.
func (s *suite) ask(t *testing.T, a *attempt, req gateway.LookUpRequest) gateway.Answer {
	t.Helper()
	answer := s.Gateway.LookUp(context.Background(), req)
	s.audit(t, a, answer)
	return answer
}

// booked returns what the books hold of an attempt.
func (s *suite) booked(t *testing.T, a *attempt) []Booked {
	t.Helper()
	var out []Booked
	for _, b := range s.Books(t) {
		if b.Attempt == a.req.Attempt {
			out = append(out, b)
		}
	}
	return out
}

// audit checks what must hold after every answer whatsoever: at most one charge per attempt, under its own key (PM4, PM5); a success
// is in the books with the amount told (I2); a decline has taken nothing, nor has a look-up's "not sent" (D2).
func (s *suite) audit(t *testing.T, a *attempt, answer gateway.Answer) {
	t.Helper()
	charges := s.booked(t, a)
	if len(charges) > 1 {
		t.Fatalf("attempt %s is in the books %d times: %+v", a.req.Attempt, len(charges), charges)
	}
	for _, c := range charges {
		if c.Key != string(a.req.Attempt) && !a.byCustomer {
			t.Errorf("attempt %s was charged under the key %q; the key is the attempt's id and nothing else (PM5)", a.req.Attempt, c.Key)
		}
	}
	switch answer.State {
	case billing.AttemptSucceeded:
		if len(charges) == 0 || charges[0].Pending || charges[0].Amount != answer.Captured {
			t.Errorf("the adapter says %v was taken; the books hold %+v (I2)", answer.Captured, charges)
		}
	case billing.AttemptDeclined:
		if len(charges) != 0 {
			t.Errorf("the adapter says declined; the books hold %+v (D2)", charges)
		}
	case billing.AttemptPending, billing.AttemptActionRequired, billing.AttemptUnknown, billing.AttemptNotSent:
	default:
		t.Errorf("%q is none of the six outcomes", answer.State)
	}
	if answer.State != billing.AttemptSucceeded && !answer.Captured.IsZero() {
		t.Errorf("captured is told with %s", answer.State)
	}
	if answer.State != billing.AttemptNotSent && (answer.Transient || answer.OurConfig) {
		t.Errorf("transient or our-config is told with %s", answer.State)
	}
}
