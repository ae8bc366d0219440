package console

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
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

// mayBegin asks the table by what a form says before its fields are read, so that nobody is told of fields who may not decide. What is no
// kind is the form's to refuse.
func (c *console) mayBegin(r *http.Request, account billing.AccountID) error {
	d := billing.Resolution{Kind: billing.ResolutionKind(r.PostForm.Get("kind")), Confirms: r.PostForm.Get("confirms"), Override: r.PostForm.Get("override") != ""}
	if !slices.Contains(billing.ResolutionKinds(), d.Kind) {
		return nil
	}
	return c.mayDecide(r.Context(), d, account)
}

// accountForms returns what the forms of an account's page need, of those that who asks may use; nil when the page is read-only.
func (c *console) accountForms(w http.ResponseWriter, r *http.Request, d store.AccountDetail) *resolveForms {
	if c.Resolver == nil {
		return nil
	}
	f := &resolveForms{Action: "/accounts/" + url.PathEscape(string(d.ID)) + "/resolve", Token: c.formToken(w, r), RequestID: "console-" + rand.Text(), Zone: d.TimeZone,
		SignIn: c.signInAgain(), specs: offered(accountSpecs(d, c.Now().In(zoneOf(d.TimeZone))), offer(r))}
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
	if err = c.mayBegin(r, id); err == nil {
		out.Reason, err = checkText("reason", "the reason", r.PostForm.Get("reason"), reasonMax)
	}
	if err == nil {
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
		http.Redirect(w, r, "/accounts/"+url.PathEscape(string(id))+"?done="+url.QueryEscape(out.RequestID)+"#done", http.StatusSeeOther)
		return nil
	}
	content := c.accountContent(d)
	content.Forms = c.accountForms(w, r, d)
	content.Change = c.methodForms(w, r, d)
	content.Forms.refuse(r.PostForm, refusal)
	return c.renderAccount(w, r, problemOf(refusal).status, content)
}
