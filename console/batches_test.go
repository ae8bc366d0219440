package console_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/store"
)

// unpaid opens cases of one account.
func (h *shop) unpaid(invoices ...string) {
	h.t.Helper()
	h.account("acme", "Acme", "Europe/Berlin", "visa 4242")
	for _, id := range invoices {
		h.invoice(id, "N-"+id, "acme", amount("EUR 49.00"))
		c, step := h.open(id)
		h.charge(c, step, noFunds)
	}
}

// batchForm is what a browser would send of a form of /batches.
func (h *shop) batchForm(client *http.Client, form, do string, more url.Values) url.Values {
	h.t.Helper()
	answer, err := client.Get(h.web.URL + "/batches")
	h.must(err)
	v := formFields(h.read(answer).body, "")
	v.Del("kind")
	v.Set("form", form)
	v.Set("do", do)
	for name, values := range more {
		v[name] = values
	}
	return v
}

func (h *shop) sendForm(client *http.Client, path string, v url.Values) page {
	h.t.Helper()
	answer, err := client.PostForm(h.web.URL+path, v)
	h.must(err)
	return h.read(answer)
}

func (h *shop) count(sql string, args ...any) int {
	h.t.Helper()
	var n int
	h.must(h.Pool().QueryRow(h.t.Context(), sql, args...).Scan(&n))
	return n
}

var batchAt = regexp.MustCompile(`^/batches/([0-9]{8}-[a-z0-9]{6})$`)

func TestBatchPages(t *testing.T) {
	h := newShop(t)
	h.unpaid("inv-1", "inv-2", "inv-3")
	client := h.client()
	h.has(h.get("/batches"), "No batches yet.", "Retry after an outage", "Move to another version of a policy", `aria-current="page"`)
	until := h.now.UTC().Add(48 * time.Hour).Format("2006-01-02T15:04")
	hold := url.Values{"invoices": {"inv-1\ninv-2\r\ninv-3"}, "until": {until}, "per_minute": {"30"}}

	preview := h.sendForm(client, "/batches", h.batchForm(client, "hold", "preview", hold))
	h.has(preview, "3 invoices; nothing was changed", "Would be done", "held until", `href="/cases/inv-2"`, ">inv-1\ninv-2\r\ninv-3</textarea>", "The customer called")
	if n := h.count(`select (select count(*) from batches) + (select count(*) from resolutions)`); n != 0 {
		t.Errorf("the preview wrote %d rows", n)
	}
	for problem, change := range map[string]url.Values{
		"line 2: there is no invoice inv-9": {"invoices": {"inv-1\ninv-9"}},
		"line 1: an invoice&#39;s id":       {"invoices": {"ada@example.com"}},
		"nothing is chosen":                 {"invoices": {" "}},
		"Give a date and a time":            {"until": {"soon"}},
		"is no whole number":                {"per_minute": {"many"}},
		"must be 1 to 6000":                 {"per_minute": {"6001"}},
		"reason: is missing":                {"reason": {" "}},
	} {
		v := h.batchForm(client, "hold", "start", hold)
		for name, values := range change {
			v[name] = values
		}
		got := h.sendForm(client, "/batches", v)
		if h.has(got, "Not recorded.", problem); got.status < 400 {
			t.Errorf("%s: status %d", problem, got.status)
		}
	}
	for name, v := range map[string]url.Values{
		"no such form": h.batchForm(client, "write_off", "start", hold), "forged": h.batchForm(client, "hold", "start", url.Values{"token": {strings.Repeat("A", 26)}}),
		"a time that is none": h.batchForm(client, "retry_outage", "start", url.Values{"from": {"x"}, "to": {"y"}}),
		"a policy's version":  h.batchForm(client, "move_policy", "start", url.Values{"on_policy": {"standard"}, "policy": {"fast@1"}}),
	} {
		if got := h.sendForm(client, "/batches", v); got.status < 400 {
			t.Errorf("%s: status %d", name, got.status)
		}
	}

	started := h.sendForm(client, "/batches", h.batchForm(client, "hold", "start", hold))
	at := started.header.Get("Location")
	if started.status != http.StatusSeeOther || !batchAt.MatchString(at) {
		t.Fatalf("status %d, %s: %s", started.status, at, mainOf(started.body))
	}
	id := billing.BatchID(batchAt.FindStringSubmatch(at)[1])
	h.must(h.CarryOutItem(t.Context(), id, 1))
	h.must(h.CarryOutItem(t.Context(), id, 2))
	h.exec(`update batch_items set state = 'refused', says = 'kind: it <may> not be' where number = 2`)
	one := h.get(at)
	h.has(one, "Hold until", "Running", "66 % of 3 items", `href="/cases/inv-1"`, "held until", "it &lt;may&gt; not be", `href="/accounts/acme"`,
		`/api/batches/`+string(id)+`/report.csv" download`, `?outcome=refused"`, "/namespaces/recoup/workflows/batch-"+string(id), "at most 30 a minute", `data-watch="batch-`+string(id), "Ada: The customer called")
	h.hasNot(h.get(at+"?outcome=refused"), `href="/cases/inv-1"`)
	h.has(h.get("/batches"), `href="`+at+`"`, "Running", "1 done, 1 refused, 1 waiting", "Ada: The customer called")

	act := func(act, reason string) page {
		v := h.batchForm(client, "", "", nil)
		v.Set("reason", reason)
		return h.sendForm(client, at+"/"+act, v)
	}
	if got := act("pause", ""); got.status != http.StatusBadRequest {
		t.Errorf("paused without a reason: %d", got.status)
	}
	if got := act("stop", "x"); got.status != http.StatusNotFound {
		t.Errorf("an act that isn't there: %d", got.status)
	}
	act("pause", "wait")
	h.has(h.get(at), "Paused", "Paused by Ada: wait", "Go on")
	act("resume", "on")
	h.has(h.get(at), "Running", "Pause")
	act("cancel", "enough")
	h.has(h.get(at), "Cancelled", "100 % of 3 items", "the batch was cancelled first")
	h.hasNot(h.get(at), "Act on the batch")
	h.has(act("resume", "on"), "Not recorded.", "is cancelled")
	for _, path := range []string{"/batches/20261122-abcdef", "/batches/x", "/batches/%00", at + "?outcome=x"} {
		if got := h.get(path); got.status != http.StatusNotFound && got.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, got.status)
		}
	}
}

func TestBatchMovePreviewShowsTheDates(t *testing.T) {
	h := newShop(t)
	h.unpaid("inv-1")
	_, _, err := h.AddPolicy(t.Context(), []byte(standardDocument(t, "suspend: 30", "suspend: 40")), store.Order{Actor: "ada", Reason: "ten days more", RequestID: "r"})
	h.must(err)
	client := h.client()
	got := h.sendForm(client, "/batches", h.batchForm(client, "move_policy", "preview", url.Values{"on_policy": {"standard@1"}, "policy": {"standard@2"}}))
	h.has(got, "Suspend:", "→", h.now.UTC().AddDate(0, 0, 40).Format("2 Jan 2006"), "1 invoices; nothing was changed")
	body := map[string]any{"kind": "move_policy", "policy": "standard", "on_policy": "standard@1"}
	api := h.postJSON("/api/batches/preview", body)
	var preview struct {
		Items    int
		Previews []struct {
			Outcome string
			Dates   []struct {
				Do      string
				Was, Is time.Time
			}
		}
	}
	if h.must(json.Unmarshal([]byte(api.body), &preview)); len(preview.Previews) != 1 || len(preview.Previews[0].Dates) != 1 || preview.Previews[0].Dates[0].Do != "suspend" {
		t.Errorf("%s", api.body)
	}
}

func TestBatchAPI(t *testing.T) {
	h := newShop(t)
	h.unpaid("inv-1", "inv-2")
	body := map[string]any{"kind": "hold", "until": h.now.UTC().Add(48 * time.Hour).Format(time.RFC3339), "invoices": []string{"inv-1", "inv-2"}, "reason": "asked", "actor": "ada"}
	h.has(h.postJSON("/api/batches/preview", body), `"items":2`, `"outcome":"done"`, "held until")
	if got := h.postJSON("/api/batches", body); got.status != http.StatusUnprocessableEntity {
		t.Errorf("without a key: %d %s", got.status, got.body)
	}
	got := h.postJSON("/api/batches", body, "Idempotency-Key", "k-1")
	var b store.BatchSummary
	h.must(json.Unmarshal([]byte(got.body), &b))
	if got.status != http.StatusOK || b.Items != 2 || b.State != billing.BatchRunning || b.Counts[billing.ItemWaiting] != 2 || b.PerMinute != billing.BatchPace || b.RequestID != "k-1" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	h.has(h.postJSON("/api/batches", body, "Idempotency-Key", "k-1"), `"id":"`+string(b.ID)+`"`)
	body["reason"] = "another"
	if got := h.postJSON("/api/batches", body, "Idempotency-Key", "k-1"); got.status != http.StatusConflict {
		t.Errorf("another content under one key: %d %s", got.status, got.body)
	}
	delete(body, "reason")
	if got := h.postJSON("/api/batches", body, "Idempotency-Key", "k-2"); got.status != http.StatusBadRequest {
		t.Errorf("without a reason: %d %s", got.status, got.body)
	}
	h.must(h.CarryOutItem(t.Context(), b.ID, 1))
	path := "/api/batches/" + string(b.ID)
	h.has(h.get(path), `"done":1`, `"waiting":1`)
	h.has(h.get("/api/batches"), `"id":"`+string(b.ID)+`"`)
	h.has(h.get(path+"/items?outcome=done"), `"invoice":"inv-1"`, `"account":"acme"`, fmt.Sprintf(`"request_id":"batch:%s:1"`, b.ID))
	h.has(h.postJSON(path+"/pause", map[string]any{"reason": "wait", "actor": "bo"}, "Idempotency-Key", "k-3"), `"state":"paused"`, `"state_by":"bo"`)
	h.has(h.postJSON(path+"/resume", map[string]any{"reason": "on", "actor": "bo"}, "Idempotency-Key", "k-4"), `"state":"running"`)
	h.has(h.postJSON(path+"/cancel", map[string]any{"reason": "enough", "actor": "bo"}, "Idempotency-Key", "k-5"), `"state":"cancelled"`, `"left_out":1`)
	report := h.get(path + "/report.csv")
	rows, err := csv.NewReader(strings.NewReader(report.body)).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][4] != "done" || rows[2][4] != "left_out" || !strings.HasPrefix(report.header.Get("Content-Type"), "text/csv") ||
		report.header.Get("Content-Disposition") != `attachment; filename="batch-`+string(b.ID)+`.csv"` {
		t.Errorf("%v %v %v", rows, err, report.header)
	}
	var whole struct {
		Batch store.BatchSummary
		Items []store.BatchLine
	}
	whole.Items = nil
	h.must(json.Unmarshal([]byte(h.get(path+"/report.json").body), &whole))
	if len(whole.Items) != 2 || whole.Batch.State != billing.BatchCancelled {
		t.Errorf("%+v", whole)
	}
	for _, missing := range []string{"/api/batches/20261122-abcdef", "/api/batches/x/report.csv", "/api/batches/20261122-abcdef/items", "/api/batches/%00"} {
		if got := h.get(missing); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", missing, got.status, got.body)
		}
	}
}

// TestBatchesAskForTheKindsRightToo: who may not do it to one case may not do it to a hundred, and batches are a right of their own.
func TestBatchesAskForTheKindsRightToo(t *testing.T) {
	h := withOIDC(t)
	h.unpaid("inv-1")
	until := time.Now().UTC().Add(48 * time.Hour).Format("2006-01-02T15:04")
	hold := url.Values{"invoices": {"inv-1"}, "until": {until}}
	move := url.Values{"on_policy": {"standard@1"}, "policy": {"fast@1"}}
	for _, who := range []struct {
		name       string
		hold, move int
	}{
		{"vera", http.StatusForbidden, http.StatusForbidden}, // a viewer
		{"sam", http.StatusForbidden, http.StatusForbidden},  // support may hold one case, and run no batches
		{"fin", http.StatusForbidden, http.StatusForbidden},  // finance
		{"otto", http.StatusSeeOther, http.StatusForbidden},  // an operator may not assign policies
		{"ada", http.StatusSeeOther, http.StatusSeeOther},    // an administrator
	} {
		client, _ := h.signIn(who.name, "/batches")
		for form, want := range map[string]int{"hold": who.hold, "move_policy": who.move} {
			fields := hold
			if form == "move_policy" {
				fields = move
			}
			got := h.sendForm(client, "/batches", h.batchForm(client, form, "start", fields))
			if got.status != want {
				t.Errorf("%s, %s: status %d, want %d: %s", who.name, form, got.status, want, mainOf(got.body))
			}
			if want == http.StatusSeeOther {
				at := got.header.Get("Location")
				h.must(h.CarryOutItem(t.Context(), billing.BatchID(strings.TrimPrefix(at, "/batches/")), 1))
			}
		}
	}
	if n := h.count(`select count(*) from audit_log where act = 'batch_recorded' and actor = 'otto'`); n != 1 {
		t.Errorf("%d batches are recorded as otto's", n)
	}
}
