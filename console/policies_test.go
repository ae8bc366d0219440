package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"recoup/console"
	"recoup/dunning"
	"recoup/store"
)

func standardDocument(t testing.TB, changes ...string) string {
	t.Helper()
	for _, f := range dunning.ShippedFiles() {
		if f.Name == "standard" {
			return strings.NewReplacer(append(changes, "version: 1", "version: 2")...).Replace(f.Document)
		}
	}
	t.Fatal("no policy standard")
	return ""
}

// postJSON sends JSON and reads the answer.
func (h *shop) postJSON(path string, body any, header ...string) page {
	h.t.Helper()
	text, err := json.Marshal(body)
	h.must(err)
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.web.URL+path, strings.NewReader(string(text)))
	h.must(err)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := h.client().Do(r)
	h.must(err)
	return h.read(answer)
}

func TestPolicyPages(t *testing.T) {
	h := newShop(t)
	_, _, err := h.AddPolicy(t.Context(), []byte(standardDocument(t, "suspend: 30", "suspend: 40")), store.Order{Actor: "ada", Reason: "ten days more", RequestID: "r"})
	h.must(err)
	h.account("acme", "Acme", "Europe/Berlin", "visa 4242")
	_, _, err = h.AssignPolicy(t.Context(), dunning.Assignment{Account: "acme", Policy: "fast"}, store.Order{Actor: "ada", Reason: "agreed", RequestID: "r"})
	h.must(err)
	_, _, err = h.AssignPolicy(t.Context(), dunning.Assignment{Priority: 5, Country: "DE", Policy: "standard", Version: 1}, store.Order{Actor: "ada", Reason: "slow <there>", RequestID: "r"})
	h.must(err)
	list := h.get("/policies")
	h.has(list, `<a class="row" href="/policies/standard/2">standard 2</a> <span class="badge green">Newest</span>`, `href="/policies/standard/1">standard 1</a>`,
		"ten days more", "account acme", "country DE (priority 5)", "slow &lt;there&gt;", "Accounts imported with a policy", "Everybody else", `aria-current="page"`)
	one := h.get("/policies/standard/2?due=2031-10-12&zone=Europe/Berlin&amount=49.00&currency=EUR")
	h.has(one, "Since the", "on day 40 instead of day 30: 10 days later", "13 Oct 2031, 09:00", "CEST", "2 Nov 2031, 09:00", "CET", "Final notice", "suspend: 40", "Payment failed")
	h.has(h.get("/policies/standard/1"), "What an invoice would see", "suspend: 30")
	h.has(h.get("/policies/standard/1?zone=Mars"), `role="alert"`, "want an IANA name")
	h.has(h.get("/policies/standard/1?currency=EURO"), "is no currency")
	h.has(h.get("/policies/standard/1?amount=x"), "is no amount of USD")
	for _, path := range []string{"/policies/standard/9", "/policies/Standard/1", "/policies/standard/x", "/policies/gentle/1"} {
		if got := h.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
	h.invoice("inv", "N-1", "acme", amount("EUR 49.00"))
	h.open("inv")
	h.has(h.get("/cases/inv"), `<a href="/policies/fast/1">fast 1</a>`, "Policy fast 1: rule 1: account acme")
	_, err = h.MoveCasePolicy(t.Context(), "inv", "standard", 2, store.Order{Actor: "ada", Reason: "a good customer", RequestID: "move-1"})
	h.must(err)
	h.has(h.get("/cases/inv"), "Moved to policy standard 2", "Before: fast 1", "a good customer")
}

func TestAPIPolicies(t *testing.T) {
	h := newShop(t)
	var list struct {
		Policies []struct {
			Name    string
			Version int
			Rounds  []int
		}
	}
	h.json("/api/policies", &list)
	if len(list.Policies) != 3 || list.Policies[2].Name != "standard" || len(list.Policies[2].Rounds) != 6 {
		t.Errorf("%+v", list)
	}
	var one struct {
		Document string
		AddedBy  string `json:"added_by"`
	}
	h.json("/api/policies/standard/1", &one)
	if !strings.Contains(one.Document, "rounds: [0, 4, 7, 11, 15, 20]") || one.AddedBy != "recoup" {
		t.Errorf("%+v", one)
	}
	if got := h.get("/api/policies/standard/2"); got.status != http.StatusNotFound || !strings.Contains(got.body, "there are demo version 1") {
		t.Errorf("%d %s", got.status, got.body)
	}
	document := standardDocument(t, "suspend: 30", "suspend: 40")
	bad := h.postJSON("/api/policies/check", map[string]any{"document": "name: X\nversion: 1.5\nrounds: []\n"})
	if bad.status != http.StatusUnprocessableEntity {
		t.Errorf("status %d", bad.status)
	}
	h.has(bad, "The document is not a policy.", "line 2, column 10, field version: want a whole number", "field rounds: needs at least the round 0", "field unit: is missing")
	h.has(h.postJSON("/api/policies/check", map[string]any{"document": document}), `"there":false`, `"version":2`)
	if _, err := h.FindPolicy(t.Context(), "standard", 2); err == nil {
		t.Error("a check added the policy")
	}
	body := map[string]any{"document": document, "reason": "ten days more", "actor": "ada"}
	if got := h.postJSON("/api/policies", body); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "Idempotency-Key") {
		t.Errorf("without a key: %d %s", got.status, got.body)
	}
	send := func(body map[string]any) page { return h.postJSON("/api/policies", body, "Idempotency-Key", "k-1") }
	h.has(send(map[string]any{"document": document, "reason": "r"}), "actor", "is missing")
	h.has(send(map[string]any{"document": document, "actor": "ada"}), "reason")
	h.has(send(body), `"added":true`)
	h.has(send(body), `"added":false`)
	h.has(h.postJSON("/api/policies/check", map[string]any{"document": document}), `"there":true`)
	body["document"] = strings.Replace(document, "suspend: 40", "suspend: 41", 1)
	if got := send(body); got.status != http.StatusConflict {
		t.Errorf("another content under a number that is taken: %d %s", got.status, got.body)
	}
	if p, err := h.FindPolicy(t.Context(), "standard", 0); err != nil || p.AddedBy != "ada" || p.Reason != "ten days more" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Only who may edit policies adds one, under the name that the proxy vouches for.
func TestAPIPolicyIsAddedByWhoMay(t *testing.T) {
	h := newShop(t, func(o *console.Options) { o.SignIn = console.SignIn{ActorHeader: "X-Person", RolesHeader: "X-Roles"} })
	body := map[string]any{"document": standardDocument(t, "suspend: 30", "suspend: 40"), "reason": "ten days more", "actor": "mallory"}
	for roles, want := range map[string]int{"": http.StatusForbidden, "support": http.StatusForbidden, "viewer": http.StatusForbidden} {
		if got := h.postJSON("/api/policies", body, "Idempotency-Key", "k", "X-Person", "ada", "X-Roles", roles); got.status != want {
			t.Errorf("role %q: %d %s", roles, got.status, got.body)
		}
	}
	if got := h.postJSON("/api/policies", body, "Idempotency-Key", "k"); got.status != http.StatusUnauthorized {
		t.Errorf("nobody: %d %s", got.status, got.body)
	}
	h.has(h.postJSON("/api/policies", body, "Idempotency-Key", "k", "X-Person", "ada", "X-Roles", "admin"), `"added":true`)
	if p, err := h.FindPolicy(t.Context(), "standard", 0); err != nil || p.AddedBy != "ada" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAPIPolicyPreview(t *testing.T) {
	h := newShop(t)
	preview := map[string]any{"policy": "standard", "due_date": "2026-10-12", "time_zone": "Europe/Berlin", "minor": 4900, "currency": "EUR"}
	got := h.postJSON("/api/policies/preview", preview)
	h.has(got, `"local":"2026-10-13T09:00:00+02:00"`, `"local":"2026-10-28T09:00:00+01:00"`, `"do":"suspend"`, `"notice":"final_notice"`)
	with := func(name string, value any) map[string]any {
		out := map[string]any{}
		for k, v := range preview {
			out[k] = v
		}
		out[name] = value
		return out
	}
	for want, body := range map[string]map[string]any{
		`there is no policy \"gentle\"`: with("policy", "gentle"),
		"give either":                   with("document", "name: x"),
		"is no ISO 4217 currency":       with("currency", "EUX"),
		"want an IANA name":             with("time_zone", "Mars"),
		"due_date":                      with("due_date", "soon"),
		"minor":                         with("minor", 0),
	} {
		if p := h.postJSON("/api/policies/preview", body); p.status < 400 || p.status >= 500 || !strings.Contains(p.body, want) {
			t.Errorf("%s: %d %s", want, p.status, p.body)
		}
	}
	delete(preview, "policy")
	h.has(h.postJSON("/api/policies/preview", with("document", standardDocument(t, "suspend: 30", "suspend: 40"))), `"unit":40`)
}
