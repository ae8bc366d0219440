package chaos

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"recoup/activities"
	"recoup/billing"
	"recoup/workflows"
)

// door is a way for a person's decision to come in.
type door struct {
	name  string
	knock func(context.Context, *staff, billing.Resolution) (said verdict, why string)
	// otherwise is the door to try when this one does not answer; nil: itself. The same decision counts once, whatever the door.
	otherwise *door
}

var byCommand = door{name: "command", knock: command}

// doors are weighted by how often they stand here.
var doors = []door{
	{name: "form", knock: form}, {name: "form", knock: form}, {name: "form", knock: form}, {name: "form", knock: form},
	{name: "update", knock: update, otherwise: &byCommand}, {name: "update", knock: update, otherwise: &byCommand}, {name: "update", knock: update, otherwise: &byCommand},
	{name: "signal", knock: signal, otherwise: &byCommand}, {name: "signal", knock: signal, otherwise: &byCommand},
	byCommand,
}

// command decides as a person at a shell.
func command(ctx context.Context, s *staff, r billing.Resolution) (verdict, string) {
	args := []string{"case", "resolve", string(r.Case), string(r.Kind), "--request-id", r.RequestID, "--actor", r.Actor, "--reason", r.Reason}
	if r.Amount != nil {
		args = append(args, "--amount", r.Amount.Decimal(), "--currency", r.Amount.Currency().Code())
	}
	for flag, value := range map[string]string{"--reference": r.Reference, "--received-on": r.ReceivedOn, "--verdict": string(r.Verdict), "--evidence": r.Evidence} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	if !r.Until.IsZero() {
		args = append(args, "--until", r.Until.Format(time.RFC3339))
	}
	for _, scope := range r.Scope {
		args = append(args, "--scope", scope)
	}
	out, code, err := s.rig.Run(ctx, args...)
	switch {
	case err == nil && code == 0:
		return accepted, ""
	case err != nil || noPostgres.MatchString(out):
		return unheard, ""
	}
	return refused, strings.TrimSpace(out)
}

// noPostgres are the ways in which a command says that the database was away or has gone, and not that a decision can't be.
var noPostgres = regexp.MustCompile(`(?i)connect|SQLSTATE (57|08|40|55)|EOF|reset by peer|broken pipe|timeout|deadline exceeded`)

// update decides as an operator in the Temporal UI who waits for the answer.
func update(ctx context.Context, s *staff, r billing.Resolution) (verdict, string) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	handle, err := s.rig.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: r.RequestID, WorkflowID: workflows.CaseWorkflowID(r.Case), UpdateName: workflows.MessageResolve,
		Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var answer billing.ResolutionAnswer
	if err == nil {
		err = handle.Get(ctx, &answer)
	}
	switch refusal := activities.RefusalFrom(err); {
	case err == nil:
		return accepted, ""
	case refusal != nil:
		return refused, refusal.Error()
	}
	return unheard, ""
}

// signal decides as a program that doesn't wait: the answer is what is recorded, or nothing when the workflow is terminated before it
// reads the signal. Whether it counts is nobody's to say here.
func signal(ctx context.Context, s *staff, r billing.Resolution) (verdict, string) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	if s.rig.Temporal.SignalWorkflow(ctx, workflows.CaseWorkflowID(r.Case), "", workflows.MessageResolve, r) != nil {
		return unheard, ""
	}
	return handedOver, ""
}

// browser is one person's at the console: it keeps its cookies and the token of its forms.
type browser struct {
	console string
	client  *http.Client

	mu    sync.Mutex
	token string
}

func newBrowser(console string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{console: console, client: &http.Client{Jar: jar, Timeout: callWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

var hiddenToken = regexp.MustCompile(`name="token" value="([A-Z0-9]{26})"`)

// open returns the token of this browser's forms, from a case's page.
func (b *browser) open(ctx context.Context, page string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.token != "" {
		return b.token, nil
	}
	_, body, err := b.do(ctx, "Person 0", http.MethodGet, page, nil)
	if err != nil {
		return "", err
	}
	found := hiddenToken.FindStringSubmatch(body)
	if found == nil {
		return "", errors.New("the case's page has no form")
	}
	b.token = found[1]
	return b.token, nil
}

// actorHeader is how the proxy in front of the console names the person.
const actorHeader = "X-Forwarded-User"

func (b *browser) do(ctx context.Context, actor, method, url string, form url.Values) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set(actorHeader, actor)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// form decides as a person on the case's page.
func form(ctx context.Context, s *staff, r billing.Resolution) (verdict, string) {
	if r.Kind == billing.ResolveUnknown {
		return command(ctx, s, r) // the page has no form for it
	}
	page := s.browser.console + "/cases/" + string(r.Case)
	token, err := s.browser.open(ctx, page)
	if err != nil {
		return unheard, ""
	}
	fields := url.Values{"token": {token}, "request_id": {r.RequestID}, "kind": {string(r.Kind)}, "actor": {r.Actor}, "reason": {r.Reason}, "scope": r.Scope}
	if r.Amount != nil {
		fields.Set("amount", r.Amount.Decimal())
		fields.Set("reference", r.Reference)
		fields.Set("received_on", r.ReceivedOn)
	}
	if !r.Until.IsZero() {
		zone, err := s.zone(ctx, r.Case)
		if err != nil {
			return unheard, ""
		}
		fields.Set("until", r.Until.In(zone).Format("2006-01-02T15:04"))
	}
	status, body, err := s.browser.do(ctx, r.Actor, http.MethodPost, page+"/resolve", fields)
	switch {
	case err != nil || status >= http.StatusInternalServerError:
		return unheard, ""
	case status == http.StatusSeeOther:
		return accepted, ""
	}
	return refused, markup.ReplaceAllString(body, "")
}

var markup = regexp.MustCompile(`(?s)<[^>]*>`)

func (s *staff) zone(ctx context.Context, id billing.CaseID) (*time.Location, error) {
	var name string
	const query = `select a.time_zone from cases c join accounts a on a.id = c.account_id where c.id = $1`
	if err := s.rig.Store.Pool().QueryRow(ctx, query, id).Scan(&name); err != nil {
		return nil, err
	}
	return time.LoadLocation(name)
}
