package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// own is a browser of one of an account's own people.
func (h *shop) own(account billing.AccountID, role access.Role) *http.Client {
	h.t.Helper()
	return h.sessionFor(store.SignIn{Name: "Olga", Roles: []access.Role{role}, Account: account})
}

// sendAs posts JSON as a browser would from our own page.
func (h *shop) sendAs(client *http.Client, path, key, body string) page {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.web.URL+path, strings.NewReader(body))
	h.must(err)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer, err := client.Do(r)
	h.must(err)
	return h.read(answer)
}

// noStaffWords fails when a page for customers says what only staff may read.
func (h *shop) noStaffWords(p page) {
	h.t.Helper()
	text := strings.ToLower(mainOf(p.body))
	for _, word := range []string{"lost", "stolen", "fraud", "grace", "their bank is closed", "supervisor", "override", "request_id\":\"r-1", "pm_secret_token",
		"cus_secret", "pi_", "@example.com", "idempotency key", "workflow"} {
		if strings.Contains(text, word) {
			h.t.Errorf("a customer reads %q in:\n%s", word, mainOf(p.body))
		}
	}
}

// TestI19OwnEndpoints asks every endpoint of an account's own people for their own, another's and a missing thing, as each role.
func TestI19OwnEndpoints(t *testing.T) {
	h := withOIDC(t)
	h.story()
	until := h.now.AddDate(0, 0, 9).UTC().Format("2006-01-02T15:04:05Z")
	for _, c := range []struct {
		method, before, after string
		own, other, missing   string
		body                  string
		action                access.Action
	}{
		{"GET", "/api/own/invoices/", "", "inv-acme", "inv-kyoto", "inv-none", "", access.ReadOwn},
		{"POST", "/api/own/invoices/", "/pay", "inv-acme", "inv-brooklyn", "inv-none", `{"method":"acme-pm1"}`, access.PayNow},
		{"POST", "/api/own/invoices/", "/ask-for-time", "inv-acme", "inv-brooklyn", "inv-none", `{"until":"` + until + `"}`, access.AskForTime},
		{"GET", "/own/invoices/", "", "inv-acme", "inv-kyoto", "inv-none", "", access.ReadOwn},
		{"POST", "/api/accounts/", "/methods", "acme", "kyoto", "none", `{"change":"backups_off"}`, access.ChangeMethods},
	} {
		for _, role := range access.AccountRoles() {
			client := h.own("acme", role)
			ask := func(thing string) page {
				if c.method == "GET" {
					return h.getAs(client, c.before+thing+c.after)
				}
				return h.sendAs(client, c.before+thing+c.after, "k-"+string(role), c.body)
			}
			own, other, missing := ask(c.own), ask(c.other), ask(c.missing)
			if !role.May(c.action) {
				for _, p := range []page{own, other, missing} {
					if p.status != http.StatusForbidden {
						t.Errorf("%s%s%s as %s: status %d", c.before, c.own, c.after, role, p.status)
					}
				}
				continue
			}
			// A second time it may be refused, because it is done; but it is seen.
			if own.status != http.StatusOK && own.status != http.StatusConflict {
				t.Errorf("%s%s%s as %s: status %d: %s", c.before, c.own, c.after, role, own.status, own.body)
			}
			if other.status != http.StatusNotFound || missing.status != http.StatusNotFound || other.body != missing.body {
				t.Errorf("%s…%s as %s: another's %d, missing %d: %s\n%s", c.before, c.after, role, other.status, missing.status, other.body, missing.body)
			}
			h.noStaffWords(own)
		}
	}
	var others int
	h.must(h.Pool().QueryRow(context.Background(), `select (select count(*) from method_changes where account_id <> 'acme') +
		(select count(*) from resolutions where account_id <> 'acme' and actor like '%customer%')`).Scan(&others))
	if others != 0 {
		t.Errorf("%d acts on others", others)
	}
}

func TestOwnAccountIsShownAndNobodyElse(t *testing.T) {
	h := withOIDC(t)
	h.story()
	client := h.own("acme", access.AccountViewer)
	var own struct {
		ID       string
		Invoices []struct {
			ID   string
			Next struct{ What, At string }
		}
		Methods []struct {
			Last4, Why string
			Usable     bool
		} `json:"payment_methods"`
	}
	p := h.getAs(client, "/api/own")
	h.must(json.Unmarshal([]byte(p.body), &own))
	if own.ID != "acme" || len(own.Invoices) != 1 || own.Invoices[0].Next.What == "" || own.Invoices[0].Next.At == "" || len(own.Methods) != 2 {
		t.Fatalf("%+v", own)
	}
	if m := own.Methods[1]; m.Usable || m.Why != "can't be used any more" {
		t.Errorf("%+v", m)
	}
	h.noStaffWords(p)
	// What happens next, in the words and at the date that staff see.
	staff := h.sessionFor(store.SignIn{Name: "vera", Roles: []access.Role{access.Viewer}})
	h.has(h.getAs(staff, "/cases/inv-acme"), own.Invoices[0].Next.What, `datetime="`+own.Invoices[0].Next.At+`"`)
	for _, path := range []string{"/own", "/own/invoices/inv-acme"} {
		p := h.getAs(client, path)
		h.has(p, own.Invoices[0].Next.What, "1,114.56")
		h.hasNot(p, "Pay now", "Ask for time", "Move up", `href="/cases`)
		h.noStaffWords(p)
	}
	for _, path := range []string{"/own", "/own/invoices/inv-acme", "/api/own"} {
		if p := h.getAs(staff, path); p.status != http.StatusForbidden {
			t.Errorf("%s for staff: status %d", path, p.status)
		}
		if p := h.get(path); p.status != http.StatusUnauthorized {
			t.Errorf("%s for nobody: status %d", path, p.status)
		}
	}
	for _, name := range []string{"kuwait", "brooklyn", "lima", "kyoto"} {
		client := h.own(billing.AccountID(name), access.Owner)
		for _, path := range []string{"/own", "/own/invoices/inv-" + name, "/api/own", "/api/own/invoices/inv-" + name} {
			p := h.getAs(client, path)
			if p.status != http.StatusOK {
				t.Errorf("%s of %s: status %d: %s", path, name, p.status, p.body)
			}
			h.noStaffWords(p)
		}
	}
}

// TestAParkedReasonStaysWithStaff: what a person of ours is asked may name what a customer must not read (N3).
func TestAParkedReasonStaysWithStaff(t *testing.T) {
	h := withOIDC(t)
	h.story()
	h.exec(`update cases set parked_why = 'fraud is suspected' where id = 'inv-acme'`)
	_, err := h.Review(context.Background(), "inv-acme")
	h.must(err)
	client := h.own("acme", access.Owner)
	for _, path := range []string{"/own", "/own/invoices/inv-acme", "/api/own"} {
		p := h.getAs(client, path)
		h.has(p, "We are looking at this invoice")
		h.noStaffWords(p)
	}
	if p := h.sendAs(client, "/api/own/invoices/inv-acme/pay", "k", "{}"); p.status != http.StatusConflict || !strings.Contains(p.body, "looking at this invoice ourselves") {
		t.Errorf("status %d: %s", p.status, p.body)
	}
}

func TestR2OwnActsAreDoneOnce(t *testing.T) {
	h := withOIDC(t)
	h.story()
	client := h.own("acme", access.Owner)
	first := h.sendAs(client, "/api/own/invoices/inv-acme/pay", "click", `{"method":"acme-pm1"}`)
	again := h.sendAs(client, "/api/own/invoices/inv-acme/pay", "click", `{"method":"acme-pm1"}`)
	if first.status != http.StatusOK || again.status != http.StatusOK || strings.Contains(first.body, "repeated") || !strings.Contains(again.body, `"repeated":true`) {
		t.Errorf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
	}
	if p := h.sendAs(client, "/api/own/invoices/inv-acme/pay", "click", `{}`); p.status != http.StatusConflict {
		t.Errorf("another content: %d %s", p.status, p.body)
	}
	const add = `{"change":"add","new":{"token":"pm_new","kind":"card","brand":"visa","last4":"1881","expiry":"2031-02","primary":true}}`
	one := h.sendAs(client, "/api/own/methods", "add", add)
	two := h.sendAs(client, "/api/own/methods", "add", add)
	if one.status != http.StatusOK || !strings.Contains(two.body, `"repeated":true`) {
		t.Errorf("%d %s\n%s", one.status, one.body, two.body)
	}
	for field, body := range map[string]string{
		"token": `{"change":"add","new":{"token":"4242424242424242","kind":"card"}}`, "order": `{"change":"reorder","order":["acme-pm1"]}`,
		"expiry": `{"change":"add","new":{"token":"pm_x","kind":"card","expiry":"soon"}}`, "kind": `{"change":"dance"}`,
		"customer_token": `{"change":"add","new":{"token":"pm_y","kind":"card","customer_token":"cus_other"}}`,
	} {
		p := h.sendAs(client, "/api/own/methods", "bad-"+field, body)
		if p.status < 400 || p.status > 409 || !strings.Contains(p.body, `"location":"`+field+`"`) {
			t.Errorf("%s: %d %s", field, p.status, p.body)
		}
	}
	var text string
	h.must(h.Pool().QueryRow(context.Background(), `select string_agg(actor || ' ' || act || ' ' || reason || ' ' || (origin like 'api session %')::text, '; ' order by id)
		from audit_log where account_id = 'acme' and act in ('retry_now', 'methods_add')`).Scan(&text))
	if text != "Olga (customer) retry_now asked for by the customer true; Olga (customer) methods_add changed by the customer true" {
		t.Errorf("the audit log says %s", text)
	}
}

func TestPortalLinkSignsInOnce(t *testing.T) {
	h := withOIDC(t)
	h.story()
	staff := h.sessionFor(store.SignIn{Name: "sam", Roles: []access.Role{access.Support}})
	made := h.sendAs(staff, "/api/accounts/acme/portal-links", "", `{"role":"owner","name":"Olga"}`)
	var link struct{ URL string }
	h.must(json.Unmarshal([]byte(made.body), &link))
	if made.status != http.StatusCreated || !strings.HasPrefix(link.URL, "/portal/") {
		t.Fatalf("%d %s", made.status, made.body)
	}
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/api/accounts/none/portal-links", `{"role":"owner","name":"Olga"}`, 404}, {"/api/accounts/acme/portal-links", `{"role":"admin","name":"Olga"}`, 400},
		{"/api/accounts/acme/portal-links", `{"role":"owner","name":" "}`, 400},
	} {
		if p := h.sendAs(staff, c.path, "", c.body); p.status != c.want {
			t.Errorf("%s %s: %d %s", c.path, c.body, p.status, p.body)
		}
	}
	// Programs that look at links first use nothing up.
	for range 3 {
		if p := h.get(link.URL); p.status != http.StatusOK {
			t.Fatalf("looked at: status %d", p.status)
		}
		answer, err := http.Head(h.web.URL + link.URL)
		h.must(err)
		h.read(answer)
	}
	browser := h.client()
	shown := h.getAs(browser, link.URL)
	h.hasNot(shown, "Acme", "Olga")
	if p := h.post(browser, link.URL, url.Values{}); p.status != http.StatusConflict {
		t.Errorf("a forged form signs in: status %d", p.status)
	}
	f := url.Values{"token": {tokenOf(browser, h.web.URL)}}
	p := h.post(browser, link.URL, f)
	if p.status != http.StatusSeeOther || p.header.Get("Location") != "/own" {
		t.Fatalf("status %d to %s: %s", p.status, p.header.Get("Location"), p.body)
	}
	for _, set := range p.header.Values("Set-Cookie") {
		if strings.HasPrefix(set, "recoup_session=") && (!strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Lax")) {
			t.Errorf("the session's cookie is open: %s", set)
		}
	}
	h.has(h.getAs(browser, "/own"), "Acme Maschinenbau", "Olga", "Sign out")
	for _, path := range []string{"/", "/cases", "/accounts/acme", "/api/accounts/kyoto"} {
		if p := h.getAs(browser, path); p.status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, p.status)
		}
	}
	out := h.client()
	out.Jar = browser.Jar
	defer func() {
		if p := h.post(out, "/sign-out", url.Values{"token": {tokenOf(out, h.web.URL)}}); p.header.Get("Location") != "/own" {
			t.Errorf("signed out: status %d to %s", p.status, p.header.Get("Location"))
		}
		p := h.getAs(out, "/own")
		h.has(p, "You are signed out", "Ask for a new one")
		h.hasNot(p, "Acme")
	}()
	second := h.client()
	h.getAs(second, link.URL)
	if p := h.post(second, link.URL, url.Values{"token": {tokenOf(second, h.web.URL)}}); p.status != http.StatusNotFound {
		t.Errorf("used twice: status %d", p.status)
	} else {
		h.has(p, "used already")
	}
	if strings.Contains(h.logs.String(), strings.TrimPrefix(link.URL, "/portal/")) {
		t.Error("I18: the link's secret is in the log")
	}
	// The owner invites a colleague to their own account, and to no other.
	invited := h.sendAs(browser, "/api/own/portal-links", "", `{"role":"account_viewer","name":"Bert"}`)
	if invited.status != http.StatusCreated {
		t.Errorf("%d %s", invited.status, invited.body)
	}
	if p := h.sendAs(h.own("acme", access.BillingManager), "/api/own/portal-links", "", `{"role":"owner","name":"Bert"}`); p.status != http.StatusForbidden {
		t.Errorf("a billing manager invites: status %d", p.status)
	}
}

// TestPM10StaffChangeMethodsByForm: who has methods.change gets the forms, others don't; each is taken as the page gives it.
func TestPM10StaffChangeMethodsByForm(t *testing.T) {
	h := withOIDC(t)
	h.story()
	support := h.sessionFor(store.SignIn{Name: "sam", Roles: []access.Role{access.Support}})
	h.hasNot(h.getAs(support, "/accounts/brooklyn"), "Add a payment method")
	sue := h.sessionFor(store.SignIn{Name: "sue", Roles: []access.Role{access.Supervisor}})
	page := h.getAs(sue, "/accounts/brooklyn")
	h.has(page, "Add a payment method", "Backup methods are on")
	for n, set := range []url.Values{
		{"change": {"raise"}, "method": {"brooklyn-pm2"}},
		{"change": {"disable"}, "method": {"brooklyn-pm1"}},
		{"change": {"enable"}, "method": {"brooklyn-pm1"}},
		{"change": {"add"}, "method_token": {"pm_x"}, "kind": {"card"}, "brand": {"Visa"}, "last4": {"1881"}, "expiry": {"2031-01"}},
		{"change": {"replace"}, "method": {"brooklyn-pm1"}, "method_token": {"pm_y"}, "kind": {"card"}, "last4": {"0077"}},
		{"change": {"remove"}, "method": {"brooklyn-pm2"}},
		{"change": {"backups_off"}},
	} {
		set.Set("token", tokenOf(sue, h.web.URL))
		set.Set("request_id", "form-"+string(rune('a'+n)))
		set.Set("reason", "they called")
		if p := h.post(support, "/accounts/brooklyn/methods", set); p.status != http.StatusForbidden {
			t.Errorf("%s as support: status %d", set.Get("change"), p.status)
		}
		if p := h.post(sue, "/accounts/brooklyn/methods", set); p.status != http.StatusSeeOther {
			t.Fatalf("%s: status %d\n%s", set.Get("change"), p.status, mainOf(p.body))
		}
	}
	var order string
	h.must(h.Pool().QueryRow(context.Background(), `select string_agg(last4, ' ' order by position) from payment_methods where account_id = 'brooklyn' and removed_at is null`).Scan(&order))
	if order != "0077 1881" {
		t.Errorf("the order is %s", order)
	}
	set := url.Values{"token": {tokenOf(sue, h.web.URL)}, "request_id": {"form-z"}, "change": {"add"}, "method_token": {"4242 4242 4242 4242"}, "kind": {"card"}, "reason": {"x"}}
	p := h.post(sue, "/accounts/brooklyn/methods", set)
	if p.status != http.StatusBadRequest {
		t.Errorf("status %d", p.status)
	}
	h.has(p, "Not changed.", "card number")
	h.hasNot(p, "4242 4242 4242")
}
