package crash

import (
	"net/http"
	"net/url"
	"strings"

	"recoup/boundary"
)

// stranger marks a charge that no attempt of ours explains.
const stranger = "stranger.1"

// mismatch is the one story that the audit objects to: the gateway took money that nobody here asked for. It comes last, alone. The
// comparison dies after it has opened its task, runs again and opens no second one; the audit finds this charge and nothing else.
func (r *run) mismatch() {
	r.t.Helper()
	ctx, h := r.t.Context(), r.house
	form := url.Values{"amount": {"1234"}, "currency": {"usd"}, "payment_method": {pays}, "confirm": {"true"}, "metadata[recoup_attempt]": {stranger}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.rig.GatewayURL()+"/v1/payment_intents", strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer sk_test_stranger")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("the gateway answered %s", resp.Status)
	}
	if err := h.arm(subjectOf(stranger), []boundary.Label{boundary.AfterMismatch}); err != nil {
		r.t.Fatal(err)
	}
	r.cells++
	for n, want := range []int{137, 1} {
		out, code, err := h.rig.RunWith(ctx, h.settings, "reconcile")
		if err != nil || code != want {
			r.breach("reconcile %d ended with %d (%v), want %d:\n%s", n+1, code, err, want, out)
		}
	}
	var tasks int
	const query = `select count(*) from tasks where kind = 'reconciliation_mismatch'`
	if err := h.rig.Store.Pool().QueryRow(ctx, query).Scan(&tasks); err != nil || tasks != 1 {
		r.breach("%d tasks about the charge (%v), want one", tasks, err)
	}
	report, err := h.rig.Audit(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, i := range report.Invariants {
		if n := len(i.Breaches); n > 0 && (i.ID != "I1" || n > 1) {
			r.breach("the audit finds %d breaches of %s: %+v", n, i.ID, i.Breaches)
		} else if n == 0 && i.ID == "I1" {
			r.breach("the audit does not see the charge that no attempt explains")
		}
	}
	r.crashed++
	r.deaths++
	r.diedOf[boundary.AfterMismatch]++
}

func subjectOf(id string) string {
	subject, _, _ := strings.Cut(id, ".")
	return subject
}
