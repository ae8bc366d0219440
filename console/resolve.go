package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// Resolver carries out what a person decided, in one transaction; the store is one. A *billing.Refusal is shown beside the field it
// names. The same request id again returns the first answer (R2).
type Resolver interface {
	Resolve(ctx context.Context, r billing.Resolution) (billing.ResolutionAnswer, error)
}

// Longest texts a person may give, in characters.
const (
	reasonMax    = 500
	referenceMax = 100
	actorMax     = 100
)

const actorCookie = "recoup_actor"

// actor is who decides: as they signed in, or on an open console as the person said last.
func (c *console) actor(r *http.Request) (name string, known bool) {
	if p := principalOf(r.Context()); p != nil && p.Name != "" {
		return p.Name, true
	}
	cookie, err := r.Cookie(actorCookie)
	if err != nil {
		return "", false
	}
	name, err = url.QueryUnescape(cookie.Value)
	if err != nil {
		return "", false
	}
	return name, false
}

func zoneOf(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

// resolve takes a form: on success the browser is sent back to the case, so that reloading sends nothing again; a refusal shows the
// page with what was typed.
func (c *console) resolve(w http.ResponseWriter, r *http.Request) error {
	id, err := caseIDOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	d, err := c.Store.FindCase(r.Context(), id)
	if err != nil {
		return err
	}
	var resolution billing.Resolution
	if err = c.mayBegin(r, d.Account); err == nil {
		resolution, err = c.readForm(r, d)
	}
	if err == nil {
		err = c.mayDecide(r.Context(), resolution, d.Account)
	}
	if err == nil {
		_, err = c.Resolver.Resolve(r.Context(), resolution)
	}
	var refusal *billing.Refusal
	switch f, isForbidden := asForbidden(err); {
	case isForbidden && f.verdict == access.SignInAgain:
		return c.refuseForm(w, r, d, &billing.Refusal{Code: billing.RefusedNotNow, Message: f.Error(), Field: fieldSignIn})
	case errors.As(err, &refusal):
		return c.refuseForm(w, r, d, refusal)
	case err != nil:
		return err
	}
	if _, known := c.actor(r); !known {
		http.SetCookie(w, &http.Cookie{Name: actorCookie, Value: url.QueryEscape(resolution.Actor), Path: "/", HttpOnly: true,
			SameSite: http.SameSiteStrictMode, MaxAge: 90 * 24 * 3600, Secure: strings.HasPrefix(c.URL, "https:")})
	}
	http.Redirect(w, r, casePath(id)+"?done="+url.QueryEscape(resolution.RequestID)+"#done", http.StatusSeeOther)
	return nil
}

// fieldSignIn marks a refusal that a fresh sign-in would lift: the form shows the link.
const fieldSignIn = "sign_in"

// refuseForm shows the case again with the refused form open.
func (c *console) refuseForm(w http.ResponseWriter, r *http.Request, d store.CaseDetail, refusal *billing.Refusal) error {
	content := c.caseContent(d)
	content.Forms = c.forms(w, r, d)
	content.Forms.refuse(r.PostForm, refusal)
	return c.renderCase(w, r, problemOf(refusal).status, content)
}

// readForm checks what a form alone can show to be wrong; everything else is the Resolver's.
func (c *console) readForm(r *http.Request, d store.CaseDetail) (billing.Resolution, error) {
	f := r.PostForm
	out := billing.Resolution{Kind: billing.ResolutionKind(f.Get("kind")), Case: d.ID, RequestID: f.Get("request_id"), Method: billing.MethodID(f.Get("method"))}
	out.Actor = strings.TrimSpace(f.Get("actor"))
	if name, known := c.actor(r); known {
		out.Actor = name
	}
	var err error
	if out.Actor, err = checkText("actor", "who decides", out.Actor, actorMax); err != nil {
		return out, err
	}
	if out.Reason, err = checkText("reason", "the reason", f.Get("reason"), reasonMax); err != nil {
		return out, err
	}
	if f.Get("confirms") != "" {
		return c.readFields(out, f, d.Total.Currency(), d.TimeZone)
	}
	switch out.Kind {
	case billing.RetryNow, billing.Release:
	case billing.PromiseToPay, billing.Dispute, billing.EndDispute, billing.Extend, billing.GrantCredit, billing.WriteOffInvoice, billing.VoidInvoice,
		billing.ResolveUnknown, billing.Reverse:
		return c.readFields(out, f, d.Total.Currency(), d.TimeZone)
	case billing.Hold:
		out.Until, err = time.ParseInLocation(localMinute, f.Get("until"), zoneOf(d.TimeZone))
		if err != nil {
			return out, billing.Refuse(billing.RefusedInvalid, "until", "Give a date and a time, such as 2026-11-30T09:00.")
		}
		if !out.Until.After(c.Now()) {
			return out, billing.Refuse(billing.RefusedInvalid, "until", "A hold must end in the future.")
		}
		out.Scope = f["scope"]
		if len(out.Scope) == 0 {
			return out, billing.Refuse(billing.RefusedInvalid, "scope", "Choose what the hold stops.")
		}
	case billing.PaidOutOfBand:
		return c.readPayment(out, f, d)
	default:
		return out, billing.Refuse(billing.RefusedInvalid, "kind", "There is no decision %q here.", string(out.Kind))
	}
	return out, nil
}

func (c *console) readPayment(out billing.Resolution, f url.Values, d store.CaseDetail) (billing.Resolution, error) {
	amount, err := readAmount(f.Get("amount"), d.Total.Currency())
	if err != nil {
		return out, err
	}
	out.Amount = &amount
	if out.Reference, err = checkText("reference", "the reference", f.Get("reference"), referenceMax); err != nil {
		return out, err
	}
	day, err := time.Parse(time.DateOnly, f.Get("received_on"))
	if err != nil {
		return out, billing.Refuse(billing.RefusedInvalid, "received_on", "Give the day the money arrived, such as 2026-11-30.")
	}
	out.ReceivedOn = day.Format(time.DateOnly)
	if out.ReceivedOn > c.Now().In(zoneOf(d.TimeZone)).Format(time.DateOnly) {
		return out, billing.Refuse(billing.RefusedInvalid, "received_on", "That day has not come yet.")
	}
	return out, nil
}

func checkText(field, what, text string, longest int) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return text, billing.Refuse(billing.RefusedInvalid, field, "Say %s.", what)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return text, billing.Refuse(billing.RefusedInvalid, field, "This text has characters that can't be kept.")
	case utf8.RuneCountInString(text) > longest:
		return text, billing.Refuse(billing.RefusedInvalid, field, "At most %d characters, please.", longest)
	case billing.LooksLikeCardNumber(text):
		return text, billing.Refuse(billing.RefusedInvalid, field, "This looks like a card number, which must never be kept here.")
	}
	return text, nil
}

// doneNote tells that a decision was recorded; it is read from the case's own records, so an address can't make it say anything else.
type doneNote struct {
	Title, Text, Next string
}

func doneNoteOf(decided []store.ResolutionView, requestID string) *doneNote {
	if requestID == "" {
		return nil
	}
	for _, r := range decided {
		if r.RequestID != requestID {
			continue
		}
		note := &doneNote{Title: "Recorded: " + strings.ToLower(sentence(r.Kind)), Text: r.Reason}
		var answer billing.ResolutionAnswer
		if json.Unmarshal(r.Answer, &answer) == nil && answer.Changed != "" {
			note.Text, note.Next = nameMethods(sentence(answer.Changed)), nameMethods(sentence(answer.Next))
		}
		return note
	}
	return nil
}
