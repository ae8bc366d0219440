package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// logged is a shop with one account, two cases and something in the audit log of each.
func logged(t *testing.T) *shop {
	t.Helper()
	h := withOIDC(t)
	h.account("a", "A", "Europe/Berlin", "visa 4242")
	for _, id := range []string{"inv-1", "inv-2"} {
		h.invoice(id, "N-"+id, "a", amount("USD 49"))
		h.open(id)
	}
	ctx := store.WithOrigin(context.Background(), store.Origin{Door: "console", Session: "session 7", Address: "10.0.0.7"})
	for _, r := range []billing.Resolution{
		{RequestID: "log-1", Kind: billing.Hold, Case: "inv-1", Actor: "Ada", Reason: "asked by phone", Until: h.now.Add(48 * time.Hour)},
		{RequestID: "log-2", Kind: billing.Hold, Case: "inv-2", Actor: "Bob", Reason: "another case", Until: h.now.Add(48 * time.Hour)},
		{RequestID: "log-3", Kind: billing.NeverSuspend, Account: "a", Actor: "Cy", Reason: "a hospital", Until: h.now.Add(48 * time.Hour)},
	} {
		_, err := h.Resolve(ctx, r)
		h.must(err)
	}
	_, err := h.CreatePortalLink(context.Background(), "a", access.Owner, "Olga", "dee")
	h.must(err)
	return h
}

// TestTheAuditLogIsOnEveryCaseAndAccount: who, what, when, why, before and after, request id and from where; a case shows what was
// decided about its account as a whole too, and nothing of another case.
func TestTheAuditLogIsOnEveryCaseAndAccount(t *testing.T) {
	h := logged(t)
	client := h.sessionFor(store.SignIn{Name: "vera", Roles: []access.Role{access.Viewer}})
	for path, want := range map[string]struct{ has, not []string }{
		"/cases/inv-1": {[]string{"Audit log", "<b>Hold</b> by Ada", "asked by phone", "<dt>Case held until</dt>", "request log-1",
			"console session 7 from 10.0.0.7", "<b>Never suspend</b> by Cy", "a hospital"}, []string{"another case", "by dee"}},
		"/accounts/a": {[]string{"<b>Hold</b> by Ada", "<b>Hold</b> by Bob", "<b>Never suspend</b> by Cy", "<b>Open portal</b> by dee",
			"<dt>Account never suspend until</dt>"}, nil},
		"/audit-log?case=inv-2": {[]string{"another case", "a hospital"}, []string{"asked by phone"}},
		"/audit-log?by=Ada":     {[]string{"asked by phone", `href="/cases/inv-1"`, `href="/accounts/a"`}, []string{"another case"}},
		"/audit-log?act=hold":   {[]string{"asked by phone", "another case"}, []string{"a hospital"}},
	} {
		p := h.getAs(client, path)
		h.has(p, want.has...)
		h.hasNot(p, want.not...)
	}
	if p := h.getAs(client, "/audit-log?before=x"); p.status != http.StatusBadRequest {
		t.Errorf("a page that isn't one: status %d", p.status)
	}
}

func TestTheAuditLogByAPI(t *testing.T) {
	h := logged(t)
	client := h.sessionFor(store.SignIn{Name: "vera", Roles: []access.Role{access.Viewer}})
	p := h.getAs(client, "/api/cases/inv-1/audit-log?limit=1")
	h.has(p, `"actor":"Cy"`, `"next":`)
	var first struct{ Next int64 }
	h.must(json.Unmarshal([]byte(p.body), &first))
	p = h.getAs(client, fmt.Sprintf("/api/cases/inv-1/audit-log?limit=1&before=%d", first.Next))
	h.has(p, `"actor":"Ada"`, `"act":"hold"`, `"reason":"asked by phone"`, `"request_id":"log-1"`, `"origin":"console session 7 from 10.0.0.7"`, `"held_until"`)
	first.Next = 0
	if h.must(json.Unmarshal([]byte(p.body), &first)); first.Next != 0 {
		t.Errorf("the last page says that %d is next", first.Next)
	}
	h.has(h.getAs(client, "/api/accounts/a/audit-log"), `"Ada"`, `"Bob"`, `"Cy"`, `"dee"`)
	h.has(h.getAs(client, "/api/cases/inv-1/1/audit-log"), `"Ada"`)
	for _, path := range []string{"/api/cases/nothing/audit-log", "/api/cases/inv-1/2/audit-log", "/api/accounts/nobody/audit-log"} {
		if p := h.getAs(client, path); p.status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, p.status)
		}
	}
	if p := h.get("/api/cases/inv-1/audit-log"); p.status != http.StatusUnauthorized {
		t.Errorf("nobody: status %d", p.status)
	}
}

// TestALongAuditLogIsPaged: a page of the log ends where the next begins.
func TestALongAuditLogIsPaged(t *testing.T) {
	h := logged(t)
	h.exec(`insert into audit_log (actor, act, reason, request_id, account_id) select 'Eve', 'open_portal', 'n' || n, 'long-' || n, 'a' from generate_series(1, 120) n`)
	client := h.sessionFor(store.SignIn{Name: "vera", Roles: []access.Role{access.Viewer}})
	h.has(h.getAs(client, "/accounts/a"), "All of it", "/audit-log?account=a")
	path, seen := "/audit-log?account=a", map[string]bool{}
	for range 5 {
		p := h.getAs(client, path)
		for n := 1; n <= 120; n++ {
			if strings.Contains(p.body, fmt.Sprintf("request long-%d<", n)) || strings.Contains(p.body, fmt.Sprintf("request long-%d\n", n)) {
				if seen[fmt.Sprint(n)] {
					t.Errorf("entry %d is on two pages", n)
				}
				seen[fmt.Sprint(n)] = true
			}
		}
		_, after, more := strings.Cut(p.body, `<a class="button" href="/audit-log?account=a&amp;before=`)
		if !more {
			break
		}
		before, _, _ := strings.Cut(after, `"`)
		path = "/audit-log?account=a&before=" + url.QueryEscape(before)
	}
	if len(seen) != 120 {
		t.Errorf("%d of 120 entries are on the pages", len(seen))
	}
	h.has(h.getAs(client, path), "asked by phone", "First page")
}

// TestDisputedAndPromisedAreSeen: on the list with its filters, on the case, on the account, and in JSON.
func TestDisputedAndPromisedAreSeen(t *testing.T) {
	h := newShop(t)
	h.account("a", "A", "UTC", "visa 4242")
	for _, id := range []string{"inv-d", "inv-p", "inv-n"} {
		h.invoice(id, "N-"+id, "a", amount("USD 49"))
		h.open(id)
	}
	part, all := amount("USD 20"), amount("USD 49")
	h.decides(billing.Resolution{Kind: billing.Dispute, Case: "inv-d", Amount: &part, Claim: "never ordered"})
	h.decides(billing.Resolution{Kind: billing.PromiseToPay, Case: "inv-p", Amount: &all, Until: h.now.Add(72 * time.Hour)})
	disputed, promised := `<span class="badge orange">Disputed</span>`, `<span class="badge green">Promised</span>`
	for path, want := range map[string]struct{ has, not []string }{
		"/cases":                  {[]string{disputed, promised, `Disputed <span class="count">1</span>`, `Promised <span class="count">1</span>`}, nil},
		"/cases?overlay=disputed": {[]string{"N-inv-d", disputed}, []string{"N-inv-p", "N-inv-n"}},
		"/cases?overlay=promised": {[]string{"N-inv-p", promised}, []string{"N-inv-d", "N-inv-n"}},
		"/cases/inv-d":            {[]string{disputed, "$20.00</span> of it is disputed"}, []string{promised}},
		"/cases/inv-p":            {[]string{promised, "Promised: nothing is collected before"}, []string{disputed}},
		"/cases/inv-n":            {nil, []string{disputed, promised}},
		"/accounts/a":             {[]string{disputed, promised}, nil},
		"/api/cases/inv-d":        {[]string{`"disputed":{"minor":2000`}, []string{"promised_until"}},
		"/api/cases/inv-p":        {[]string{`"promised_until":"`}, []string{`"disputed"`}},
	} {
		p := h.get(path)
		h.has(p, want.has...)
		h.hasNot(p, want.not...)
	}
	h.decides(billing.Resolution{Kind: billing.EndDispute, Case: "inv-d", Outcome: billing.DisputeRejected})
	h.decides(billing.Resolution{Kind: billing.Reverse, Case: "inv-p", Reverses: "test-promise_to_pay-inv-p"})
	h.hasNot(h.get("/cases"), disputed, promised)
}
