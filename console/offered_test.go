package console_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

var (
	formOnPage = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	kindOfForm = regexp.MustCompile(`name="kind" value="([a-z_]+)"`)
)

// formsOn lists what a page offers, as the actions that the table grants.
func formsOn(p page) []access.Action {
	var found []access.Action
	for _, form := range formOnPage.FindAllStringSubmatch(p.body, -1) {
		switch kind := kindOfForm.FindStringSubmatch(form[2]); {
		case strings.Contains(form[2], `name="confirms"`):
			found = append(found, access.ConfirmDecision)
		case kind != nil:
			found = append(found, access.Resolve(billing.ResolutionKind(kind[1])))
		case strings.HasPrefix(form[1], "/tasks/") && strings.Contains(form[2], `name="reference"`):
			found = append(found, access.Refund)
		case strings.HasPrefix(form[1], "/tasks/"):
			found = append(found, access.CloseTasks)
		}
		if strings.Contains(form[2], `name="override"`) {
			found = append(found, access.OverrideLimit)
		}
	}
	slices.Sort(found)
	return found
}

// everyForm is a shop on whose pages each kind of form is somewhere.
func everyForm(t *testing.T) (h *shop, pages []string) {
	t.Helper()
	h = withOIDC(t)
	h.story()
	h.account("big", "Big", "UTC", "visa 4242")
	h.invoice("inv-big", "N-BIG", "big", amount("USD 2000"))
	h.open("inv-big")
	h.decides(billing.Resolution{Kind: billing.VoidInvoice, Case: "inv-big"})                                   // waits for a second person
	h.decides(billing.Resolution{Kind: billing.NeverSuspend, Account: "big", Until: h.now.Add(48 * time.Hour)}) // can be taken back
	h.decides(billing.Resolution{Kind: billing.Hold, Case: "inv-big", Until: h.now.Add(48 * time.Hour)})
	part := amount("USD 2")
	h.decides(billing.Resolution{Kind: billing.Dispute, Case: "inv-big", Amount: &part, Claim: "never ordered"})
	h.account("odd", "Odd", "UTC", "visa 4242")
	h.invoice("inv-odd", "N-ODD", "odd", amount("USD 2"))
	h.open("inv-odd")
	paid := amount("USD 9")
	h.decides(billing.Resolution{Kind: billing.PaidOutOfBand, Case: "inv-odd", Amount: &paid, Reference: "CHQ", ReceivedOn: "2026-11-01"})
	h.exec(`insert into tasks (id, key, kind, account_id, detail, opened_at) values (gen_random_uuid(), 'mail/odd', 'mail_undeliverable', 'odd', '{}', now())`)
	pages = []string{"/cases/inv-acme", "/cases/inv-brooklyn", "/cases/inv-kuwait", "/cases/inv-big", "/cases/inv-odd", "/accounts/acme", "/accounts/big", "/accounts/lima"}
	tasks, err := h.ListTasks(context.Background(), "", "odd")
	h.must(err)
	for _, task := range tasks {
		pages = append(pages, "/tasks/"+task.ID)
	}
	return h, pages
}

func (h *shop) decides(r billing.Resolution) billing.ResolutionAnswer {
	h.t.Helper()
	if r.RequestID == "" {
		r.RequestID = "test-" + string(r.Kind) + "-" + string(r.Case) + string(r.Account)
	}
	r.Actor, r.Reason = "pat", "asked"
	answer, err := h.Resolve(context.Background(), r)
	h.must(err)
	return answer
}

// TestPagesOfferWhatTheTableGrants holds the forms on every page, for every role, against the table; an administrator, who may all, finds
// every kind of decision on one page or another. What isn't offered is refused to who sends it all the same.
func TestPagesOfferWhatTheTableGrants(t *testing.T) {
	h, pages := everyForm(t)
	offered := func(role access.Role) map[string][]access.Action {
		client, found := h.sessionFor(store.SignIn{Name: "p-" + string(role), Roles: []access.Role{role}}), map[string][]access.Action{}
		for _, path := range pages {
			p := h.getAs(client, path)
			if p.status != http.StatusOK {
				t.Fatalf("%s, %s: status %d", role, path, p.status)
			}
			found[path] = formsOn(p)
		}
		return found
	}
	all := offered(access.Admin)
	var somewhere []access.Action
	for _, forms := range all {
		somewhere = append(somewhere, forms...)
	}
	wanted := []access.Action{access.ConfirmDecision, access.OverrideLimit, access.CloseTasks, access.Refund}
	for _, kind := range billing.ResolutionKinds() {
		wanted = append(wanted, access.Resolve(kind))
	}
	for _, action := range wanted {
		if !slices.Contains(somewhere, action) {
			t.Errorf("%s has a form on no page", action)
		}
	}
	for _, role := range access.StaffRoles() {
		for path, forms := range offered(role) {
			var want []access.Action
			for _, action := range all[path] {
				// A field that goes beyond a limit is part of a form that must be granted too.
				if role.May(action) && (action != access.OverrideLimit || role.May(access.Resolve(billing.PromiseToPay))) {
					want = append(want, action)
				}
			}
			if !slices.Equal(forms, want) {
				t.Errorf("%s is offered %v on %s, the table grants %v", role, forms, path, want)
			}
		}
	}
	h.notGrantedIsRefused()
}

// notGrantedIsRefused sends every kind of decision as every role that was not granted it.
func (h *shop) notGrantedIsRefused() {
	h.t.Helper()
	before := h.resolutions()
	for _, role := range access.StaffRoles() {
		client := h.sessionFor(store.SignIn{Name: "p-" + string(role), Roles: []access.Role{role}})
		h.getAs(client, "/cases/inv-acme")
		for _, kind := range billing.ResolutionKinds() {
			if role.May(access.Resolve(kind)) {
				continue
			}
			for _, path := range []string{"/cases/inv-acme/resolve", "/accounts/acme/resolve"} {
				f := url.Values{"token": {tokenOf(client, h.web.URL)}, "kind": {string(kind)}, "request_id": {"no-" + string(role) + "-" + string(kind)}}
				if p := h.post(client, path, f); p.status != http.StatusForbidden {
					h.t.Errorf("%s sends %s to %s: status %d", role, kind, path, p.status)
				}
			}
		}
	}
	if n := h.resolutions(); n != before {
		h.t.Errorf("%d decisions were made by who may not", n-before)
	}
}

// TestAStaleSignInLosesNothing: a form that wants a fresh sign-in says so, links to one in a tab of its own, and is taken when it is sent
// again as it stands.
func TestAStaleSignInLosesNothing(t *testing.T) {
	h, _ := everyForm(t)
	for _, c := range []struct {
		path, send, typed string
		form              url.Values
	}{
		{"/cases/inv-acme", "/cases/inv-acme/resolve", `value="they went bankrupt"`, url.Values{"kind": {"write_off"}, "reason": {"they went bankrupt"}}},
		{"/cases/inv-big", "/cases/inv-big/resolve", `value="I agree"`, url.Values{"kind": {"void"}, "confirms": {"test-void-inv-big"}, "reason": {"I agree"}}},
		{"/accounts/big", "/accounts/big/resolve", `value="wrong one"`, url.Values{"kind": {"reverse"}, "reverses": {"test-never_suspend-big"}, "reason": {"wrong one"}}},
	} {
		stale := h.sessionFor(store.SignIn{Name: "fin", Roles: []access.Role{access.Finance}, At: time.Now().Add(-time.Hour)})
		f := formFields(h.getAs(stale, c.path).body, "")
		f.Set("token", tokenOf(stale, h.web.URL))
		for name, value := range c.form {
			f[name] = value
		}
		p := h.post(stale, c.send, f)
		if p.status != http.StatusConflict {
			t.Errorf("%s: status %d\n%s", c.path, p.status, mainOf(p.body))
		}
		h.has(p, "Not recorded.", "fresh sign-in", `<a href="/sign-in?fresh=1&amp;to=%2Fsigned-in" target="_blank" rel="noopener">Sign in again`, c.typed)
		landed := h.signInWith(stale, "fin", "/sign-in?fresh=1&to=%2Fsigned-in") // the other tab of the same browser
		if to := landed.header.Get("Location"); to != "/signed-in" {
			t.Fatalf("the sign-in leads to %s", to)
		}
		h.has(h.getAs(stale, "/signed-in"), "Send it again")
		if p := h.post(stale, c.send, f); p.status != http.StatusSeeOther {
			t.Errorf("%s again: status %d\n%s", c.path, p.status, mainOf(p.body))
		} else {
			h.has(h.getAs(stale, p.header.Get("Location")), "Recorded: ", "Next:")
		}
	}
}
