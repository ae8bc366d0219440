package console_test

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/console"
	"recoup/console/identitysim"
	"recoup/store"
)

var dayLong = store.SessionTimes{Life: 12 * time.Hour, Idle: time.Hour}

// withOIDC is a shop whose people sign in at a provider of their own.
func withOIDC(t *testing.T) *shop {
	t.Helper()
	var provider http.Handler
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	var err error
	provider, err = identitysim.New(identitysim.Options{Issuer: web.URL, ClientID: "recoup", ClientSecret: "dev", People: identitysim.People()})
	if err != nil {
		t.Fatal(err)
	}
	oidc := &console.OIDC{Issuer: web.URL, ClientID: "recoup", ClientSecret: "dev", RolesClaim: "roles"}
	h := newShop(t, func(o *console.Options) { o.SignIn = console.SignIn{OIDC: oidc, Times: dayLong} })
	oidc.Callback = h.web.URL + "/sign-in/callback"
	return h
}

// signIn goes through the provider's page as a browser would and returns the browser and where it ended.
func (h *shop) signIn(name, path string) (*http.Client, page) {
	h.t.Helper()
	client := h.client()
	return client, h.signInWith(client, name, path)
}

func (h *shop) signInWith(client *http.Client, name, path string) page {
	h.t.Helper()
	answer, err := client.PostForm(h.providersForm(client, path), url.Values{"as": {name}})
	h.must(err)
	h.read(answer)
	answer, err = client.Get(answer.Header.Get("Location"))
	h.must(err)
	return h.read(answer)
}

// providersForm returns where the form of the provider's page goes.
func (h *shop) providersForm(client *http.Client, path string) string {
	h.t.Helper()
	shown, err := url.Parse(h.follow(client, h.web.URL+path))
	h.must(err)
	answer, err := client.Get(shown.String())
	h.must(err)
	_, after, _ := strings.Cut(h.read(answer).body, `action="`)
	action, _, _ := strings.Cut(after, `"`)
	to, err := shown.Parse(html.UnescapeString(action))
	h.must(err)
	return to.String()
}

// follow goes where redirects lead until a page answers that isn't one.
func (h *shop) follow(client *http.Client, address string) string {
	h.t.Helper()
	for range 5 {
		answer, err := client.Get(address)
		h.must(err)
		h.read(answer)
		next, err := answer.Location()
		if err != nil {
			return address
		}
		address = next.String()
	}
	h.t.Fatalf("%s leads in circles", address)
	return ""
}

func (h *shop) getAs(client *http.Client, path string) page {
	h.t.Helper()
	answer, err := client.Get(h.web.URL + path)
	h.must(err)
	return h.read(answer)
}

func TestStaffSignIn(t *testing.T) {
	h := withOIDC(t)
	h.story()
	if p := h.get("/cases/inv-acme"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/sign-in?to=%2Fcases%2Finv-acme") {
		t.Fatalf("not signed in: status %d to %s", p.status, p.header.Get("Location"))
	}
	if p := h.get("/api/cases"); p.status != http.StatusUnauthorized || p.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("the API without a token: status %d", p.status)
	}
	if p := h.get("/live"); p.status == http.StatusOK {
		t.Error("live updates for nobody")
	}
	if p := h.get("/healthz"); p.status != http.StatusOK {
		t.Errorf("health: status %d", p.status)
	}
	client, landed := h.signIn("sam", "/cases/inv-acme")
	if landed.status != http.StatusSeeOther || landed.header.Get("Location") != "/cases/inv-acme" {
		t.Fatalf("after signing in: status %d to %s\n%s", landed.status, landed.header.Get("Location"), mainOf(landed.body))
	}
	p := h.getAs(client, "/cases/inv-acme")
	h.has(p, "sam", "Sign out", "Retry now")
	if p := h.getAs(client, "/api/cases"); p.status != http.StatusOK {
		t.Errorf("the API with a session: status %d", p.status)
	}
	f := formFields(p.body, billing.RetryNow)
	out := h.post(client, "/sign-out", f)
	if out.status != http.StatusSeeOther {
		t.Fatalf("signing out: status %d", out.status)
	}
	if p := h.getAs(client, "/cases"); p.status != http.StatusSeeOther {
		t.Errorf("signed out, yet status %d", p.status)
	}
}

func TestWhoHasNoRoleSeesNothing(t *testing.T) {
	h := withOIDC(t)
	client, landed := h.signIn("nemo", "/cases")
	if landed.status != http.StatusForbidden {
		t.Errorf("status %d", landed.status)
	}
	if p := h.getAs(client, "/cases"); p.status != http.StatusSeeOther {
		t.Errorf("status %d", p.status)
	}
}

func TestSignInIsBoundToTheBrowserThatBeganIt(t *testing.T) {
	h := withOIDC(t)
	mallory := h.client()
	answer, err := mallory.PostForm(h.providersForm(mallory, "/cases"), url.Values{"as": {"ada"}})
	h.must(err)
	h.read(answer)
	back := answer.Header.Get("Location")
	victim := h.client()
	answer, err = victim.Get(back)
	h.must(err)
	if p := h.read(answer); p.status != http.StatusBadRequest {
		t.Errorf("another's sign-in: status %d", p.status)
	}
	answer, err = mallory.Get(strings.Replace(back, "state=", "state=x", 1))
	h.must(err)
	if p := h.read(answer); p.status != http.StatusBadRequest {
		t.Errorf("a wrong state: status %d", p.status)
	}
	answer, err = mallory.Get(strings.Replace(back, "code=", "code=x", 1))
	h.must(err)
	if p := h.read(answer); p.status < 400 {
		t.Errorf("a wrong code: status %d", p.status)
	}
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	h := withOIDC(t)
	for to, want := range map[string]string{
		"https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/", "cases": "/",
		"/cases?q=a%20b": "/cases?q=a%20b",
	} {
		if _, landed := h.signIn("sam", "/sign-in?to="+url.QueryEscape(to)); landed.header.Get("Location") != want {
			t.Errorf("%q leads to %q, want %q", to, landed.header.Get("Location"), want)
		}
	}
}

// sessionFor signs a person with these roles in without the provider.
func (h *shop) sessionFor(in store.SignIn) *http.Client {
	h.t.Helper()
	in.Issuer, in.Subject = "test", in.Name
	secret, err := h.StartSession(context.Background(), in, dayLong)
	h.must(err)
	client := h.client()
	u, err := url.Parse(h.web.URL)
	h.must(err)
	client.Jar.SetCookies(u, []*http.Cookie{{Name: "recoup_session", Value: secret, Path: "/"}})
	return client
}

// TestRolesAtTheDoors holds each role × kind of decision against the table, through the form.
func TestRolesAtTheDoors(t *testing.T) {
	h := withOIDC(t)
	h.story()
	decisions := map[billing.ResolutionKind]url.Values{
		billing.RetryNow: {}, billing.Release: {},
		billing.Hold:          {"until": {h.now.AddDate(0, 0, 2).Format("2006-01-02T15:04")}, "scope": {"attempts"}},
		billing.PaidOutOfBand: {"amount": {"1"}, "reference": {"W"}, "received_on": {h.now.AddDate(0, 0, -1).Format("2006-01-02")}},
	}
	for _, role := range access.StaffRoles() {
		client := h.sessionFor(store.SignIn{Name: "p-" + string(role), Roles: []access.Role{role}})
		for kind, fields := range decisions {
			f := h.form(client, "/cases/inv-acme", kind)
			f.Set("token", tokenOf(client, h.web.URL))
			f.Set("request_id", "door-"+string(role)+"-"+string(kind))
			for k, v := range fields {
				f[k] = v
			}
			p := h.post(client, "/cases/inv-acme/resolve", f)
			if forbidden := p.status == http.StatusForbidden; forbidden == role.May(access.Resolve(kind)) {
				t.Errorf("%s, %s: status %d, the table says %v", role, kind, p.status, role.May(access.Resolve(kind)))
			}
		}
	}
}

func tokenOf(client *http.Client, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == "recoup_token" {
			return c.Value
		}
	}
	return ""
}

func TestTokensAtTheAPI(t *testing.T) {
	h := withOIDC(t)
	h.story()
	token, err := h.CreateToken(context.Background(), store.NewToken{Name: "ci", Scopes: []access.Action{access.ReadCases}, Life: time.Hour, Actor: "ada"})
	h.must(err)
	ask := func(path, token string) int {
		r, err := http.NewRequest(http.MethodGet, h.web.URL+path, nil)
		h.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := h.client().Do(r)
		h.must(err)
		return h.read(answer).status
	}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/api/cases", token, 200}, {"/api/cases/inv-acme", token, 200}, {"/api/accounts/acme", token, 403}, {"/api/cases", token + "x", 401},
		{"/cases", token, 200}, {"/accounts", token, 403},
	} {
		if got := ask(c.path, c.token); got != c.want {
			t.Errorf("%s: status %d, want %d", c.path, got, c.want)
		}
	}
}

func TestACustomersSessionOpensNoStaffPage(t *testing.T) {
	h := withOIDC(t)
	h.story()
	client := h.sessionFor(store.SignIn{Name: "Olga", Roles: []access.Role{access.Owner}, Account: "acme"})
	for _, path := range []string{"/", "/cases", "/cases/inv-acme", "/accounts/acme", "/notices", "/api/cases", "/api/accounts/acme", "/live"} {
		if p := h.getAs(client, path); p.status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, p.status)
		}
	}
}

func TestTheOpenConsoleListensHereOnly(t *testing.T) {
	h := newShop(t)
	err := console.Serve(t.Context(), "0.0.0.0:0", console.Options{Store: h.Store, Resolver: h.Store}, nil)
	if err == nil || !strings.Contains(err.Error(), "RECOUP_OIDC_ISSUER") {
		t.Errorf("served beyond this machine: %v", err)
	}
}
