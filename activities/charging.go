package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
	"recoup/gateway"
	"recoup/store"
)

// ChargeStore is what charging needs of Postgres.
type ChargeStore interface {
	BeginAttempt(ctx context.Context, id billing.CaseID, method billing.MethodID, keyWindow time.Duration) (*store.Charge, dunning.Step, error)
	MarkSent(ctx context.Context, id billing.AttemptID, keyWindow time.Duration) error
	RecordAnswer(ctx context.Context, id billing.CaseID, attempt billing.AttemptID, answer billing.Answer) (dunning.Step, error)
	AttemptToLookUp(ctx context.Context, id billing.AttemptID) (*store.Charge, error)
	Review(ctx context.Context, id billing.CaseID) (dunning.Step, error)
}

// Charging talks to one gateway. Each gateway has its own task queue, so that one's rate limit or outage never stops another's work.
type Charging struct {
	Store   ChargeStore
	Gateway gateway.Gateway
}

// recordMargin is how much longer than a gateway call the activity may take: recording the answer must never be cut short by the
// deadline of the call.
const recordMargin = 20 * time.Second

// ChargeInput names the method that the case's round has reached.
type ChargeInput struct {
	Case   billing.CaseID   `json:"case"`
	Method billing.MethodID `json:"method"`
}

// ChargeMethod makes one attempt: the row is committed, then stamped, then the gateway is called, then its answer is booked (PM4–PM6). When
// it runs again it first finds its own open attempt and resolves that: the same key inside the window returns what became of it.
func (c *Charging) ChargeMethod(ctx context.Context, in ChargeInput) (CaseResult, error) {
	window := c.Gateway.Contract().KeyWindow
	boundary.At(boundary.BeforeIntent, in.Case)
	charge, next, err := c.Store.BeginAttempt(ctx, in.Case, in.Method, window)
	if err != nil || charge == nil {
		return result(next, err)
	}
	boundary.At(boundary.AfterIntent, in.Case)
	if charge.MaybeSent && window == 0 {
		// Without an idempotent gateway a second send could charge twice.
		return c.record(ctx, charge, c.lookUp(ctx, charge))
	}
	if err := c.Store.MarkSent(ctx, charge.Attempt, window); err != nil {
		var refusal *billing.Refusal
		if errors.As(err, &refusal) {
			return result(c.Store.Review(ctx, in.Case))
		}
		return CaseResult{}, temporalError(err)
	}
	boundary.At(boundary.BeforeSend, in.Case)
	answer := c.send(ctx, charge)
	boundary.At(boundary.AfterAnswer, in.Case)
	return c.record(ctx, charge, provedBy(answer, charge.MaybeSent))
}

func requestFor(charge *store.Charge) gateway.ChargeRequest {
	return gateway.ChargeRequest{
		Attempt: charge.Attempt, Invoice: charge.Invoice, Case: charge.Case, InvoiceNumber: charge.InvoiceNumber,
		Kind: charge.Kind, Token: charge.Token, CustomerToken: charge.CustomerToken, Amount: charge.Amount,
	}
}

// LookUpInput names an attempt whose outcome is not final.
type LookUpInput struct {
	Case    billing.CaseID    `json:"case"`
	Attempt billing.AttemptID `json:"attempt"`
}

// LookUpAttempt asks the gateway what became of an attempt, by our reference (U1, U3).
func (c *Charging) LookUpAttempt(ctx context.Context, in LookUpInput) (CaseResult, error) {
	return c.ask(ctx, in.Case, in.Attempt, c.lookUp)
}

// ask puts a question about an attempt to the gateway and books the answer; one that has ended meanwhile needs none.
func (c *Charging) ask(ctx context.Context, id billing.CaseID, attempt billing.AttemptID,
	question func(context.Context, *store.Charge) gateway.Answer) (CaseResult, error) {
	charge, err := c.Store.AttemptToLookUp(ctx, attempt)
	if err != nil {
		return CaseResult{}, temporalError(err)
	}
	if charge == nil {
		return result(c.Store.Review(ctx, id))
	}
	if charge.Case != id {
		return CaseResult{}, temporalError(fmt.Errorf("attempt %s is not of case %s", attempt, id))
	}
	return c.record(ctx, charge, question(ctx, charge))
}

func lookUpFor(charge *store.Charge) gateway.LookUpRequest {
	return gateway.LookUpRequest{Attempt: charge.Attempt, Reference: charge.Reference, CustomerToken: charge.CustomerToken,
		FirstSentAt: charge.FirstSentAt, LastSentAt: charge.LastSentAt}
}

func (c *Charging) lookUp(ctx context.Context, charge *store.Charge) gateway.Answer {
	ctx, cancel := context.WithTimeout(ctx, c.Gateway.Contract().Timeout)
	defer cancel()
	boundary.At(boundary.BeforeLookUp, charge.Case)
	answer := c.Gateway.LookUp(ctx, lookUpFor(charge))
	boundary.At(boundary.AfterLookUp, charge.Case)
	return answer
}

// record books the answer even when the activity was cancelled meanwhile: what a gateway said is never dropped.
func (c *Charging) record(ctx context.Context, charge *store.Charge, answer gateway.Answer) (CaseResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordMargin)
	defer cancel()
	next, err := c.Store.RecordAnswer(ctx, charge.Case, charge.Attempt, answer)
	if err == nil {
		boundary.At(boundary.AfterOutcome, charge.Case)
		if answer.State == billing.AttemptSucceeded {
			boundary.At(boundary.AfterReceipt, charge.Case)
		}
	}
	out, err := result(next, err)
	out.Attempt, out.Outcome = charge.Attempt, dunning.OutcomeInWords(answer.State, answer.DeclineCode, answer.NetworkCode, answer.AdviceCode)
	return out, err
}
