package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// PolicyAdder stores the next version of a policy; the store is one.
type PolicyAdder interface {
	AddPolicy(ctx context.Context, document []byte, o store.Order) (p dunning.Policy, fresh bool, err error)
}

// addPolicyAPI puts the endpoints for policies on the API; without a PolicyAdder none is added through it, only checked.
func (c *console) addPolicyAPI(api huma.API) {
	huma.Get(api, "/api/policies", c.apiPolicies, describe("list-policies", "List every version of every policy", "Policies"), wants(access.ReadPolicies))
	huma.Get(api, "/api/policies/{name}/{version}", c.apiPolicy, describe("get-policy", "One version of a policy, as it was written", "Policies"), wants(access.ReadPolicies))
	huma.Post(api, "/api/policies/check", c.apiCheckPolicy, describe("check-policy", "Say everything that is wrong with a policy document", "Policies"),
		wants(access.ReadPolicies))
	huma.Post(api, "/api/policies", c.apiAddPolicy, describe("add-policy", "Add a policy document as the next version", "Policies"),
		wants(access.EditPolicies))
	huma.Post(api, "/api/policies/preview", c.apiPreviewPolicy, describe("preview-policy", "Every date, round and notice that an invoice would see", "Policies"),
		wants(access.ReadPolicies))
}

// policyJSON is one version of a policy in a list.
type policyJSON struct {
	Name             string       `json:"name"`
	Version          int          `json:"version"`
	Unit             dunning.Unit `json:"unit"`
	Rounds           []int        `json:"rounds"`
	FinalNotice      int          `json:"final_notice,omitempty"`
	SuspensionNotice int          `json:"suspension_notice,omitempty"`
	Suspend          int          `json:"suspend,omitempty"`
	Close            int          `json:"close,omitempty"`
	AddedAt          time.Time    `json:"added_at"`
	AddedBy          string       `json:"added_by"`
	Reason           string       `json:"reason"`
	LiveCases        int          `json:"live_cases" doc:"cases that follow it now"`
}

func policyOf(p store.StoredPolicy) policyJSON {
	return policyJSON{p.Name, p.Version, p.Unit, p.Rounds, p.FinalNotice, p.SuspensionNotice, p.Suspend, p.Close, p.AddedAt.UTC(), p.AddedBy, p.Reason, p.Live}
}

type policiesOutput struct {
	Body struct {
		Policies []policyJSON `json:"policies" doc:"by name and version"`
	}
}

func (c *console) apiPolicies(ctx context.Context, _ *struct{}) (*policiesOutput, error) {
	all, err := c.Store.Policies(ctx)
	if err != nil {
		return nil, c.apiError("list policies", err)
	}
	out := &policiesOutput{}
	out.Body.Policies = []policyJSON{}
	for _, p := range all {
		out.Body.Policies = append(out.Body.Policies, policyOf(p))
	}
	return out, nil
}

type policyInput struct {
	Name    string `path:"name" maxLength:"32"`
	Version int    `path:"version" minimum:"1" maximum:"1000000"`
}

type policyOutput struct {
	Body struct {
		policyJSON
		Document string `json:"document" doc:"YAML, as it was written"`
	}
}

func (c *console) apiPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	p, err := c.Store.FindPolicy(ctx, in.Name, in.Version)
	if err != nil {
		return nil, c.apiError("get policy", err)
	}
	out := &policyOutput{}
	out.Body.policyJSON, out.Body.Document = policyOf(p), p.Document
	return out, nil
}

type checkPolicyInput struct {
	Body struct {
		Document string `json:"document" minLength:"1" maxLength:"65536" doc:"the policy as YAML"`
	}
}

type checkPolicyOutput struct {
	Body struct {
		Name    string `json:"name"`
		Version int    `json:"version"`
		There   bool   `json:"there" doc:"there already with this content; else it could be added"`
	}
}

func (c *console) apiCheckPolicy(ctx context.Context, in *checkPolicyInput) (*checkPolicyOutput, error) {
	p, there, err := c.Store.CheckPolicy(ctx, []byte(in.Body.Document))
	if err != nil {
		return nil, c.policyError("check policy", err)
	}
	out := &checkPolicyOutput{}
	out.Body.Name, out.Body.Version, out.Body.There = p.Name, p.Version, there
	return out, nil
}

type addPolicyInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"names the order in the audit log; the same content again changes nothing"`
	Body struct {
		Document string `json:"document" minLength:"1" maxLength:"65536" doc:"the policy as YAML"`
		Reason   string `json:"reason" minLength:"1" maxLength:"500" doc:"why, kept with the version"`
		Actor    string `json:"actor,omitempty" maxLength:"100" doc:"who adds it, where nobody signs in; ignored elsewhere"`
	}
}

type addPolicyOutput struct {
	Body struct {
		Name    string `json:"name"`
		Version int    `json:"version"`
		Added   bool   `json:"added" doc:"false: there already with this content"`
	}
}

func (c *console) apiAddPolicy(ctx context.Context, in *addPolicyInput) (*addPolicyOutput, error) {
	if c.Policies == nil {
		return nil, huma.NewError(http.StatusForbidden, "This console adds no policies; recoup policy add does.")
	}
	actor := in.Body.Actor
	if p := principalOf(ctx); p != nil && p.Name != "" {
		actor = p.Name
	}
	p, added, err := c.Policies.AddPolicy(ctx, []byte(in.Body.Document), store.Order{Actor: actor, Reason: in.Body.Reason, RequestID: in.Key})
	if err != nil {
		return nil, c.policyError("add policy", err)
	}
	out := &addPolicyOutput{}
	out.Body.Name, out.Body.Version, out.Body.Added = p.Name, p.Version, added
	return out, nil
}

// policyError lists what is wrong with a document: each mistake with its field, line and column.
func (c *console) policyError(what string, err error) error {
	var problems dunning.PolicyProblems
	if !errors.As(err, &problems) {
		return c.apiError(what, err)
	}
	details := make([]error, len(problems))
	for i, p := range problems {
		details[i] = &huma.ErrorDetail{Message: p.String(), Location: "body.document", Value: p.Field}
	}
	return huma.NewError(http.StatusUnprocessableEntity, "The document is not a policy.", details...)
}

type previewInput struct {
	Body struct {
		Policy   string `json:"policy,omitempty" maxLength:"32" doc:"a stored policy; or give a document" example:"standard"`
		Version  int    `json:"version,omitempty" minimum:"0" maximum:"1000000" doc:"0: the newest"`
		Document string `json:"document,omitempty" maxLength:"65536" doc:"a policy as YAML, stored or not"`
		DueDate  string `json:"due_date" format:"date"`
		TimeZone string `json:"time_zone" maxLength:"64" example:"Europe/Berlin"`
		Invoice  string `json:"invoice,omitempty" maxLength:"64" doc:"decides the minute of its mornings"`
		Minor    int64  `json:"minor" minimum:"1" doc:"its amount in minor units"`
		Currency string `json:"currency" maxLength:"3" doc:"ISO 4217"`
	}
}

type previewOutput struct{ Body previewJSON }

type previewJSON struct {
	Policy  string            `json:"policy"`
	Version int               `json:"version"`
	DueAt   time.Time         `json:"due_at" doc:"the end of the due date"`
	Steps   []previewStepJSON `json:"steps" doc:"if every charge is declined and nobody steps in"`
	Notes   []string          `json:"notes"`
}

type previewStepJSON struct {
	At       time.Time          `json:"at"`
	Local    string             `json:"local" doc:"the same on the account's clocks"`
	Unit     int                `json:"unit" doc:"the policy's day or second"`
	Do       dunning.Do         `json:"do"`
	Round    int                `json:"round,omitempty"`
	Says     string             `json:"says"`
	Notice   dunning.NoticeKind `json:"notice,omitempty" doc:"what the customer is told"`
	NoticeAt *time.Time         `json:"notice_at,omitempty"`
}

func (c *console) apiPreviewPolicy(ctx context.Context, in *previewInput) (*previewOutput, error) {
	b := in.Body
	var p dunning.Policy
	var err error
	switch {
	case (b.Policy == "") == (b.Document == ""):
		err = billing.Refuse(billing.RefusedInvalid, "policy", "give either a policy's name or a document")
	case b.Policy != "":
		p, err = c.Store.PolicyOf(ctx, b.Policy, b.Version)
	default:
		p, err = dunning.ParsePolicy([]byte(b.Document))
	}
	if err != nil {
		return nil, c.policyError("preview policy", err)
	}
	currency, err := money.ParseCurrency(b.Currency)
	if err != nil {
		return nil, c.apiError("preview policy", billing.Refuse(billing.RefusedInvalid, "currency", "%q is no ISO 4217 currency, such as EUR", b.Currency))
	}
	preview, err := p.Preview(dunning.PreviewInput{DueDate: b.DueDate, Zone: b.TimeZone, Invoice: billing.InvoiceID(b.Invoice), Amount: money.New(b.Minor, currency)})
	if err != nil {
		// The date's and the currency's shapes are checked already.
		return nil, c.apiError("preview policy", billing.Refuse(billing.RefusedInvalid, "time_zone", "%v", err))
	}
	out := &previewOutput{previewJSON{Policy: preview.Policy, Version: preview.Version, DueAt: preview.DueAt, Notes: preview.Notes}}
	loc := zoneOf(b.TimeZone)
	for _, s := range preview.Steps {
		out.Body.Steps = append(out.Body.Steps, previewStepJSON{s.At, s.At.In(loc).Format(time.RFC3339), s.Unit, s.Do, s.Round, s.Says, s.Notice, orNil(s.NoticeAt)})
	}
	return out, nil
}
