package console

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// addBatchAPI puts the endpoints for acts over many cases on the API; without a BatchRunner they only read.
func (c *console) addBatchAPI(api huma.API) {
	const tag = "Batches"
	huma.Get(api, "/api/batches", c.apiBatches, describe("list-batches", "List batches, the newest first", tag), wants(access.ReadCases))
	huma.Get(api, "/api/batches/{id}", c.apiBatch, describe("get-batch", "How far a batch is", tag), wants(access.ReadCases))
	huma.Get(api, "/api/batches/{id}/items", c.apiBatchItems, describe("list-batch-items", "What became of a batch's items", tag), wants(access.ReadCases))
	huma.Get(api, "/api/batches/{id}/report.csv", c.apiReport(store.ReportCSV), describe("batch-report-csv", "What became of every item, as CSV", tag),
		wants(access.ReadCases))
	huma.Get(api, "/api/batches/{id}/report.json", c.apiReport(store.ReportJSON), describe("batch-report-json", "What became of every item, as JSON", tag),
		wants(access.ReadCases))
	if c.Batches == nil {
		return
	}
	huma.Post(api, "/api/batches/preview", c.apiPreviewBatch, describe("preview-batch", "Say what each item would do; writes nothing", tag),
		wants(access.RunBatches))
	huma.Post(api, "/api/batches", c.apiRecordBatch, describe("record-batch", "Act on many cases", tag), wants(access.RunBatches))
	for act, what := range map[string]string{actPause: "Carry nothing more out for now", actResume: "Let a paused batch go on",
		actCancel: "End a batch: what was done stays done"} {
		huma.Post(api, "/api/batches/{id}/"+act, c.apiMoveBatch(act), describe(act+"-batch", what, tag), wants(access.RunBatches))
	}
}

// batchError is an error of what is asked by kind: who may not gets 403 with what they lack.
func (c *console) batchError(what string, err error) error {
	if f, is := asForbidden(err); is {
		return huma.NewError(f.status(), f.Error())
	}
	return c.apiError(what, err)
}

type batchesInput struct {
	After string `query:"after" maxLength:"400" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type batchesOutput struct {
	Body struct {
		Batches []store.BatchSummary `json:"batches"`
		Next    string               `json:"next,omitempty"`
	}
}

func (c *console) apiBatches(ctx context.Context, in *batchesInput) (*batchesOutput, error) {
	page, err := c.Store.ListBatches(ctx, in.After, in.Limit)
	if err != nil {
		return nil, c.apiError("list batches", err)
	}
	out := &batchesOutput{}
	out.Body.Batches, out.Body.Next = []store.BatchSummary{}, page.Next
	for _, b := range page.Batches {
		out.Body.Batches = append(out.Body.Batches, b.Summary())
	}
	return out, nil
}

type batchInput struct {
	ID string `path:"id" maxLength:"64"`
}

type batchOutput struct{ Body store.BatchSummary }

func (c *console) apiBatch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	b, err := c.Store.FindBatch(ctx, billing.BatchID(in.ID))
	if err != nil {
		return nil, c.apiError("get batch", err)
	}
	return &batchOutput{b.Summary()}, nil
}

type batchItemsInput struct {
	ID      string `path:"id" maxLength:"64"`
	Outcome string `query:"outcome" enum:"waiting,done,proposed,refused,not_there,failed,left_out"`
	After   int    `query:"after" minimum:"0" doc:"the number of the last item of the page before"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

type batchItemsOutput struct {
	Body struct {
		Items []store.BatchLine `json:"items"`
	}
}

func (c *console) apiBatchItems(ctx context.Context, in *batchItemsInput) (*batchItemsOutput, error) {
	if _, err := c.Store.FindBatch(ctx, billing.BatchID(in.ID)); err != nil {
		return nil, c.apiError("list batch items", err)
	}
	items, err := c.Store.BatchItems(ctx, billing.BatchID(in.ID), billing.ItemState(in.Outcome), in.After, in.Limit)
	if err != nil {
		return nil, c.apiError("list batch items", err)
	}
	out := &batchItemsOutput{}
	out.Body.Items = []store.BatchLine{}
	for _, t := range items {
		out.Body.Items = append(out.Body.Items, t.Line())
	}
	return out, nil
}

var reportTypes = map[string]string{store.ReportCSV: "text/csv; charset=utf-8", store.ReportJSON: "application/json"}

type reportOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// apiReport answers a whole report: a batch is bounded, and half a file is worse than an error.
func (c *console) apiReport(format string) func(context.Context, *batchInput) (*reportOutput, error) {
	return func(ctx context.Context, in *batchInput) (*reportOutput, error) {
		var body bytes.Buffer
		if err := c.Store.WriteBatchReport(ctx, billing.BatchID(in.ID), format, &body); err != nil {
			return nil, c.apiError("report of batch", err)
		}
		return &reportOutput{reportTypes[format], `attachment; filename="batch-` + in.ID + "." + format + `"`, body.Bytes()}, nil
	}
}

type batchBody struct {
	Kind      billing.BatchKind `json:"kind" enum:"retry_now,hold,release,move_policy"`
	Reason    string            `json:"reason,omitempty" maxLength:"500" doc:"why; may be left out of a preview only"`
	Actor     string            `json:"actor,omitempty" maxLength:"100" doc:"who acts, where nobody signs in; ignored elsewhere"`
	PerMinute int               `json:"per_minute,omitempty" minimum:"1" maximum:"6000" doc:"at most so many items a minute; 60 unless given"`
	Until     *time.Time        `json:"until,omitempty" doc:"hold: its end"`
	Scope     []string          `json:"scope,omitempty" maxItems:"3" doc:"hold: attempts, notices, suspension; none: all"`
	Policy    string            `json:"policy,omitempty" maxLength:"48" doc:"move_policy: NAME@VERSION, or NAME for the newest" example:"standard@2"`
	Invoices  []string          `json:"invoices,omitempty" maxItems:"20000" doc:"choose by id; a longer list than a request may hold: recoup batch"`
	Outage    *struct {
		From    time.Time `json:"from"`
		To      time.Time `json:"to" doc:"exclusive"`
		Gateway string    `json:"gateway,omitempty" maxLength:"40"`
	} `json:"outage,omitempty" doc:"or open cases whose last attempt ended then for our or the gateway's fault"`
	OnPolicy string `json:"on_policy,omitempty" maxLength:"48" doc:"or open cases that follow NAME@VERSION" example:"standard@1"`
}

// order reads what was sent; key is the request id.
func (b batchBody) order(ctx context.Context, key string) (store.BatchOrder, error) {
	o := store.BatchOrder{Order: store.Order{Actor: b.Actor, Reason: b.Reason, RequestID: key}, Kind: b.Kind, Scope: b.Scope, PerMinute: b.PerMinute}
	if p := principalOf(ctx); p != nil && p.Name != "" {
		o.Actor = p.Name
	}
	if b.Until != nil {
		o.Until = b.Until.UTC()
	}
	if b.Policy != "" {
		to, err := readPolicyVersion("policy", b.Policy)
		if err != nil {
			return o, err
		}
		o.Policy, o.Version = to.Name, to.Version
	}
	var err error
	if o.Of.Invoices, err = billing.ReadInvoiceList(strings.NewReader(strings.Join(b.Invoices, "\n"))); err != nil {
		return o, err
	}
	if b.Outage != nil {
		o.Of.Outage = &store.OutageWindow{From: b.Outage.From.UTC(), To: b.Outage.To.UTC(), Gateway: b.Outage.Gateway}
	}
	if b.OnPolicy != "" {
		of, err := readPolicyVersion("on_policy", b.OnPolicy)
		if err != nil {
			return o, err
		}
		o.Of.OnPolicy = &of
	}
	return o, nil
}

type previewBatchInput struct {
	After int `query:"after" minimum:"0" doc:"the number of the last item of the page before"`
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"100"`
	Body  batchBody
}

type previewBatchOutput struct {
	Body struct {
		Items    int                 `json:"items" doc:"of the whole batch"`
		Previews []previewedItemJSON `json:"previews"`
	}
}

type previewedItemJSON struct {
	Number  int               `json:"number"`
	Invoice billing.InvoiceID `json:"invoice"`
	Case    billing.CaseID    `json:"case,omitempty"`
	Outcome billing.ItemState `json:"outcome" doc:"what would become of it: done, proposed, refused or not_there"`
	Says    string            `json:"says"`
	Next    string            `json:"next,omitempty"`
	Dates   []movedDateJSON   `json:"dates,omitempty" doc:"that a move changes"`
}

type movedDateJSON struct {
	Do    dunning.Do `json:"do"`
	Round int        `json:"round,omitempty"`
	Was   *time.Time `json:"was,omitempty"`
	Is    *time.Time `json:"is,omitempty"`
}

func (c *console) apiPreviewBatch(ctx context.Context, in *previewBatchInput) (*previewBatchOutput, error) {
	if err := c.mayBatch(ctx, in.Body.Kind); err != nil {
		return nil, c.batchError("preview batch", err)
	}
	o, err := in.Body.order(ctx, "preview")
	if err != nil {
		return nil, c.apiError("preview batch", err)
	}
	p, err := c.previewBatch(ctx, o, in.After, in.Limit)
	if err != nil {
		return nil, c.apiError("preview batch", err)
	}
	out := &previewBatchOutput{}
	out.Body.Items, out.Body.Previews = p.Items, []previewedItemJSON{}
	for _, r := range p.Rows {
		row := previewedItemJSON{Number: r.Number, Invoice: r.Invoice, Case: r.Case, Outcome: r.State, Says: r.Says, Next: r.Next}
		for _, d := range r.Dates {
			row.Dates = append(row.Dates, movedDateJSON{d.Do, d.Round, orNil(d.Was), orNil(d.Is)})
		}
		out.Body.Previews = append(out.Body.Previews, row)
	}
	return out, nil
}

type recordBatchInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"the request id: the same one returns the first batch"`
	Body batchBody
}

func (c *console) apiRecordBatch(ctx context.Context, in *recordBatchInput) (*batchOutput, error) {
	if err := c.mayBatch(ctx, in.Body.Kind); err != nil {
		return nil, c.batchError("record batch", err)
	}
	o, err := in.Body.order(ctx, in.Key)
	if err != nil {
		return nil, c.apiError("record batch", err)
	}
	b, _, err := c.Batches.RecordBatch(ctx, o)
	if err != nil {
		return nil, c.apiError("record batch", err)
	}
	return &batchOutput{b.Summary()}, nil
}

type moveBatchInput struct {
	Key  string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"128" doc:"names the order in the audit log; again it changes nothing"`
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"500"`
		Actor  string `json:"actor,omitempty" maxLength:"100" doc:"who acts, where nobody signs in; ignored elsewhere"`
	}
}

func (c *console) apiMoveBatch(act string) func(context.Context, *moveBatchInput) (*batchOutput, error) {
	return func(ctx context.Context, in *moveBatchInput) (*batchOutput, error) {
		o := store.Order{Actor: in.Body.Actor, Reason: in.Body.Reason, RequestID: in.Key}
		if p := principalOf(ctx); p != nil && p.Name != "" {
			o.Actor = p.Name
		}
		b, err := c.moveBatch(ctx, act, billing.BatchID(in.ID), o)
		if err != nil {
			return nil, c.batchError(act+" batch", err)
		}
		return &batchOutput{b.Summary()}, nil
	}
}
