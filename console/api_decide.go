package console

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/money"
)

// addDecisionAPI is the door of programs to decisions: the same transaction as the pages' forms and the command line (R1).
func (c *console) addDecisionAPI(api huma.API) {
	if c.Resolver == nil {
		return
	}
	huma.Post(api, "/api/cases/{id}/resolutions", c.apiDecide, describe("decide-case", "Decide about a case", "Decisions"), wants(access.ReadCases))
	huma.Post(api, "/api/cases/{id}/{episode}/resolutions", c.apiDecideEpisode, describe("decide-episode", "Decide about a later episode", "Decisions"),
		wants(access.ReadCases))
	huma.Post(api, "/api/accounts/{id}/resolutions", c.apiDecideAccount, describe("decide-account", "Decide about an account and all its cases", "Decisions"),
		wants(access.ReadAccounts))
}

type decisionBody struct {
	Kind       billing.ResolutionKind `json:"kind" maxLength:"40" doc:"see docs/resolutions.md" example:"hold"`
	Reason     string                 `json:"reason" minLength:"1" maxLength:"500"`
	Actor      string                 `json:"actor,omitempty" maxLength:"100" doc:"who decides, where nobody signs in; ignored elsewhere"`
	Amount     *givenAmount           `json:"amount,omitempty"`
	Reference  string                 `json:"reference,omitempty" maxLength:"100"`
	ReceivedOn string                 `json:"received_on,omitempty" maxLength:"10"`
	Method     billing.MethodID       `json:"method,omitempty" maxLength:"64"`
	Verdict    billing.Verdict        `json:"verdict,omitempty" maxLength:"20"`
	Evidence   string                 `json:"evidence,omitempty" maxLength:"500"`
	Until      *time.Time             `json:"until,omitempty"`
	Scope      []string               `json:"scope,omitempty" maxItems:"3"`
	Override   bool                   `json:"override,omitempty"`
	Claim      string                 `json:"claim,omitempty" maxLength:"500"`
	Outcome    billing.DisputeOutcome `json:"outcome,omitempty" maxLength:"20"`
	Reverses   string                 `json:"reverses,omitempty" maxLength:"128"`
	Confirms   string                 `json:"confirms,omitempty" maxLength:"128"`
}

type givenAmount struct {
	Minor    int64  `json:"minor" doc:"in the currency's minor unit"`
	Currency string `json:"currency" minLength:"3" maxLength:"3" doc:"ISO 4217"`
}

type decideInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"the request id: the same one returns the first answer"`
	ID   string `path:"id" maxLength:"64"`
	Body decisionBody
}

// decideEpisodeInput names decideInput's fields itself: huma reads no headers into an embedded struct.
type decideEpisodeInput struct {
	Key     string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"the request id: the same one returns the first answer"`
	ID      string `path:"id" maxLength:"64"`
	Episode int    `path:"episode" minimum:"1" maximum:"1000000"`
	Body    decisionBody
}

type decideOutput struct{ Body billing.ResolutionAnswer }

func (c *console) apiDecide(ctx context.Context, in *decideInput) (*decideOutput, error) {
	return c.decide(ctx, in, billing.Resolution{Case: billing.CaseID(in.ID)})
}

func (c *console) apiDecideEpisode(ctx context.Context, in *decideEpisodeInput) (*decideOutput, error) {
	id := billing.CaseID(in.ID)
	if in.Episode > 1 {
		id = billing.CaseID(in.ID + "/" + strconv.Itoa(in.Episode))
	}
	return c.decide(ctx, &decideInput{Key: in.Key, ID: in.ID, Body: in.Body}, billing.Resolution{Case: id})
}

func (c *console) apiDecideAccount(ctx context.Context, in *decideInput) (*decideOutput, error) {
	return c.decide(ctx, in, billing.Resolution{Account: billing.AccountID(in.ID)})
}

func (c *console) decide(ctx context.Context, in *decideInput, r billing.Resolution) (*decideOutput, error) {
	b := in.Body
	r.RequestID, r.Kind, r.Reason, r.Actor = in.Key, b.Kind, b.Reason, b.Actor
	r.Reference, r.ReceivedOn, r.Method, r.Verdict, r.Evidence = b.Reference, b.ReceivedOn, b.Method, b.Verdict, b.Evidence
	r.Scope, r.Override, r.Claim, r.Outcome, r.Reverses, r.Confirms = b.Scope, b.Override, b.Claim, b.Outcome, b.Reverses, b.Confirms
	if b.Until != nil {
		r.Until = b.Until.UTC()
	}
	if b.Amount != nil {
		currency, err := money.ParseCurrency(b.Amount.Currency)
		if err != nil {
			return nil, c.apiError("decide", billing.Refuse(billing.RefusedInvalid, "amount", "%v", err))
		}
		amount := money.New(b.Amount.Minor, currency)
		r.Amount = &amount
	}
	if p := principalOf(ctx); p != nil && p.Name != "" {
		r.Actor = p.Name
	}
	if err := r.Check(); err != nil {
		return nil, c.apiError("decide", err)
	}
	account := r.Account
	if account == "" {
		d, err := c.Store.FindCase(ctx, r.Case)
		if err != nil {
			return nil, c.apiError("decide", err)
		}
		account = d.Account
	}
	if err := c.mayDecide(ctx, r, account); err != nil {
		if f, is := asForbidden(err); is {
			return nil, huma.NewError(f.status(), f.Error())
		}
		return nil, c.apiError("decide", err)
	}
	answer, err := c.Resolver.Resolve(ctx, r)
	if err != nil {
		return nil, c.apiError("decide", err)
	}
	return &decideOutput{answer}, nil
}
