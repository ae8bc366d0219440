package console

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"recoup/access"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// mayDecide asks the table about a decision: confirming and overriding are permissions of their own.
func (c *console) mayDecide(ctx context.Context, d billing.Resolution, account billing.AccountID) error {
	wanted := []access.Action{access.Resolve(d.Kind)}
	if d.Confirms != "" {
		wanted = []access.Action{access.ConfirmDecision}
	}
	if d.Override {
		wanted = append(wanted, access.OverrideLimit)
	}
	for _, action := range wanted {
		if err := c.may(ctx, action, account); err != nil {
			return err
		}
	}
	return nil
}

// accountForms returns what the forms of an account's page need; nil when the page is read-only.
func (c *console) accountForms(w http.ResponseWriter, r *http.Request, d store.AccountDetail) *resolveForms {
	if c.Resolver == nil {
		return nil
	}
	f := &resolveForms{Action: "/accounts/" + url.PathEscape(string(d.ID)) + "/resolve", Token: c.formToken(w, r), RequestID: "console-" + rand.Text(), Zone: d.TimeZone,
		specs: accountSpecs(d, c.Now().In(zoneOf(d.TimeZone)))}
	f.Actor, f.ActorKnown = c.actor(r)
	return f
}

// resolveAccount takes a form of an account's page, as resolve takes one of a case's.
func (c *console) resolveAccount(w http.ResponseWriter, r *http.Request) error {
	id := billing.AccountID(r.PathValue("account"))
	if billing.CheckID(string(id)) != nil {
		return billing.Refuse(billing.RefusedNotFound, "", "There is no such account.")
	}
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	d, err := c.Store.FindAccount(r.Context(), id)
	if err != nil {
		return err
	}
	out := billing.Resolution{Kind: billing.ResolutionKind(r.PostForm.Get("kind")), Account: id, RequestID: r.PostForm.Get("request_id"),
		Actor: strings.TrimSpace(r.PostForm.Get("actor"))}
	if name, known := c.actor(r); known {
		out.Actor = name
	}
	if out.Reason, err = checkText("reason", "the reason", r.PostForm.Get("reason"), reasonMax); err == nil {
		out, err = c.readFields(out, r.PostForm, money.Currency{}, d.TimeZone)
	}
	if err == nil {
		err = c.mayDecide(r.Context(), out, id)
	}
	if err == nil {
		_, err = c.Resolver.Resolve(r.Context(), out)
	}
	var refusal *billing.Refusal
	if f, isForbidden := asForbidden(err); isForbidden && f.verdict == access.SignInAgain {
		refusal = &billing.Refusal{Code: billing.RefusedNotNow, Message: f.Error(), Field: fieldSignIn}
	} else if !errors.As(err, &refusal) && err != nil {
		return err
	}
	if refusal == nil {
		http.Redirect(w, r, "/accounts/"+url.PathEscape(string(id))+"#decide", http.StatusSeeOther)
		return nil
	}
	content := c.accountContent(d)
	content.Forms = c.accountForms(w, r, d)
	content.Forms.refuse(r.PostForm, refusal)
	c.renderAccount(w, r, problemOf(refusal).status, content)
	return nil
}
