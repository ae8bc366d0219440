package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// methodForms are the forms that change an account's payment methods: on its own pages, and for staff on the account's page.
type methodForms struct {
	Action           string
	Token, RequestID string
	Methods          []ownMethod
	Backups          bool
	Own              bool
	AskActor         bool // on an open console
	Actor, Problem   string
}

// methodForms returns what the forms on an account's page need; nil for who may not.
func (c *console) methodForms(w http.ResponseWriter, r *http.Request, d store.AccountDetail) *methodForms {
	if c.Own == nil || c.may(r.Context(), access.ChangeMethods, d.ID) != nil {
		return nil
	}
	f := &methodForms{Action: "/accounts/" + url.PathEscape(string(d.ID)) + "/methods", Token: c.formToken(w, r), RequestID: "console-" + rand.Text(),
		Methods: c.ownMethods(d.Methods), Backups: !d.BackupsOff}
	var known bool
	f.Actor, known = c.actor(r)
	f.AskActor = !known
	return f
}

// changeOwnMethods takes a form of one's own page.
func (c *console) changeOwnMethods(w http.ResponseWriter, r *http.Request) error {
	account, err := ownAccount(r.Context())
	if err != nil {
		return err
	}
	change, err := c.readMethodsForm(r)
	if err == nil {
		_, err = c.changeMethods(r.Context(), account, change)
	}
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		return c.renderOwn(w, r, problemOf(refusal).status, nameMethods(refusal.Message), "")
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/own?done=methods", http.StatusSeeOther)
	return nil
}

// changeAccountMethods takes a form of staff's page of an account.
func (c *console) changeAccountMethods(w http.ResponseWriter, r *http.Request) error {
	id := billing.AccountID(r.PathValue("account"))
	if billing.CheckID(string(id)) != nil {
		return billing.Refuse(billing.RefusedNotFound, "", "There is no such account.")
	}
	d, err := c.Store.FindAccount(r.Context(), id)
	if err != nil {
		return err
	}
	change, err := c.readMethodsForm(r)
	if err == nil && change.Kind == "raise" {
		change, err = raised(change, c.ownMethods(d.Methods))
	}
	if err == nil {
		change.Reason, err = checkText("reason", "the reason", r.PostForm.Get("reason"), reasonMax)
	}
	if err == nil {
		name, known := c.actor(r)
		if !known {
			name = r.PostForm.Get("actor")
		}
		change.Actor, err = checkText("actor", "who changes it", name, actorMax)
	}
	if err == nil {
		_, err = c.changeMethods(r.Context(), id, change)
	}
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		content := c.accountContent(d)
		content.Forms = c.accountForms(w, r, d)
		content.Change = c.methodForms(w, r, d)
		content.Change.Problem = refusal.Message
		return c.renderAccount(w, r, problemOf(refusal).status, content)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/accounts/"+url.PathEscape(string(id))+"#methods", http.StatusSeeOther)
	return nil
}

// raised is the order with the method one place further up.
func raised(change billing.MethodChange, methods []ownMethod) (billing.MethodChange, error) {
	for _, m := range methods {
		if m.ID == change.Method && m.Raised != "" {
			change.Kind, change.Method, change.Order = billing.MethodReorder, "", orderOf(m.Raised)
			return change, nil
		}
	}
	return change, billing.Refuse(billing.RefusedNotNow, "method", "It is the first already.")
}

func orderOf(text string) []billing.MethodID {
	var order []billing.MethodID
	for id := range strings.SplitSeq(text, ",") {
		order = append(order, billing.MethodID(id))
	}
	return order
}

// readMethodsForm reads what a form asks for; what is wrong with it beyond its shape is the store's to say.
func (c *console) readMethodsForm(r *http.Request) (billing.MethodChange, error) {
	if err := r.ParseForm(); err != nil {
		return billing.MethodChange{}, billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return billing.MethodChange{}, err
	}
	f := r.PostForm
	change := billing.MethodChange{RequestID: f.Get("request_id"), Kind: billing.MethodChangeKind(f.Get("change")), Method: billing.MethodID(f.Get("method"))}
	switch change.Kind {
	case billing.MethodReorder:
		change.Order = orderOf(f.Get("order"))
	case billing.MethodAdd, billing.MethodReplace:
		month, year, err := readExpiry(strings.TrimSpace(f.Get("expiry")))
		if err != nil {
			return change, err
		}
		change.New = &billing.NewMethod{Token: strings.TrimSpace(f.Get("method_token")), CustomerToken: strings.TrimSpace(f.Get("customer_token")),
			Kind: billing.MethodKind(f.Get("kind")), Brand: strings.ToLower(strings.TrimSpace(f.Get("brand"))), Last4: strings.TrimSpace(f.Get("last4")),
			ExpiryMonth: month, ExpiryYear: year, Primary: f.Get("primary") != ""}
	case billing.MethodRemove, billing.MethodDisable, billing.MethodEnable, billing.MethodBackupsOn, billing.MethodBackupsOff:
	}
	return change, nil
}
