package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recoup/access"
	"recoup/billing"
)

// kindDoor is a door as TestEveryKindThroughEveryDoor takes it: who decides there, where the audit log says that it came from, and what it
// answers. A door that has no answer leaves it to the store.
type kindDoor struct {
	name, origin string
	people       [2]string
	// workflow: the door is a case's workflow, so it has none for an account, and none once the case has ended.
	workflow bool
	// pages: the door is the console's pages, where an account's standing is decided on its own page only.
	pages  bool
	decide func(t *testing.T, s *stack, r billing.Resolution) (answer *billing.ResolutionAnswer, refused string)
}

func kindDoors(t *testing.T, s *stack) []kindDoor {
	t.Helper()
	people := [2]string{"ada", "fin"}
	browsers := map[string]*http.Client{}
	for _, name := range people {
		browsers[name] = s.signIn(t, name)
	}
	tokens, programs := map[string]string{}, [2]string{"token e2e-decides", "token e2e-confirms"}
	scopes := []string{string(access.ReadCases), string(access.ReadAccounts), string(access.ConfirmDecision)}
	for _, kind := range billing.ResolutionKinds() {
		scopes = append(scopes, string(access.Resolve(kind)))
	}
	for _, name := range programs {
		tokens[name] = strings.TrimSpace(s.must(t, "token", "create", "--name", strings.TrimPrefix(name, "token "), "--scope", strings.Join(scopes, ","), "--expires", "1d"))
	}
	return []kindDoor{
		{name: "form", origin: "console session ", people: people, pages: true, decide: func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			t.Helper()
			landed, refused := s.post(t, browsers[r.Actor], r)
			if refused == "" && (!strings.Contains(landed, "Recorded: "+strings.ReplaceAll(string(r.Kind), "_", " ")) || !strings.Contains(landed, "<b>Next:</b>")) {
				t.Errorf("%s: the page does not say what changed and what comes next", r.Kind)
			}
			return nil, refused
		}},
		{name: "command", origin: "cli", people: people, decide: func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			t.Helper()
			a := s.run(t, commandFor(r)...)
			if a.code != 0 {
				return nil, a.errs
			}
			return saidByCommand(a.out), ""
		}},
		{name: "api", origin: "api token ", people: programs, decide: func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			t.Helper()
			return s.postJSON(t, tokens[r.Actor], r)
		}},
		{name: "update", origin: "workflow", people: people, workflow: true, decide: func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			t.Helper()
			answer, refused := update(t, s, r)
			return &answer, refused
		}},
		{name: "signal", origin: "workflow", people: people, workflow: true, decide: func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			t.Helper()
			return nil, bySignal(t, s, r)
		}},
	}
}

func saidByCommand(out string) *billing.ResolutionAnswer {
	var a billing.ResolutionAnswer
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Changed":
			a.Changed, a.Repeated = strings.CutSuffix(value, " (answered before; nothing happened now)")
		case "Next":
			a.Next = value
		case "Request id":
			a.RequestID = value
		}
	}
	return &a
}

// postJSON decides as a program with a token.
func (s *stack) postJSON(t *testing.T, token string, r billing.Resolution) (*billing.ResolutionAnswer, string) {
	t.Helper()
	body := map[string]any{"kind": r.Kind, "reason": r.Reason}
	if r.Amount != nil {
		body["amount"] = map[string]any{"minor": r.Amount.Minor(), "currency": r.Amount.Currency().Code()}
	}
	if !r.Until.IsZero() {
		body["until"] = r.Until
	}
	if len(r.Scope) > 0 {
		body["scope"] = r.Scope
	}
	for name, value := range textsOf(r) {
		if value != "" {
			body[name] = value
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/cases/" + string(r.Case) + "/resolutions"
	if r.Account != "" {
		path = "/api/accounts/" + string(r.Account) + "/resolutions"
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.env["RECOUP_CONSOLE_URL"]+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", r.RequestID)
	request.Header.Set("Authorization", "Bearer "+token)
	res, said := fetch(t, func() (*http.Response, error) { return web.Do(request) }) //nolint:bodyclose // fetch closes it
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Sprintf("%s: %s", res.Status, said)
	}
	var answer billing.ResolutionAnswer
	if err := json.Unmarshal([]byte(said), &answer); err != nil {
		t.Fatalf("%s: %v", said, err)
	}
	return &answer, ""
}
