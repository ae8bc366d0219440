package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"recoup/billing"
	"recoup/workflows"
)

// A door is a way for a person's decision to come in. It returns why the decision was refused, or "".
type door func(t *testing.T, s *stack, r billing.Resolution) (refused string)

// byCommand decides as a person at a shell.
func byCommand(t *testing.T, s *stack, r billing.Resolution) string {
	t.Helper()
	a := s.run(t, commandFor(r)...)
	if a.code != 0 {
		return a.errs
	}
	return ""
}

func commandFor(r billing.Resolution) []string {
	args := []string{"case", "resolve", string(r.Case)}
	if r.Account != "" {
		args = []string{"account", "resolve", string(r.Account)}
	}
	args = append(args, string(r.Kind), "--request-id", r.RequestID, "--actor", r.Actor, "--reason", r.Reason)
	if r.Amount != nil {
		args = append(args, "--amount", r.Amount.Decimal(), "--currency", r.Amount.Currency().Code())
	}
	if !r.Until.IsZero() {
		args = append(args, "--until", r.Until.Format(time.RFC3339))
	}
	for flag, value := range textsOf(r) {
		if value != "" {
			args = append(args, "--"+strings.ReplaceAll(flag, "_", "-"), value)
		}
	}
	for _, scope := range r.Scope {
		args = append(args, "--scope", scope)
	}
	return args
}

// textsOf are the fields of a decision that are texts, by their names in forms.
func textsOf(r billing.Resolution) map[string]string {
	return map[string]string{"reference": r.Reference, "received_on": r.ReceivedOn, "claim": r.Claim, "outcome": string(r.Outcome), "reverses": r.Reverses,
		"verdict": string(r.Verdict), "evidence": r.Evidence, "confirms": r.Confirms, "method": string(r.Method)}
}

// byUpdate decides as an operator in the Temporal UI who waits for the answer.
func byUpdate(t *testing.T, s *stack, r billing.Resolution) string {
	t.Helper()
	answer, refused := update(t, s, r)
	if refused == "" && (answer.RequestID != r.RequestID || answer.Changed == "" || answer.Next == "") {
		t.Errorf("the update answers %+v", answer)
	}
	return refused
}

func update(t *testing.T, s *stack, r billing.Resolution) (answer billing.ResolutionAnswer, refused string) {
	t.Helper()
	handle, err := s.temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		UpdateID: rand.Text(), WorkflowID: workflows.CaseWorkflowID(r.Case), UpdateName: workflows.MessageResolve,
		Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(t.Context(), &answer)
	}
	if err != nil {
		return answer, err.Error()
	}
	return answer, ""
}

// bySignal decides as a program that doesn't wait: the answer is what is recorded. A refusal is only in the worker's log, so it is told by
// the decision's absence once a later one is there: signals are taken in order.
func bySignal(t *testing.T, s *stack, r billing.Resolution) string {
	t.Helper()
	if err := s.temporal.SignalWorkflow(t.Context(), workflows.CaseWorkflowID(r.Case), "", workflows.MessageResolve, r); err != nil {
		return err.Error()
	}
	return ""
}

var hiddenToken = regexp.MustCompile(`name="token" value="([A-Z0-9]{26})"`)

// byForm decides as a person on the case's page.
func byForm(t *testing.T, s *stack, r billing.Resolution) string {
	t.Helper()
	_, refused := s.post(t, s.signIn(t, "ada"), r)
	return refused
}

// post sends the form of a case's or an account's page from a browser, which keeps its cookies, and returns the page that it leads to.
func (s *stack) post(t *testing.T, browser *http.Client, r billing.Resolution) (landed, refused string) {
	t.Helper()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	page := s.env["RECOUP_CONSOLE_URL"] + "/cases/" + string(r.Case)
	if r.Account != "" {
		page = s.env["RECOUP_CONSOLE_URL"] + "/accounts/" + string(r.Account)
	}
	_, body := fetch(t, func() (*http.Response, error) { return browser.Get(page) }) //nolint:bodyclose // fetch closes it
	token := hiddenToken.FindStringSubmatch(body)
	if token == nil {
		t.Fatalf("%s has no form", page)
	}
	form := url.Values{"token": {token[1]}, "request_id": {r.RequestID}, "kind": {string(r.Kind)}, "actor": {r.Actor}, "reason": {r.Reason}, "scope": r.Scope}
	if r.Amount != nil {
		form.Set("amount", r.Amount.Decimal())
	}
	for name, value := range textsOf(r) {
		if value != "" {
			form.Set(name, value)
		}
	}
	if !r.Until.IsZero() {
		form.Set("until", r.Until.Format("2006-01-02T15:04"))
	}
	res, body := fetch(t, func() (*http.Response, error) { return browser.PostForm(page+"/resolve", form) }) //nolint:bodyclose // fetch closes it
	if res.StatusCode == http.StatusSeeOther {
		to := res.Header.Get("Location")
		if !strings.Contains(to, "done="+url.QueryEscape(r.RequestID)) {
			t.Errorf("the form leads to %s", to)
		}
		_, landed = fetch(t, func() (*http.Response, error) { return browser.Get(s.env["RECOUP_CONSOLE_URL"] + to) }) //nolint:bodyclose // fetch closes it
		return landed, ""
	}
	if !strings.Contains(body, "Not recorded.") {
		t.Errorf("the form was answered %s without saying that nothing was recorded", res.Status)
	}
	return "", fmt.Sprintf("%s: %s", res.Status, text(body))
}

func fetch(t *testing.T, ask func() (*http.Response, error)) (*http.Response, string) {
	t.Helper()
	res, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

var markup = regexp.MustCompile(`<[^>]*>`)

func text(html string) string { return markup.ReplaceAllString(html, "") }
