package stripe_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
)

// TestU5ReversalsByStatus: what took money, what did not, and what says nothing certain.
func TestU5ReversalsByStatus(t *testing.T) {
	const took, won, uncertain = "took", "won", "error"
	for status, want := range map[string]string{
		"lost": took, "needs_response": took, "under_review": took, "won": won, "prevented": won, "warning_needs_response": won,
		"warning_under_review": won, "warning_closed": won, "something_new": uncertain, "": uncertain,
	} {
		body := fmt.Sprintf(`{"object":"list","url":"/v1/disputes","has_more":false,"data":[
			{"id":"du_1","object":"dispute","amount":1000,"currency":"usd","payment_intent":"pi_1","reason":"fraudulent","status":%q}]}`, status)
		server := &canned{status: http.StatusOK, body: body}
		found, err := adapterTo(t, server).Reversals(t.Context(), gateway.LookUpRequest{Attempt: "att-1", Reference: "pi_1"})
		if len(server.asked) != 1 || server.asked[0].URL.Query().Get("payment_intent") != "pi_1" {
			t.Fatalf("asked %v", server.asked)
		}
		switch {
		case (err != nil) != (want == uncertain):
			t.Errorf("%q: %v", status, err)
		case want == took && (len(found) != 1 || found[0] != (billing.Reversal{Reference: "du_1", Code: "fraudulent", Amount: money.New(1000, money.MustCurrency("USD"))})):
			t.Errorf("%q: %+v", status, found)
		case want == won && (len(found) != 1 || !found[0].Won):
			t.Errorf("%q: %+v", status, found)
		}
	}
}

// TestReversalsBelieveNothingUncertain: no dispute is better than another payment's.
func TestReversalsBelieveNothingUncertain(t *testing.T) {
	dispute := `{"id":"du_1","object":"dispute","amount":1000,"currency":"usd","payment_intent":"pi_1","reason":"general","status":"lost"}`
	list := func(d string) string {
		return `{"object":"list","url":"/v1/disputes","has_more":false,"data":[` + d + `]}`
	}
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"another payment's": {200, list(strings.Replace(dispute, "pi_1", "pi_2", 1))},
		"no payment":        {200, list(strings.Replace(dispute, `"pi_1"`, "null", 1))},
		"no amount":         {200, list(strings.Replace(dispute, "1000", "0", 1))},
		"no currency":       {200, list(strings.Replace(dispute, "usd", "zzz", 1))},
		"server error":      {500, `{"error":{"type":"api_error"}}`},
		"html":              {200, "<html>"},
	} {
		found, err := adapterTo(t, &canned{status: c.status, body: c.body}).Reversals(t.Context(), gateway.LookUpRequest{Reference: "pi_1"})
		if err == nil {
			t.Errorf("%s: believed %+v", name, found)
		}
	}
	if found, err := adapterTo(t, &canned{status: 200, body: list("")}).Reversals(t.Context(), gateway.LookUpRequest{Reference: "pi_1"}); err != nil || len(found) != 0 {
		t.Errorf("no dispute: %+v %v", found, err)
	}
	if _, err := adapterTo(t, &canned{status: 200, body: list(dispute)}).Reversals(t.Context(), gateway.LookUpRequest{}); err == nil {
		t.Error("all disputes of the account were taken for one payment's")
	}
}
