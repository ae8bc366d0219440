package stripe_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
	adapter "recoup/gateway/stripe"
)

// pages answers the search and the list of a look-up with two bodies.
type pages struct {
	status       int
	search, list string
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	if strings.HasSuffix(r.URL.Path, "/search") {
		_, _ = w.Write([]byte(p.search))
		return
	}
	_, _ = w.Write([]byte(p.list))
}

// page reads a body as a whole page of a list, written apart from the adapter: its items, and whether it is one.
func page(body, object string) (items []map[string]any, more, whole bool) {
	var p struct {
		Object  string
		Data    []map[string]any
		HasMore *bool `json:"has_more"`
	}
	if json.Unmarshal([]byte(body), &p) != nil || p.Object != object || p.Data == nil || p.HasMore == nil {
		return nil, false, false
	}
	return p.Data, *p.HasMore, true
}

const (
	emptySearch = `{"object":"search_result","url":"/v1/payment_intents/search","has_more":false,"data":[]}`
	emptyList   = `{"object":"list","url":"/v1/payment_intents","has_more":false,"data":[]}`
)

func listOf(items string) string { return strings.Replace(emptyList, "[]", "["+items+"]", 1) }

// FuzzD2NoProofFromGarbage feeds a look-up any two bodies. That an attempt did not happen is only proved by two whole pages without it; a
// success only by an intent of this attempt that says so; nothing by an answer that is not 200 (D2, U6).
func FuzzD2NoProofFromGarbage(f *testing.F) {
	paid := intent("succeeded", `,"amount_received":1000`)
	f.Add(200, emptySearch, emptyList)
	f.Add(200, emptySearch, "{}")
	f.Add(200, "{}", "{}")
	f.Add(200, emptySearch, listOf("null"))
	f.Add(200, emptySearch, listOf(paid))
	f.Add(200, emptySearch, listOf(strings.Replace(paid, "att-1", "att-2", 1)))
	f.Add(200, strings.Replace(emptySearch, "[]", "["+paid+"]", 1), emptyList)
	f.Add(200, emptySearch, strings.Replace(emptyList, "false", "true", 1))
	f.Add(200, emptySearch, `{"object":"list","data":null}`)
	f.Add(500, emptySearch, emptyList)
	f.Add(404, `{"error":{"type":"invalid_request_error"}}`, "null")
	server := &pages{}
	a := adapterTo(f, server)
	f.Fuzz(func(t *testing.T, status int, search, list string) {
		if status < 200 || status > 599 || status == 204 || status == 304 || strings.Contains(list, "true") {
			return // a list with more pages would be asked for again and again
		}
		*server = pages{status, search, list}
		got := a.LookUp(context.Background(), gateway.LookUpRequest{Attempt: "att-1", FirstSentAt: time.Now().Add(-24 * time.Hour)})
		found, _, wholeSearch := page(search, "search_result")
		listed, more, wholeList := page(list, "list")
		switch got.State {
		case billing.AttemptNotSent:
			if status/100 != 2 || !wholeSearch || !wholeList || more {
				t.Errorf("a negative was proved by HTTP %d %q and %q", status, search, list)
			}
			for _, item := range append(found, listed...) {
				if metadata, _ := item["metadata"].(map[string]any); metadata["recoup_attempt"] == "att-1" {
					t.Errorf("a negative was proved although it is there: %q %q", search, list)
				}
			}
		case billing.AttemptSucceeded:
			if all := search + list; status/100 != 2 || !strings.Contains(all, "att-1") || !strings.Contains(all, "succeeded") || !got.Captured.IsPositive() {
				t.Errorf("success from HTTP %d %q and %q: %+v", status, search, list, got)
			}
		case billing.AttemptDeclined, billing.AttemptPending, billing.AttemptActionRequired:
			if status/100 != 2 || !strings.Contains(search+list, "att-1") {
				t.Errorf("%s from HTTP %d %q and %q", got.State, status, search, list)
			}
		case billing.AttemptUnknown:
		default:
			t.Errorf("state %q", got.State)
		}
	})
}

// FuzzU5NoReversalFromGarbage feeds the reading of disputes any body: what it tells is in the body with a positive amount, and "none" needs a
// whole page.
func FuzzU5NoReversalFromGarbage(f *testing.F) {
	const dispute = `{"id":"du_1","object":"dispute","amount":1000,"currency":"usd","payment_intent":"pi_1","reason":"fraudulent","status":"lost"}`
	for _, body := range []string{listOf(""), listOf(dispute), listOf("null"), listOf(dispute + "," + strings.Replace(dispute, "lost", "won", 1)), "{}", "null", listOf(strings.Replace(dispute, "1000", "-5", 1))} {
		f.Add(200, body)
		f.Add(500, body)
	}
	c := &canned{}
	a := adapterTo(f, c)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 204 || status == 304 || strings.Contains(body, "true") {
			return
		}
		c.status, c.body, c.asked, c.forms = status, body, nil, nil
		found, err := a.Reversals(context.Background(), gateway.LookUpRequest{Attempt: "att-1", Reference: "pi_1"})
		if err != nil {
			return
		}
		items, _, whole := page(body, "list")
		if status/100 != 2 || !whole || len(found) != len(items) {
			t.Errorf("%d reversals from HTTP %d %q", len(found), status, body)
		}
		for _, r := range found {
			if r.Reference == "" || !r.Won && !r.Amount.IsPositive() || !strings.Contains(body, "pi_1") {
				t.Errorf("%+v from %q", r, body)
			}
		}
	})
}

// FuzzI1NoListFromGarbage feeds the list of payments any body: every payment of it is on the page, or the read fails.
func FuzzI1NoListFromGarbage(f *testing.F) {
	paid := intent("succeeded", `,"amount_received":1000,"created":1772366400`)
	for _, body := range []string{listOf(""), listOf(paid), listOf(intent("canceled", "")), listOf(strings.Replace(paid, "usd", "zzz", 1)), listOf("null"), "{}", `{"object":"list","data":[]}`} {
		f.Add(200, body)
		f.Add(403, body)
	}
	c := &canned{}
	a := adapterTo(f, c)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 204 || status == 304 {
			return
		}
		c.status, c.body, c.asked, c.forms = status, body, nil, nil
		got, err := a.ListCharges(context.Background(), time.Unix(0, 0), time.Now(), "")
		if err != nil {
			return
		}
		items, more, whole := page(body, "list")
		if status/100 != 2 || !whole || len(got.Charges) > len(items) || (got.Next == "") == more {
			t.Errorf("%+v from HTTP %d %q", got, status, body)
		}
		took := 0
		for _, item := range items {
			if received, _ := item["amount_received"].(float64); received != 0 {
				took++
			}
		}
		if len(got.Charges) < took {
			t.Errorf("%d of %d payments listed from %q", len(got.Charges), took, body)
		}
	})
}

// FuzzB4Webhook: nothing passes without the right signature over exactly this body; what passes is fit to be stored.
func FuzzB4Webhook(f *testing.F) {
	f.Add([]byte(succeededEvent), "", true)
	f.Add([]byte(succeededEvent), "t=1,v1=00", false)
	f.Add([]byte(`{"id":"evt_1","object":"event","created":99999999999999,"type":"charge.dispute.created","data":{"object":{"object":"dispute","payment_intent":{"id":"pi_1"}}}}`), "", true)
	f.Add([]byte(`{"id":"evt\u0000","object":"event","created":-1,"type":"a\u0000b","data":{"object":{"id":"pi\u0000","object":"payment_intent","metadata":{"recoup_attempt":"att"}}}}`), "", true)
	f.Add([]byte(`{"id":"evt_1","object":"v2.core.event","data":null}`), "", true)
	f.Add([]byte(`null`), "", true)
	now := time.Unix(1772366400, 0)
	a, err := adapter.New(testConfig("http://127.0.0.1:1"), adapter.WithClock(func() time.Time { return now }))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string, sign bool) {
		if !sign {
			if event, err := a.ParseWebhook(body, signature); err == nil {
				t.Fatalf("believed %+v with %q", event, signature)
			}
			return
		}
		good := signed(string(body), "whsec_new", now)
		for name, bad := range map[string]string{"old": signed(string(body), "whsec_new", now.Add(-time.Hour)), "foreign": signed(string(body), "whsec_x", now), "two times": "t=1," + good} {
			if event, err := a.ParseWebhook(body, bad); err == nil {
				t.Fatalf("%s: believed %+v", name, event)
			}
		}
		event, err := a.ParseWebhook(body, good)
		if err != nil {
			if event != (gateway.Event{}) {
				t.Fatalf("refused, and yet it says %+v", event)
			}
			return
		}
		var want stripe.Event
		if json.Unmarshal(body, &want) != nil || event.ID != want.ID || event.Gateway != adapter.Name || event.About == "" {
			t.Fatalf("%+v from %q", event, body)
		}
		for _, text := range []string{event.ID, event.Type, event.Reference} {
			if len(text) > 255 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				t.Fatalf("the text %q can't be kept", text)
			}
		}
		if event.Attempt != "" && billing.CheckID(string(event.Attempt)) != nil || event.At.Year() < 1 || event.At.Year() > 9999 {
			t.Fatalf("%+v", event)
		}
	})
}

// FuzzB4WebhookHandler: whoever posts whatever gets a 4xx, and nothing is taken.
func FuzzB4WebhookHandler(f *testing.F) {
	f.Add("POST", []byte(succeededEvent), "t=1,v1=00")
	f.Add("PUT", []byte("{}"), "")
	a, err := adapter.New(testConfig("http://127.0.0.1:1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, verb string, body []byte, signature string) {
		h := a.WebhookHandler(func(_ context.Context, e gateway.Event) error {
			t.Fatalf("took %+v", e)
			return nil
		})
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/stripe", strings.NewReader(string(body)))
		r.Method, r.Header["Stripe-Signature"] = verb, []string{signature}
		h.ServeHTTP(w, r)
		if w.Code < 400 || w.Code > 499 {
			t.Fatalf("%s %q %q was answered %d", verb, body, signature, w.Code)
		}
	})
}
