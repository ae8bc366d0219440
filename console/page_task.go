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

// taskContent is one task's page: what it is about, and the form by which a person says that it is done.
type taskContent struct {
	Tasks   []taskRow
	Refund  bool
	Closed  bool
	Action  string
	Form    bool
	Common  resolveForms // token, request id, actor
	Problem string
	SignIn  string // where a fresh sign-in begins, when that is the problem
	Values  url.Values
}

// Reason returns the fields that every form ends with.
func (t taskContent) Reason() reasonFields {
	return reasonFields{Reason: t.Values.Get("reason"), Actor: t.Common.Actor, AskActor: !t.Common.ActorKnown}
}

func (c *console) showTask(w http.ResponseWriter, r *http.Request) error {
	return c.renderTask(w, r, http.StatusOK, taskContent{})
}

// renderTask shows the task; content has what was typed into its form and the problem with it, when there is one.
func (c *console) renderTask(w http.ResponseWriter, r *http.Request, status int, content taskContent) error {
	t, closed, err := c.Store.FindTask(r.Context(), r.PathValue("task"))
	if err != nil {
		return err
	}
	content.Tasks, content.Refund, content.Closed, content.Action = c.taskRows([]store.TaskView{t}), t.Kind == store.TaskRefund, closed, "/tasks/"+t.ID
	content.Form = c.Resolver != nil && !closed && offer(r)(closeAction(t.Kind))
	content.Common.Token, content.Common.RequestID = c.formToken(w, r), "console-"+rand.Text()
	if id := content.Values.Get("request_id"); id != "" {
		content.Common.RequestID = id
	}
	content.Common.Actor, content.Common.ActorKnown = c.actor(r)
	c.render(w, r, status, "task.html", view{Title: content.Tasks[0].Title, Nav: "", Content: content})
	return nil
}

// closeAction is what closing a task of the kind wants: a refund moves money for good.
func closeAction(kind string) access.Action {
	if kind == store.TaskRefund {
		return access.Refund
	}
	return access.CloseTasks
}

// closeTask takes the form of a task's page.
func (c *console) closeTask(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	t, _, err := c.Store.FindTask(r.Context(), r.PathValue("task"))
	if err != nil {
		return err
	}
	in := store.TaskEnd{Task: t.ID, Reference: strings.TrimSpace(r.PostForm.Get("reference")),
		Order: store.Order{Actor: strings.TrimSpace(r.PostForm.Get("actor")), Reason: strings.TrimSpace(r.PostForm.Get("reason")), RequestID: r.PostForm.Get("request_id")}}
	if name, known := c.actor(r); known {
		in.Actor = name
	}
	if err = c.may(r.Context(), closeAction(t.Kind), t.Account); err == nil {
		_, err = c.Store.CloseTask(r.Context(), in)
	}
	var refusal *billing.Refusal
	switch f, isForbidden := asForbidden(err); {
	case isForbidden && f.verdict == access.SignInAgain:
		return c.renderTask(w, r, f.status(), taskContent{Values: r.PostForm, Problem: f.Error(), SignIn: c.signInAgain()})
	case errors.As(err, &refusal):
		return c.renderTask(w, r, problemOf(err).status, taskContent{Values: r.PostForm, Problem: refusal.Error()})
	case err != nil:
		return err
	}
	http.Redirect(w, r, "/tasks/"+t.ID, http.StatusSeeOther)
	return nil
}
