package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/store"
)

// batchForm is a form that begins a batch.
type batchForm struct {
	Key, Title, Icon, Text string
	Kind                   billing.BatchKind
	Fields                 []fieldSpec // type lines is a list of invoices
}

var perMinuteField = fieldSpec{Name: "per_minute", Label: "At most a minute", Type: "number", Value: strconv.Itoa(billing.BatchPace)}
var invoicesField = fieldSpec{Name: "invoices", Label: "Invoices, one id a line", Type: "lines"}

// batchForms are the forms, in the order of the page.
func (c *console) batchForms() []batchForm {
	now := c.Now().In(c.Zone)
	at := func(name, label string, t time.Time) fieldSpec {
		return fieldSpec{Name: name, Label: label + " (" + c.Zone.String() + ")", Type: "time", Value: t.Format(localMinute)}
	}
	return []batchForm{
		{"retry_outage", "Retry after an outage", "round", "Every open case whose last attempt failed then for our or the gateway's fault gets a round at once.", billing.BatchRetry,
			[]fieldSpec{at("from", "From", now.Add(-3*time.Hour)), at("to", "To", now), {Name: "gateway", Label: "Gateway (empty: any)", Type: "text", Optional: true}, perMinuteField}},
		{"retry_now", "Retry a list", "round", "One round at once, where it may be.", billing.BatchRetry, []fieldSpec{invoicesField, perMinuteField}},
		{"hold", "Hold a list", "pause", "Attempts, notices and suspension stop until then, for at most 14 days.", billing.BatchHold,
			[]fieldSpec{invoicesField, at("until", "Until", now.AddDate(0, 0, 3).Truncate(time.Hour)), perMinuteField}},
		{"release", "Release a list", "play", "Ends the holds of these cases now.", billing.BatchRelease, []fieldSpec{invoicesField, perMinuteField}},
		{"move_policy", "Move to another version of a policy", "clock", "Every open case on the one follows the other from now on. The preview shows the dates that change.",
			billing.BatchMove, []fieldSpec{{Name: "on_policy", Label: "Cases on (NAME@VERSION)", Type: "text"}, {Name: "policy", Label: "Move to (NAME@VERSION)", Type: "text"}, perMinuteField}},
	}
}

type batchesContent struct {
	Rows        []batchRow
	More, First string
	Forms       []batchForm
	Common      resolveForms // token, request id, actor, what was typed
	Chosen      string       // key of the form that was sent
	Preview     *previewContent
}

// Value is what was typed into the form that was sent, or the field's own.
func (b batchesContent) Value(key string, f fieldSpec) string {
	if b.Chosen == key && b.Common.Values.Has(f.Name) {
		return b.Common.Values.Get(f.Name)
	}
	return f.Value
}

// Reason returns the fields that every form ends with.
func (b batchesContent) Reason(key string) reasonFields {
	r := reasonFields{Actor: b.Common.Actor, AskActor: !b.Common.ActorKnown}
	if b.Chosen == key {
		r.Reason = b.Common.Values.Get("reason")
	}
	return r
}

type batchRow struct {
	store.Batch
	Path   string
	Badge  badge
	Counts string
	At     moment
}

var batchBadges = map[billing.BatchState]badge{
	billing.BatchRunning: {"Running", "blue"}, billing.BatchPaused: {"Paused", "amber"}, billing.BatchCancelled: {"Cancelled", "grey"}, billing.BatchDone: {"Done", "green"},
}

func (c *console) batchRow(b store.Batch) batchRow {
	_, counts, _ := strings.Cut(b.Says(), ": ")
	return batchRow{Batch: b, Path: "/batches/" + string(b.ID), Badge: batchBadges[b.State], Counts: counts, At: c.moment(b.RecordedAt, c.Zone.String(), false)}
}

type previewContent struct {
	Items, Shown int
	Rows         []previewedRow
}

type previewedRow struct {
	store.PreviewedItem
	Path  string
	Badge badge
	Dates []movedRow
}

type movedRow struct {
	What    string
	Was, Is moment
}

func (c *console) batches(w http.ResponseWriter, r *http.Request) error {
	return c.renderBatches(w, r, http.StatusOK, "", nil, "", nil)
}

// renderBatches shows the list, and the forms of those that who asks may use.
func (c *console) renderBatches(w http.ResponseWriter, r *http.Request, status int, chosen string, given url.Values, problem string, p *store.BatchPreview) error {
	after := r.URL.Query().Get("after")
	page, err := c.Store.ListBatches(r.Context(), after, 0)
	if err != nil {
		return err
	}
	content := batchesContent{Chosen: chosen}
	for _, b := range page.Batches {
		content.Rows = append(content.Rows, c.batchRow(b))
	}
	if page.Next != "" {
		content.More = "/batches?after=" + url.QueryEscape(page.Next)
	}
	if after != "" {
		content.First = "/batches"
	}
	if may := offer(r); c.Batches != nil && may(access.RunBatches) {
		for _, f := range c.batchForms() {
			if may(batchAction(f.Kind)) {
				content.Forms = append(content.Forms, f)
			}
		}
	}
	content.Common = resolveForms{Token: c.formToken(w, r), RequestID: "console-" + rand.Text(), Problem: problem, Values: given, SignIn: c.signInAgain()}
	if id := given.Get("request_id"); id != "" {
		content.Common.RequestID = id
	}
	content.Common.Actor, content.Common.ActorKnown = c.actor(r)
	if name := given.Get("actor"); name != "" && !content.Common.ActorKnown {
		content.Common.Actor = name
	}
	if p != nil {
		content.Preview = c.previewOf(*p)
	}
	c.render(w, r, status, "batches.html", view{Title: "Batches", Nav: "batches", Content: content})
	return nil
}

var itemBadges = map[billing.ItemState]badge{
	billing.ItemDone: {"Done", "green"}, billing.ItemWaiting: {"Waiting", "blue"}, billing.ItemProposed: {"Second person", "violet"}, billing.ItemRefused: {"Refused", "amber"},
	billing.ItemNotThere: {"Not there", "grey"}, billing.ItemFailed: {"Failed", "red"}, billing.ItemLeftOut: {"Left out", "grey"},
}

func (c *console) previewOf(p store.BatchPreview) *previewContent {
	out := &previewContent{Items: p.Items, Shown: len(p.Rows)}
	for _, item := range p.Rows {
		row := previewedRow{PreviewedItem: item, Path: casePath(item.Case), Badge: itemBadges[item.State]}
		if item.State == billing.ItemDone {
			row.Badge.Text = "Would be done"
		}
		for _, d := range item.Dates {
			row.Dates = append(row.Dates, movedRow{movedWords(d), c.moment(d.Was, c.Zone.String(), false), c.moment(d.Is, c.Zone.String(), false)})
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

func movedWords(d dunning.MovedDate) string {
	if d.Round > 0 {
		return "Round " + strconv.Itoa(d.Round)
	}
	return sentence(string(d.Do))
}

// startBatch takes a form: it shows what would happen, or records the batch.
func (c *console) startBatch(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v. A long list goes through recoup batch.", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	key := r.PostForm.Get("form")
	preview := r.PostForm.Get("do") != "start"
	o, err := c.readBatch(r, key)
	if err == nil {
		err = c.mayBatch(r.Context(), o.Kind)
	}
	var p store.BatchPreview
	var b store.Batch
	switch {
	case err != nil:
	case preview:
		p, err = c.previewBatch(r.Context(), o, 0, previewShown)
	default:
		b, _, err = c.Batches.RecordBatch(r.Context(), o)
	}
	var refusal *billing.Refusal
	switch f, isForbidden := asForbidden(err); {
	case isForbidden && f.verdict == access.SignInAgain:
		return c.renderBatches(w, r, f.status(), key, r.PostForm, f.Error()+" Sign in again in another tab, then send this form again.", nil)
	case errors.As(err, &refusal):
		return c.renderBatches(w, r, problemOf(err).status, key, r.PostForm, refusal.Error(), nil)
	case err != nil:
		return err
	case preview:
		return c.renderBatches(w, r, http.StatusOK, key, r.PostForm, "", &p)
	}
	c.keepActor(w, r, o.Actor)
	http.Redirect(w, r, "/batches/"+string(b.ID), http.StatusSeeOther)
	return nil
}

// readBatch reads what was typed into one of the forms.
func (c *console) readBatch(r *http.Request, key string) (store.BatchOrder, error) {
	v := r.PostForm
	o := store.BatchOrder{Order: store.Order{Actor: strings.TrimSpace(v.Get("actor")), Reason: strings.TrimSpace(v.Get("reason")), RequestID: v.Get("request_id")}}
	if name, known := c.actor(r); known {
		o.Actor = name
	}
	for _, f := range c.batchForms() {
		if f.Key == key {
			o.Kind = f.Kind
		}
	}
	if o.Kind == "" {
		return o, billing.Refuse(billing.RefusedInvalid, "form", "There is no such form.")
	}
	var err error
	if text := v.Get("per_minute"); text != "" {
		if o.PerMinute, err = strconv.Atoi(text); err != nil {
			return o, billing.Refuse(billing.RefusedInvalid, "per_minute", "%q is no whole number.", text)
		}
	}
	at := func(field string) (t time.Time) {
		if err == nil {
			if t, err = time.ParseInLocation(localMinute, v.Get(field), c.Zone); err != nil {
				err = billing.Refuse(billing.RefusedInvalid, field, "Give a date and a time, such as 2026-11-30T09:00.")
			}
		}
		return t
	}
	switch key {
	case "retry_outage":
		o.Of.Outage = &store.OutageWindow{From: at("from").UTC(), To: at("to").UTC(), Gateway: strings.TrimSpace(v.Get("gateway"))}
		return o, err
	case "move_policy":
		of, err := readPolicyVersion("on_policy", v.Get("on_policy"))
		if err != nil {
			return o, err
		}
		to, err := readPolicyVersion("policy", v.Get("policy"))
		o.Of.OnPolicy, o.Policy, o.Version = &of, to.Name, to.Version
		return o, err
	case "hold":
		o.Until = at("until").UTC()
	}
	if err != nil {
		return o, err
	}
	o.Of.Invoices, err = billing.ReadInvoiceList(strings.NewReader(v.Get("invoices")))
	return o, err
}
