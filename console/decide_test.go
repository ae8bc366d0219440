package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recoup/billing"
)

// decidable is a shop with one account in Tokyo and one case of ¥5000.
func decidable(t *testing.T) *shop {
	t.Helper()
	h := newShop(t)
	h.account("a", "A", "Asia/Tokyo", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("JPY 5000"))
	h.open("inv")
	return h
}

// TestR1EveryDecisionHasAForm: each kind's form is on the page, is taken as the page gives it, and is recorded once.
func TestR1EveryDecisionHasAForm(t *testing.T) {
	h := decidable(t)
	client := h.client()
	until := h.now.AddDate(0, 0, 9).Format("2006-01-02T15:04")
	for n, step := range []struct {
		path string
		kind billing.ResolutionKind
		set  map[string]string
	}{
		{"/cases/inv", billing.Extend, map[string]string{"until": until}},
		{"/cases/inv", billing.PromiseToPay, map[string]string{"amount": "5000", "until": until}},
		{"/cases/inv", billing.Dispute, map[string]string{"amount": "1000", "claim": "never ordered"}},
		{"/cases/inv", billing.EndDispute, map[string]string{"outcome": "rejected"}},
		{"/cases/inv", billing.GrantCredit, map[string]string{"amount": "500"}},
		{"/accounts/a", billing.Hold, map[string]string{"until": until}},
		{"/accounts/a", billing.Release, nil},
		{"/accounts/a", billing.SuspendNow, nil},
		{"/accounts/a", billing.Reinstate, nil},
		{"/accounts/a", billing.NeverSuspend, map[string]string{"until": until}},
		{"/accounts/a", billing.CloseAccount, nil},
		{"/cases/inv", billing.WriteOffInvoice, nil},
		{"/cases/inv", billing.Reverse, nil}, // the last one: the write-off
		{"/cases/inv/2", billing.VoidInvoice, nil},
	} {
		f := h.form(client, step.path, step.kind)
		for name, value := range step.set {
			f.Set(name, value)
		}
		f.Set("actor", "Ada")
		f.Set("reason", "The customer called")
		if step.kind == billing.Reverse {
			f.Set("reverses", lastRequest(h))
		}
		if p := h.post(client, step.path+"/resolve", f); p.status != http.StatusSeeOther {
			t.Fatalf("%s: status %d\n%s", step.kind, p.status, mainOf(p.body))
		}
		if got := h.resolutions(); got != n+1 {
			t.Fatalf("%s: %d resolutions, want %d", step.kind, got, n+1)
		}
	}
}

func lastRequest(h *shop) string {
	h.t.Helper()
	var id string
	h.must(h.Pool().QueryRow(h.t.Context(), `select request_id from resolutions where kind = 'write_off'`).Scan(&id))
	return id
}

func TestR2SecondPersonConfirmsOnThePage(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "UTC", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("USD 2000"))
	h.open("inv")
	client := h.client()
	f := h.form(client, "/cases/inv", billing.VoidInvoice)
	f.Set("actor", "Ada")
	f.Set("reason", "wrong customer")
	if p := h.post(client, "/cases/inv/resolve", f); p.status != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", p.status, mainOf(p.body))
	}
	page := h.get("/cases/inv")
	h.has(page, "Confirm: void", "Ada proposed it")
	f.Set("confirms", f.Get("request_id"))
	f.Set("request_id", "console-second")
	if p := h.post(client, "/cases/inv/resolve", f); p.status != http.StatusBadRequest {
		t.Errorf("the same person: status %d", p.status)
	}
	f.Set("actor", "Bob")
	if p := h.post(client, "/cases/inv/resolve", f); p.status != http.StatusSeeOther {
		t.Errorf("the second person: status %d\n%s", p.status, mainOf(p.body))
	}
	h.has(h.get("/cases/inv"), "Void")
}

func TestRefusedAccountFormSaysWhy(t *testing.T) {
	h := decidable(t)
	client := h.client()
	f := h.form(client, "/accounts/a", billing.Hold)
	f.Set("actor", "Ada")
	f.Set("reason", "asked")
	f.Set("until", "2036-01-01T09:00")
	p := h.post(client, "/accounts/a/resolve", f)
	if p.status != http.StatusBadRequest || h.resolutions() != 0 {
		t.Fatalf("status %d", p.status)
	}
	h.has(p, "Not recorded.", "at most 14 days", `value="2036-01-01T09:00"`)
}

// TestR1DecisionsByAPI: programs take the same door, with the request id as their idempotency key.
func TestR1DecisionsByAPI(t *testing.T) {
	h := decidable(t)
	send := func(path, key, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, h.web.URL+path, strings.NewReader(body))
		h.must(err)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", key)
		answer, err := h.client().Do(request)
		h.must(err)
		p := h.read(answer)
		return p.status, p.body
	}
	until := h.now.AddDate(0, 0, 9).UTC().Format("2006-01-02T15:04:05Z")
	dispute := `{"kind": "dispute", "actor": "Ada", "reason": "ticket 17", "claim": "never ordered", "amount": {"minor": 1000, "currency": "JPY"}}`
	for range 2 {
		if status, body := send("/api/cases/inv/resolutions", "api-1", dispute); status != http.StatusOK || !strings.Contains(body, "is disputed") {
			t.Fatalf("status %d: %s", status, body)
		}
	}
	for key, c := range map[string]struct {
		path, body string
		status     int
		words      string
	}{
		"api-2": {"/api/accounts/a/resolutions", fmt.Sprintf(`{"kind": "never_suspend", "actor": "Ada", "reason": "r", "until": %q}`, until), 200, "not suspended before"},
		"api-3": {"/api/cases/inv/resolutions", `{"kind": "grant_credit", "actor": "Ada", "reason": "r"}`, 400, "amount"},
		"api-4": {"/api/cases/inv/resolutions", `{"kind": "forgive", "actor": "Ada", "reason": "r"}`, 400, "kind"},
		"api-5": {"/api/cases/nothing/resolutions", `{"kind": "write_off", "actor": "Ada", "reason": "r"}`, 404, "no case"},
		"api-1": {"/api/cases/inv/resolutions", `{"kind": "write_off", "actor": "Ada", "reason": "r"}`, 409, "another decision"},
	} {
		if status, body := send(c.path, key, c.body); status != c.status || !strings.Contains(body, c.words) {
			t.Errorf("%s: status %d: %s; want %d with %q", key, status, body, c.status, c.words)
		}
	}
	if n := h.resolutions(); n != 2 {
		t.Errorf("%d resolutions, want 2", n)
	}
}
