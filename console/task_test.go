package console_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// TestARefundIsDoneByWhoMay: support sees the task and can't end it; finance can, with the reference and a fresh sign-in.
func TestARefundIsDoneByWhoMay(t *testing.T) {
	h := withOIDC(t)
	h.account("a", "A", "UTC", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("USD 10"))
	id, _ := h.open("inv")
	paid := amount("USD 13")
	_, err := h.Resolve(context.Background(), billing.Resolution{RequestID: "r-1", Kind: billing.PaidOutOfBand, Case: id, Actor: "ada", Reason: "cheque",
		Amount: &paid, Reference: "CHQ 1", ReceivedOn: "2026-11-01"})
	h.must(err)
	tasks, err := h.ListTasks(context.Background(), store.TaskRefund, "a")
	h.must(err)
	path := "/tasks/" + tasks[0].ID
	support := h.sessionFor(store.SignIn{Name: "sam", Roles: []access.Role{access.Support}})
	p := h.getAs(support, path)
	h.has(p, "Money to refund", "3.00")
	h.hasNot(p, "Say that it is done")
	send := func(client *http.Client, reference string) page {
		p := h.getAs(client, path)
		f := formFields(p.body, "")
		f.Set("token", tokenOf(client, h.web.URL))
		f.Set("request_id", "task-1")
		f.Set("reference", reference)
		return h.post(client, path, f)
	}
	if p := send(support, "re_1"); p.status != http.StatusForbidden {
		t.Errorf("support: status %d", p.status)
	}
	stale := h.sessionFor(store.SignIn{Name: "fin", Roles: []access.Role{access.Finance}, At: time.Now().Add(-time.Hour)})
	if p := send(stale, "re_1"); p.status != http.StatusForbidden {
		t.Errorf("a stale sign-in: status %d", p.status)
	} else {
		h.has(p, "fresh sign-in", `value="re_1"`)
	}
	finance := h.sessionFor(store.SignIn{Name: "fin", Roles: []access.Role{access.Finance}})
	if p := send(finance, " "); p.status != http.StatusBadRequest {
		t.Errorf("no reference: status %d", p.status)
	}
	if p := send(finance, "re_1"); p.status != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", p.status, mainOf(p.body))
	}
	h.has(h.getAs(finance, path), "Done")
	h.has(h.getAs(finance, "/accounts/a"), "A")
	if p := h.getAs(finance, "/tasks/"+url.PathEscape("nothing")); p.status != http.StatusNotFound {
		t.Errorf("no such task: status %d", p.status)
	}
}
