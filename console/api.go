package console

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// apiVersion is the version of the JSON endpoints as OpenAPI names it.
const apiVersion = "1"

// addAPI puts the JSON endpoints and their OpenAPI document on the mux. Errors are problem+json (RFC 9457).
func (c *console) addAPI(mux *http.ServeMux) {
	config := huma.DefaultConfig("Recoup", apiVersion)
	config.Info.Description = "Collecting invoices: cases, accounts. Amounts are integers in minor units with an ISO 4217 code; " +
		"instants are RFC 3339 in UTC; ids are opaque."
	config.DocsPath = "" // its page loads scripts from elsewhere, which our policy forbids
	config.OpenAPIPath = "/openapi"
	config.SchemasPath = "/schemas"
	config.CreateHooks = nil // no $schema in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "an API token (recoup token create)"},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "a person who signed in to the console"},
	}
	api := humago.New(mux, config)
	api.UseMiddleware(c.guardAPI(api))
	c.api = api.OpenAPI()
	huma.Get(api, "/healthz", c.health, describe("health", "Whether the console and its database answer", "Health"), wants(access.Public))
	huma.Get(api, "/api/cases", c.apiCases, describe("list-cases", "List cases", "Cases"), wants(access.ReadCases))
	huma.Get(api, "/api/cases/{id}", c.apiCase, describe("get-case", "One case: the first episode of an invoice", "Cases"), wants(access.ReadCases))
	huma.Get(api, "/api/cases/{id}/{episode}", c.apiEpisode, describe("get-episode", "One case: a later episode of an invoice", "Cases"),
		wants(access.ReadCases))
	huma.Get(api, "/api/accounts/{id}", c.apiAccount, describe("get-account", "One account", "Accounts"), wants(access.ReadAccounts))
	c.addPolicyAPI(api)
	c.addDecisionAPI(api)
	c.addOwnAPI(api)
	c.addAuditAPI(api)
	c.addBatchAPI(api)
}

func describe(id, summary, tag string) func(*huma.Operation) {
	return func(o *huma.Operation) { o.OperationID, o.Summary, o.Tags = id, summary, []string{tag} }
}

// apiError maps an error as problemOf does; what isn't a Refusal stays in the log.
func (c *console) apiError(what string, err error) error {
	p := problemOf(err)
	if p.status >= http.StatusInternalServerError {
		c.Log.Error("console endpoint failed", "what", what, "error", err)
	}
	if p.field == "" {
		return huma.NewError(p.status, p.text)
	}
	return huma.NewError(p.status, p.text, &huma.ErrorDetail{Message: p.text, Location: p.field})
}

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok" doc:"ok: the database answers"`
	}
}

func (c *console) health(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	if err := c.Store.Ping(ctx); err != nil {
		c.Log.Warn("health check failed", "error", err)
		return nil, huma.NewError(http.StatusServiceUnavailable, "The database does not answer.")
	}
	out := &healthOutput{}
	out.Body.Status = "ok"
	return out, nil
}

// amountJSON is an amount on the wire.
type amountJSON struct {
	Minor    int64  `json:"minor" doc:"in the currency's minor unit: cents of USD, yen of JPY, fils of KWD"`
	Currency string `json:"currency" doc:"ISO 4217" example:"EUR"`
	Decimal  string `json:"decimal" doc:"the same with the currency's decimals" example:"12.50"`
}

func amountOf(a money.Amount) amountJSON {
	return amountJSON{a.Minor(), a.Currency().Code(), a.Decimal()}
}

// caseJSON is one case in a list.
type caseJSON struct {
	ID             billing.CaseID       `json:"id" doc:"the invoice's id; with /2 and so on for later episodes"`
	Invoice        billing.InvoiceID    `json:"invoice"`
	Number         string               `json:"number" doc:"the invoice's number"`
	Episode        int                  `json:"episode"`
	Account        billing.AccountID    `json:"account"`
	Policy         string               `json:"policy"`
	PolicyVersion  int                  `json:"policy_version"`
	Stage          dunning.Stage        `json:"stage"`
	InvoiceState   billing.InvoiceState `json:"invoice_state"`
	Total          amountJSON           `json:"total"`
	Due            amountJSON           `json:"due"`
	DueDate        string               `json:"due_date" format:"date" doc:"local to the account"`
	TimeZone       string               `json:"time_zone"`
	Next           stepJSON             `json:"next"`
	OpenAttempt    billing.AttemptState `json:"open_attempt,omitempty" doc:"state of the attempt without a final outcome"`
	HeldUntil      *time.Time           `json:"held_until,omitempty"`
	Disputed       *amountJSON          `json:"disputed,omitempty" doc:"the part that the customer disputes: it is not collected"`
	PromisedUntil  *time.Time           `json:"promised_until,omitempty" doc:"nothing is collected until then: the customer promised to pay"`
	PostponedUntil *time.Time           `json:"postponed_until,omitempty"`
	OpenedAt       time.Time            `json:"opened_at"`
	FinishedAt     *time.Time           `json:"finished_at,omitempty"`
	Outcome        billing.InvoiceState `json:"outcome,omitempty"`
}

// stepJSON is what a case does next (dunning.Step).
type stepJSON struct {
	Do     dunning.Do `json:"do"`
	At     *time.Time `json:"at,omitempty"`
	Then   dunning.Do `json:"then,omitempty"`
	Why    string     `json:"why"`
	Round  int        `json:"round"`
	Method string     `json:"method,omitempty" doc:"masked"`
}

func caseOf(v store.CaseView) caseJSON {
	out := caseJSON{
		ID: v.ID, Invoice: v.Invoice, Number: v.Number, Episode: v.Episode, Account: v.Account, Policy: v.Policy, PolicyVersion: v.PolicyVersion,
		Stage: v.Stage, InvoiceState: v.InvoiceState, Total: amountOf(v.Total), Due: amountOf(v.Due), DueDate: v.DueDate, TimeZone: v.TimeZone,
		Next:        stepJSON{Do: v.Next.Do, At: orNil(v.Next.At), Then: v.Next.Then, Why: v.Next.Why, Round: v.Next.Round, Method: v.Next.Masked},
		OpenAttempt: v.Attempt, HeldUntil: orNil(v.HeldUntil), PostponedUntil: orNil(v.PostponedUntil), OpenedAt: v.OpenedAt.UTC(),
		FinishedAt: orNil(v.FinishedAt), Outcome: v.Outcome, PromisedUntil: orNil(v.PromisedUntil),
	}
	if v.Disputed.IsPositive() {
		part := amountOf(v.Disputed)
		out.Disputed = &part
	}
	return out
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
