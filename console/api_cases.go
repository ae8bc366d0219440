package console

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

type casesInput struct {
	Stage    string `query:"stage" doc:"one stage; without it the open cases, or all that a search finds"`
	Overlay  string `query:"overlay" doc:"held, unknown, pending, customer, disputed, promised or suspended"`
	Currency string `query:"currency" maxLength:"3" doc:"ISO 4217"`
	Search   string `query:"q" maxLength:"100" doc:"part of an invoice's id or number, or of an account's id or name"`
	After    string `query:"after" maxLength:"400" doc:"next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type casesOutput struct {
	Body struct {
		Cases []caseJSON `json:"cases"`
		Next  string     `json:"next,omitempty" doc:"give it as after for the next page; absent on the last one"`
	}
}

func (c *console) apiCases(ctx context.Context, in *casesInput) (*casesOutput, error) {
	page, err := c.Store.ListCases(ctx, store.CaseFilter{
		Stage: dunning.Stage(in.Stage), Overlay: store.CaseOverlay(in.Overlay), Currency: in.Currency, Search: in.Search, After: in.After, Limit: in.Limit,
	})
	if err != nil {
		return nil, c.apiError("list cases", err)
	}
	out := &casesOutput{}
	out.Body.Next, out.Body.Cases = page.Next, []caseJSON{}
	for _, v := range page.Cases {
		out.Body.Cases = append(out.Body.Cases, caseOf(v))
	}
	return out, nil
}

type caseInput struct {
	ID string `path:"id" maxLength:"64" doc:"the invoice's id"`
}

type episodeInput struct {
	ID      string `path:"id" maxLength:"64" doc:"the invoice's id"`
	Episode int    `path:"episode" minimum:"1" maximum:"1000000"`
}

type caseOutput struct{ Body caseDetailJSON }

// caseDetailJSON is one case with what happened to it.
type caseDetailJSON struct {
	caseJSON
	Sources     []sourceJSON     `json:"sources" doc:"what paid the invoice, in order"`
	Attempts    []attemptJSON    `json:"attempts"`
	Events      []eventJSON      `json:"events" doc:"oldest first"`
	Resolutions []resolutionJSON `json:"resolutions"`
}

type sourceJSON struct {
	Kind   billing.PostingKind `json:"kind"`
	Amount amountJSON          `json:"amount" doc:"negative when taken back"`
	At     time.Time           `json:"at"`
}

type attemptJSON struct {
	ID          billing.AttemptID    `json:"id" doc:"also the gateway's idempotency key"`
	Method      billing.MethodID     `json:"method"`
	Masked      string               `json:"masked"`
	Round       int                  `json:"round"`
	Position    int                  `json:"position"`
	State       billing.AttemptState `json:"state"`
	Amount      amountJSON           `json:"amount"`
	Class       string               `json:"class,omitempty"`
	DeclineCode string               `json:"decline_code,omitempty"`
	AdviceCode  string               `json:"advice_code,omitempty"`
	Reference   string               `json:"reference,omitempty" doc:"the gateway's"`
	CreatedAt   time.Time            `json:"created_at"`
	EndedAt     *time.Time           `json:"ended_at,omitempty"`
}

type eventJSON struct {
	At   time.Time      `json:"at"`
	Kind string         `json:"kind"`
	Data map[string]any `json:"data,omitempty"`
}

type resolutionJSON struct {
	RequestID string    `json:"request_id"`
	Kind      string    `json:"kind"`
	Actor     string    `json:"actor"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
}

func (c *console) apiCase(ctx context.Context, in *caseInput) (*caseOutput, error) {
	return c.apiCaseByID(ctx, billing.CaseID(in.ID))
}

func (c *console) apiEpisode(ctx context.Context, in *episodeInput) (*caseOutput, error) {
	if in.Episode == 1 {
		return c.apiCaseByID(ctx, billing.CaseID(in.ID))
	}
	return c.apiCaseByID(ctx, billing.CaseID(in.ID+"/"+strconv.Itoa(in.Episode)))
}

func (c *console) apiCaseByID(ctx context.Context, id billing.CaseID) (*caseOutput, error) {
	d, err := c.Store.FindCase(ctx, id)
	if err != nil {
		return nil, c.apiError("get case", err)
	}
	body := caseDetailJSON{caseJSON: caseOf(d.CaseView), Sources: []sourceJSON{}, Attempts: []attemptJSON{}, Events: []eventJSON{}, Resolutions: []resolutionJSON{}}
	for _, b := range d.Bookings {
		if b.Kind != string(billing.PostInvoiceIssued) {
			body.Sources = append(body.Sources, sourceJSON{billing.PostingKind(b.Kind), amountOf(b.Amount), b.At.UTC()})
		}
	}
	for _, a := range d.Attempts {
		body.Attempts = append(body.Attempts, attemptJSON{
			ID: a.ID, Method: a.Method, Masked: a.Masked, Round: a.Round, Position: a.Position, State: a.State, Amount: amountOf(a.Amount),
			Class: a.Class, DeclineCode: a.DeclineCode, AdviceCode: a.AdviceCode, Reference: a.Reference, CreatedAt: a.CreatedAt.UTC(), EndedAt: orNil(a.EndedAt),
		})
	}
	for n := len(d.Events) - 1; n >= 0; n-- {
		e := eventJSON{At: d.Events[n].At.UTC(), Kind: d.Events[n].Kind}
		if err := json.Unmarshal(d.Events[n].Data, &e.Data); err != nil {
			return nil, c.apiError("get case", err)
		}
		body.Events = append(body.Events, e)
	}
	for _, r := range d.Resolutions {
		body.Resolutions = append(body.Resolutions, resolutionJSON{r.RequestID, r.Kind, r.Actor, r.Reason, r.At.UTC()})
	}
	return &caseOutput{body}, nil
}
