package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// asToken makes a token and returns how to ask with it.
func (h *shop) asToken(account billing.AccountID, scopes ...access.Action) func(method, path, body string) page {
	h.t.Helper()
	token, err := h.CreateToken(context.Background(), store.NewToken{Name: "books", Account: account, Scopes: scopes, Life: time.Hour, Actor: "ada"})
	h.must(err)
	requests := 0
	return func(method, path, body string) page {
		h.t.Helper()
		r, err := http.NewRequestWithContext(h.t.Context(), method, h.web.URL+path, strings.NewReader(body))
		h.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if requests++; method == http.MethodPost && body != "" {
			r.Header.Set("Idempotency-Key", string(account)+"-"+token[4:12]+"-"+strings.Repeat("x", requests))
		}
		answer, err := h.client().Do(r)
		h.must(err)
		return h.read(answer)
	}
}

// TestI19ABoundTokenSeesItsOwnAndNothingElse asks every endpoint that names an account or a case for one's own, another's and a missing
// thing: the last two answer word for word alike.
func TestI19ABoundTokenSeesItsOwnAndNothingElse(t *testing.T) {
	h := withOIDC(t)
	h.story()
	ask := h.asToken("brooklyn", access.ReadCases, access.ReadAccounts, access.ReadAuditLog, "resolve.hold", "resolve.release")
	const release = `{"kind":"release","reason":"they called"}`
	for _, c := range []struct {
		method, top, below string
		ids                [3]string // own, another's, missing
		body               string
	}{
		{"GET", "/api/cases/", "", [3]string{"inv-brooklyn", "inv-acme", "inv-none"}, ""},
		{"GET", "/api/cases/", "/1", [3]string{"inv-brooklyn", "inv-acme", "inv-none"}, ""},
		{"GET", "/api/accounts/", "", [3]string{"brooklyn", "acme", "none"}, ""},
		{"GET", "/api/cases/", "/audit-log", [3]string{"inv-brooklyn", "inv-acme", "inv-none"}, ""},
		{"GET", "/api/accounts/", "/audit-log", [3]string{"brooklyn", "acme", "none"}, ""},
		{"POST", "/api/cases/", "/resolutions", [3]string{"inv-brooklyn", "inv-acme", "inv-none"}, release},
		{"POST", "/api/cases/", "/1/resolutions", [3]string{"inv-brooklyn", "inv-acme", "inv-none"},
			`{"kind":"hold","reason":"they called","until":"` + h.now.AddDate(0, 0, 2).UTC().Format(time.RFC3339) + `"}`},
		{"POST", "/api/accounts/", "/resolutions", [3]string{"brooklyn", "acme", "none"},
			`{"kind":"hold","reason":"they called","until":"` + h.now.AddDate(0, 0, 2).UTC().Format(time.RFC3339) + `"}`},
	} {
		own := ask(c.method, c.top+c.ids[0]+c.below, c.body)
		other := ask(c.method, c.top+c.ids[1]+c.below, c.body)
		missing := ask(c.method, c.top+c.ids[2]+c.below, c.body)
		strange := ask(c.method, c.top+"%00"+c.below, c.body)
		if own.status != http.StatusOK {
			t.Errorf("%s %s%s: own: status %d: %s", c.method, c.top, c.below, own.status, own.body)
		}
		if other.status != http.StatusNotFound || missing.status != http.StatusNotFound || other.body != missing.body || strange.body != missing.body {
			t.Errorf("%s %s%s: another's %d %s, missing %d %s, no id at all %d %s", c.method, c.top, c.below, other.status, other.body,
				missing.status, missing.body, strange.status, strange.body)
		}
	}
	for _, path := range []string{"/api/cases", "/cases", "/cases/inv-brooklyn", "/accounts/brooklyn", "/"} {
		if p := ask("GET", path, ""); p.status != http.StatusForbidden {
			t.Errorf("%s shows more than one account: status %d", path, p.status)
		}
	}
	var decided int
	h.must(h.Pool().QueryRow(context.Background(), `select count(*) from resolutions where account_id <> 'brooklyn'`).Scan(&decided))
	if decided != 0 {
		t.Errorf("%d decisions about others", decided)
	}
}

// TestATokenForAllSeesAll: nothing is looked up for who is bound to nothing, and what is missing is said by name.
func TestATokenForAllSeesAll(t *testing.T) {
	h := withOIDC(t)
	h.story()
	ask := h.asToken("", access.ReadCases, access.ReadAccounts)
	for path, want := range map[string]int{"/api/cases/inv-acme": 200, "/api/accounts/kyoto": 200, "/api/cases/none": 404, "/api/accounts/none": 404} {
		if p := ask("GET", path, ""); p.status != want {
			t.Errorf("%s: status %d, want %d", path, p.status, want)
		}
	}
}
