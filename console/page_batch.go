package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

type batchContent struct {
	batchRow
	Does, Of  string
	Ended     moment
	Parts     []batchPart
	Share     int // of the items that have an outcome, in per cent
	Items     []batchItemRow
	Outcome   billing.ItemState // only these are shown; "" for all
	All       string            // link to all of them
	More      string
	First     string
	CSV, JSON string
	Temporal  string
	Acts      []batchAct
	Common    resolveForms
}

// batchPart is one outcome's part of the bar.
type batchPart struct {
	Text, Tone   string
	Start, Width string // of 100
	N            int
	Link         string
	Current      bool
}

type batchItemRow struct {
	store.BatchItem
	Path  string
	Badge badge
	At    moment
}

type batchAct struct{ Act, Title, Icon, Text, Button string }

// batchItemsShown is how many items are on a page.
const batchItemsShown = 100

func (c *console) showBatch(w http.ResponseWriter, r *http.Request) error {
	return c.renderBatch(w, r, http.StatusOK, nil, "")
}

func (c *console) renderBatch(w http.ResponseWriter, r *http.Request, status int, given url.Values, problem string) error {
	id := billing.BatchID(r.PathValue("batch"))
	b, err := c.Store.FindBatch(r.Context(), id)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	content := batchContent{batchRow: c.batchRow(b), Does: doesOf(b.Order, c.Zone), Of: b.Order.Of.Says(), Ended: c.moment(b.EndedAt, c.Zone.String(), false),
		Outcome: billing.ItemState(q.Get("outcome")), CSV: "/api/batches/" + string(id) + "/report.csv", JSON: "/api/batches/" + string(id) + "/report.json"}
	if content.Outcome != "" && !slices.Contains(billing.ItemStates(), content.Outcome) {
		return billing.Refuse(billing.RefusedInvalid, "outcome", "There is no outcome %q.", string(content.Outcome))
	}
	after, _ := strconv.Atoi(q.Get("after"))
	items, err := c.Store.BatchItems(r.Context(), id, content.Outcome, max(after, 0), batchItemsShown+1)
	if err != nil {
		return err
	}
	link := func(outcome billing.ItemState, after int) string {
		v := url.Values{}
		if outcome != "" {
			v.Set("outcome", string(outcome))
		}
		if after > 0 {
			v.Set("after", strconv.Itoa(after))
		}
		return strings.TrimSuffix(content.Path+"?"+v.Encode(), "?")
	}
	if len(items) > batchItemsShown {
		items = items[:batchItemsShown]
		content.More = link(content.Outcome, items[batchItemsShown-1].Number)
	}
	if after > 0 {
		content.First = link(content.Outcome, 0)
	}
	content.All = link("", 0)
	for _, t := range items {
		content.Items = append(content.Items, batchItemRow{t, casePath(t.Case), itemBadges[t.State], c.moment(t.EndedAt, c.Zone.String(), false)})
	}
	content.Parts = partsOf(b, content.Outcome, link)
	content.Share = (b.Items - b.Waiting()) * 100 / b.Items
	if c.TemporalUI != "" {
		content.Temporal = strings.TrimSuffix(c.TemporalUI, "/") + "/namespaces/" + url.PathEscape(c.Namespace) + "/workflows/batch-" + url.PathEscape(string(id))
	}
	content.Acts = c.actsOn(r, b)
	content.Common = resolveForms{Token: c.formToken(w, r), RequestID: "console-" + rand.Text(), Problem: problem, Values: given}
	content.Common.Actor, content.Common.ActorKnown = c.actor(r)
	c.render(w, r, status, "batch.html", view{Title: "Batch " + string(id), Nav: "batches", Watch: "batch-" + string(id), Content: content,
		Summary: fmt.Sprintf("%s, %d of %d", b.State, b.Items-b.Waiting(), b.Items)})
	return nil
}

// Reason returns the fields that every form ends with.
func (b batchContent) Reason() reasonFields {
	return reasonFields{Reason: b.Common.Values.Get("reason"), Actor: b.Common.Actor, AskActor: !b.Common.ActorKnown}
}

func doesOf(o store.BatchOrder, zone *time.Location) string {
	switch o.Kind {
	case billing.BatchHold:
		text := "Hold until " + o.Until.In(zone).Format("2 Jan 2006, 15:04 MST")
		if len(o.Scope) > 0 {
			text += ": " + strings.Join(o.Scope, ", ")
		}
		return text
	case billing.BatchMove:
		return "Move to " + store.PolicyVersion{Name: o.Policy, Version: o.Version}.String()
	case billing.BatchRetry, billing.BatchRelease:
	}
	return sentence(string(o.Kind))
}

// partsOf divides the bar by outcome.
func partsOf(b store.Batch, current billing.ItemState, link func(billing.ItemState, int) string) []batchPart {
	var parts []batchPart
	start := 0.0
	for _, state := range billing.ItemStates() {
		n := b.Counts[state]
		if n == 0 {
			continue
		}
		width := float64(n) * 100 / float64(b.Items)
		badge := itemBadges[state]
		tone := map[billing.ItemState]string{billing.ItemWaiting: "open", billing.ItemFailed: "rust"}[state]
		if tone == "" {
			tone = badge.Tone
		}
		parts = append(parts, batchPart{badge.Text, tone, fmt.Sprintf("%.2f", start), fmt.Sprintf("%.2f", width), n, link(state, 0), state == current})
		start += width
	}
	return parts
}

// actsOn are the forms that who looks may use.
func (c *console) actsOn(r *http.Request, b store.Batch) []batchAct {
	may := offer(r)
	if c.Batches == nil || b.State.Ended() || !may(access.RunBatches) {
		return nil
	}
	acts := []batchAct{{actPause, "Pause", "pause", "Nothing more is carried out until it goes on.", "Pause"}}
	if b.State == billing.BatchPaused {
		acts = nil
		if may(batchAction(b.Kind)) {
			acts = []batchAct{{actResume, "Go on", "play", "The items that wait are carried out.", "Go on"}}
		}
	}
	return append(acts, batchAct{actCancel, "Cancel", "flag", "What was done stays done; the rest is left out.", "Cancel the batch"})
}

// takeBatchForm pauses, resumes or cancels a batch, and sends the browser back to it.
func (c *console) takeBatchForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	o := store.Order{Actor: strings.TrimSpace(r.PostForm.Get("actor")), Reason: strings.TrimSpace(r.PostForm.Get("reason")), RequestID: r.PostForm.Get("request_id")}
	if name, known := c.actor(r); known {
		o.Actor = name
	}
	b, err := c.moveBatch(r.Context(), r.PathValue("act"), billing.BatchID(r.PathValue("batch")), o)
	var refusal *billing.Refusal
	switch f, isForbidden := asForbidden(err); {
	case isForbidden && f.verdict == access.SignInAgain:
		return c.renderBatch(w, r, f.status(), r.PostForm, f.Error()+" Sign in again in another tab, then send this form again.")
	case errors.As(err, &refusal) && refusal.Code != billing.RefusedNotFound:
		return c.renderBatch(w, r, problemOf(err).status, r.PostForm, refusal.Error())
	case err != nil:
		return err
	}
	c.keepActor(w, r, o.Actor)
	http.Redirect(w, r, "/batches/"+string(b.ID), http.StatusSeeOther)
	return nil
}

// keepActor remembers the name that somebody gave on an open console.
func (c *console) keepActor(w http.ResponseWriter, r *http.Request, name string) {
	if _, known := c.actor(r); known {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: actorCookie, Value: url.QueryEscape(name), Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: 90 * 24 * 3600, Secure: strings.HasPrefix(c.URL, "https:")})
}
