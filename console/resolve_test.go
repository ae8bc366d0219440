package console_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"recoup/access"
	"recoup/billing"
	"recoup/console"
)

// post sends a form as the browser that read the page would, after changing it.
func (h *shop) post(client *http.Client, path string, form url.Values, header ...string) page {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodPost, h.web.URL+path, strings.NewReader(form.Encode()))
	h.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for n := 0; n+1 < len(header); n += 2 {
		request.Header.Set(header[n], header[n+1])
	}
	answer, err := client.Do(request)
	h.must(err)
	return h.read(answer)
}

// form opens a case's page and returns its form.
func (h *shop) form(client *http.Client, path string, kind billing.ResolutionKind) url.Values {
	h.t.Helper()
	answer, err := client.Get(h.web.URL + path)
	h.must(err)
	return formFields(h.read(answer).body, kind)
}

func (h *shop) resolutions() int {
	h.t.Helper()
	var n int
	h.must(h.Pool().QueryRow(context.Background(), `select count(*) from resolutions`).Scan(&n))
	return n
}

func TestR2PaymentIsRecordedOnce(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "Asia/Tokyo", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("JPY 5000"))
	h.open("inv")
	client := h.client()
	f := h.form(client, "/cases/inv", billing.PaidOutOfBand)
	f.Set("amount", "2000")
	f.Set("reference", "WIRE-7")
	f.Set("received_on", h.now.AddDate(0, 0, -1).Format("2006-01-02"))
	for range 2 {
		p := h.post(client, "/cases/inv/resolve", f)
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/cases/inv?done=console-") {
			t.Fatalf("status %d to %q\n%s", p.status, p.header.Get("Location"), mainOf(p.body))
		}
		answer, err := client.Get(h.web.URL + p.header.Get("Location"))
		h.must(err)
		done := h.read(answer)
		h.has(done, "Recorded: paid out of band", "¥3,000", "Paid outside Recoup", "The customer called", "Ada", "WIRE-7", `value="Ada"`)
	}
	if n := h.resolutions(); n != 1 {
		t.Errorf("%d resolutions, want 1: the same request id is the same decision", n)
	}
}

func TestHoldAndReleaseFromThePage(t *testing.T) {
	h := newShop(t)
	h.story()
	client := h.client()
	f := h.form(client, "/cases/inv-acme", billing.Hold)
	f.Set("until", h.now.AddDate(0, 0, 5).Format("2006-01-02T15:04"))
	f["scope"] = []string{"attempts", "suspension"}
	if p := h.post(client, "/cases/inv-acme/resolve", f); p.status != http.StatusSeeOther {
		t.Fatalf("hold: status %d\n%s", p.status, mainOf(p.body))
	}
	h.has(h.get("/cases/inv-acme"), "On hold: no attempts, suspension", "Release the hold")
	f = h.form(client, "/cases/inv-acme", billing.Release)
	if p := h.post(client, "/cases/inv-acme/resolve", f); p.status != http.StatusSeeOther {
		t.Fatalf("release: status %d\n%s", p.status, mainOf(p.body))
	}
	h.hasNot(h.get("/cases/inv-acme"), "Release the hold")
}

func TestARefusedFormSaysWhyAndKeepsWhatWasTyped(t *testing.T) {
	h := newShop(t)
	h.story()
	client := h.client()
	for name, c := range map[string]struct {
		kind   billing.ResolutionKind
		change url.Values
		status int
		want   string
	}{
		"no reason":          {billing.RetryNow, url.Values{"reason": {" "}}, 400, "Say the reason."},
		"card number":        {billing.RetryNow, url.Values{"reason": {"try 4242 4242 4242 4242"}}, 400, "looks like a card number"},
		"nobody":             {billing.RetryNow, url.Values{"actor": {""}}, 400, "Say who decides."},
		"unknown kind":       {"give_money", url.Values{}, 400, "no decision"},
		"yen and sen":        {billing.PaidOutOfBand, url.Values{"amount": {"12.345"}, "reference": {"x"}, "received_on": {"2026-01-01"}}, 400, "Write the amount in EUR"},
		"no amount":          {billing.PaidOutOfBand, url.Values{"amount": {""}, "reference": {"x"}, "received_on": {"2026-01-01"}}, 400, "Say how much arrived."},
		"nothing":            {billing.PaidOutOfBand, url.Values{"amount": {"0.00"}, "reference": {"x"}, "received_on": {"2026-01-01"}}, 400, "above zero"},
		"less than nothing":  {billing.PaidOutOfBand, url.Values{"amount": {"-5"}, "reference": {"x"}, "received_on": {"2026-01-01"}}, 400, "above zero"},
		"tomorrow":           {billing.PaidOutOfBand, url.Values{"amount": {"5"}, "reference": {"x"}, "received_on": {"2036-01-01"}}, 400, "has not come yet"},
		"no day":             {billing.PaidOutOfBand, url.Values{"amount": {"5"}, "reference": {"x"}, "received_on": {"yesterday"}}, 400, "Give the day"},
		"no reference":       {billing.PaidOutOfBand, url.Values{"amount": {"5"}, "reference": {""}, "received_on": {"2026-01-01"}}, 400, "Say the reference."},
		"hold into the past": {billing.Hold, url.Values{"until": {"2020-01-01T09:00"}, "scope": {"attempts"}}, 400, "in the future"},
		"hold for years":     {billing.Hold, url.Values{"until": {"2036-01-01T09:00"}, "scope": {"attempts"}}, 400, "at most 14 days"},
		"hold of nothing":    {billing.Hold, url.Values{"until": {h.now.AddDate(0, 0, 2).Format("2006-01-02T15:04")}}, 400, "Choose what the hold stops."},
		"not held":           {billing.Release, url.Values{}, 409, "not held"},
		"another's method":   {billing.RetryNow, url.Values{"method": {"kyoto-pm1"}}, 409, ""},
	} {
		f := h.form(client, "/cases/inv-acme", c.kind)
		for key, value := range c.change {
			f[key] = value
		}
		p := h.post(client, "/cases/inv-acme/resolve", f)
		if p.status != c.status {
			t.Errorf("%s: status %d, want %d\n%s", name, p.status, c.status, mainOf(p.body))
			continue
		}
		h.has(p, "Not recorded.", c.want, `name="request_id"`)
		if typed := f.Get("reference"); len(typed) > 0 {
			h.has(p, `name="reference" required maxlength="100" autocomplete="off" value="`+typed+`"`)
		}
	}
	if n := h.resolutions(); n != 1 { // the story's own
		t.Errorf("%d resolutions after refusals only, want 1", n)
	}
}

func TestFormsFromElsewhereAreRefused(t *testing.T) {
	h := newShop(t)
	h.story()
	client := h.client()
	f := h.form(client, "/cases/inv-acme", billing.RetryNow)
	stranger := url.Values{}
	for key, value := range f {
		stranger[key] = value
	}
	stranger.Set("token", strings.Repeat("A", 26))
	if p := h.post(client, "/cases/inv-acme/resolve", stranger); p.status < 400 {
		t.Errorf("a wrong token: status %d", p.status)
	}
	if p := h.post(h.client(), "/cases/inv-acme/resolve", f); p.status < 400 {
		t.Errorf("another browser's token: status %d", p.status)
	}
	if p := h.post(client, "/cases/inv-acme/resolve", f, "Sec-Fetch-Site", "cross-site"); p.status != http.StatusForbidden {
		t.Errorf("from another site: status %d", p.status)
	}
	if p := h.post(client, "/cases/inv-acme/resolve", f, "Origin", "https://evil.example"); p.status != http.StatusForbidden {
		t.Errorf("from another origin: status %d", p.status)
	}
	if n := h.resolutions(); n != 1 {
		t.Errorf("%d resolutions, want the story's own", n)
	}
}

func TestReadOnlyConsoleHasNoForms(t *testing.T) {
	h := newShop(t, func(o *console.Options) { o.Resolver = nil })
	h.story()
	h.hasNot(h.get("/cases/inv-acme"), "Retry now", `name="decide"`)
	if p := h.post(h.client(), "/cases/inv-acme/resolve", url.Values{}); p.status != http.StatusMethodNotAllowed && p.status != http.StatusNotFound {
		t.Errorf("status %d", p.status)
	}
}

func TestR2TheProxysNameIsTheActor(t *testing.T) {
	h := newShop(t, func(o *console.Options) {
		o.SignIn = console.SignIn{ActorHeader: "X-Forwarded-User", RolesHeader: "X-Forwarded-Groups", Roles: map[string]access.Role{"money": access.Finance}}
	})
	h.account("a", "A", "UTC", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("USD 10"))
	h.open("inv")
	client := h.client()
	grace := []string{"X-Forwarded-User", "grace", "X-Forwarded-Groups", "staff,money"}
	read, err := http.NewRequest(http.MethodGet, h.web.URL+"/cases/inv", nil)
	h.must(err)
	for n := 0; n < len(grace); n += 2 {
		read.Header.Set(grace[n], grace[n+1])
	}
	answer, err := client.Do(read)
	h.must(err)
	f := formFields(h.read(answer).body, billing.PaidOutOfBand)
	f.Set("actor", "Mallory")
	f.Set("amount", "10.00")
	f.Set("reference", "W")
	f.Set("received_on", h.now.AddDate(0, 0, -1).Format("2006-01-02"))
	if p := h.post(client, "/cases/inv/resolve", f); p.status != http.StatusUnauthorized {
		t.Fatalf("nobody signed in: status %d", p.status)
	}
	if p := h.post(client, "/cases/inv/resolve", f, "X-Forwarded-User", "grace", "X-Forwarded-Groups", "staff"); p.status != http.StatusForbidden {
		t.Fatalf("a group without a role: status %d", p.status)
	}
	if p := h.post(client, "/cases/inv/resolve", f, grace...); p.status != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", p.status, mainOf(p.body))
	}
	var actor, origin string
	h.must(h.Pool().QueryRow(context.Background(), `select actor, origin from audit_log where act = 'paid_out_of_band'`).Scan(&actor, &origin))
	if actor != "grace" || origin != "console proxy from 127.0.0.1" {
		t.Errorf("recorded as %q from %q", actor, origin)
	}
}
