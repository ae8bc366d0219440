package stripesim_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/gateway/stripesim"
)

func TestKeyReplaysSuccessAndDecline(t *testing.T) {
	b := open(t, stripesim.Options{})
	for _, token := range []string{"pm_card_visa", "pm_card_visa_chargeDeclined"} {
		first := b.charge(token, token)
		again := b.charge(token, token)
		want(t, token+": first is no replay", first.header.Get("Idempotent-Replayed"), "")
		want(t, token+": replayed", again.header.Get("Idempotent-Replayed"), "true")
		want(t, token+": same answer", again.raw, first.raw)
		want(t, token+": same status", again.status, first.status)
	}
	b.wantCharges(1)
}

func TestKeyWithOtherParametersOrEndpointIsRefused(t *testing.T) {
	b := open(t, stripesim.Options{})
	id := b.charge("pm_card_visa", "k1").at("id").(string)
	other := chargeParams("pm_card_visa", "k1")
	other.Set("amount", "999")
	a := b.do(t.Context(), http.MethodPost, "/v1/payment_intents", "k1", other)
	want(t, "status", a.status, 400)
	want(t, "type", a.at("error.type"), "idempotency_error")
	want(t, "another endpoint", b.post("/v1/payment_intents/"+id+"/cancel", "k1").at("error.type"), "idempotency_error")
	b.wantCharges(1)
}

func TestValidationErrorsAreNotStored(t *testing.T) {
	b := open(t, stripesim.Options{})
	bad := chargeParams("pm_card_visa", "k1")
	bad.Set("amount", "no number")
	want(t, "invalid", b.do(t.Context(), http.MethodPost, "/v1/payment_intents", "k1", bad).status, 400)
	want(t, "same key, right now", b.charge("pm_card_visa", "k1").status, 200)
}

func TestStoredResultComesBeforeValidation(t *testing.T) {
	b := open(t, stripesim.Options{})
	customer := b.post("/v1/customers", "").at("id").(string)
	pm := b.post("/v1/payment_methods/pm_card_visa/attach", "", "customer", customer).at("id").(string)
	params := chargeParams(pm, "k1")
	params.Set("customer", customer)
	pay := func(key string) answer { return b.do(t.Context(), http.MethodPost, "/v1/payment_intents", key, params) }
	want(t, "charge", pay("k1").status, 200)
	b.post("/v1/payment_methods/"+pm+"/detach", "")
	want(t, "the same key after detaching", pay("k1").header.Get("Idempotent-Replayed"), "true")
	want(t, "another key", pay("k2").status, 400)
}

func TestKeyInUseWhileExecuting(t *testing.T) {
	b := open(t, stripesim.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	// The caller gives up, the effect comes after 0.9 s; until then the key is in use.
	if a := b.do(ctx, http.MethodPost, "/v1/payment_intents", "k1", chargeParams("pm_sim_late_effect_900ms", "k1")); a.err == nil {
		t.Fatal("the first send got an answer")
	}
	a := b.charge("pm_sim_late_effect_900ms", "k1")
	want(t, "status", a.status, http.StatusConflict)
	want(t, "code", a.at("error.code"), "idempotency_key_in_use")
	b.wantCharges(0)
	eventually(t, "the late effect", func() bool { return len(b.books("").Charges) > 0 })
	b.wantCharges(1)
	want(t, "replayed after it", b.charge("pm_sim_late_effect_900ms", "k1").header.Get("Idempotent-Replayed"), "true")
}

func TestSameKeyAtOnceExecutesOnce(t *testing.T) {
	b := open(t, stripesim.Options{})
	var mu sync.Mutex
	var done sync.WaitGroup
	statuses := map[int]int{}
	for range 16 {
		done.Go(func() {
			a := b.charge("pm_card_visa", "k1")
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	done.Wait()
	if statuses[200]+statuses[409] != 16 || statuses[200] == 0 {
		t.Errorf("statuses = %v, want 200 and 409 only", statuses)
	}
	b.wantCharges(1)
}

func TestKeysAreForgottenAfterTheirWindow(t *testing.T) {
	b := open(t, stripesim.Options{})
	b.charge("pm_card_visa", "k1")
	b.pass(24 * time.Hour)
	want(t, "at 24 h", b.charge("pm_card_visa", "k1").header.Get("Idempotent-Replayed"), "true")
	b.pass(time.Second)
	b.charge("pm_card_visa", "k1")
	b.wantCharges(2) // the danger that rule I13 is about
}

// A process that dies in the middle leaves a claim and nothing else; the next one executes the key.
func TestClaimsOfADeadProcessAreVoid(t *testing.T) {
	b := open(t, stripesim.Options{})
	_, err := b.pool.Exec(t.Context(), `insert into stripesim.idempotency_keys (key, endpoint, params_hash, claimed_by, created) values ('k1', 'POST /v1/payment_intents', 'x', 'proc_dead', now())`)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "before the restart", b.charge("pm_card_visa", "k1").status, 400)
	if b.sim, err = stripesim.New(t.Context(), b.pool, stripesim.Options{Now: b.clock}); err != nil {
		t.Fatal(err)
	}
	want(t, "after it", b.charge("pm_card_visa", "k1").status, 200)
}

func TestFaultsStrikeOnceAndTellTheTruthAfterwards(t *testing.T) {
	b := open(t, stripesim.Options{Hang: 50 * time.Millisecond})
	for fault, expect := range map[stripesim.Fault]struct {
		charges int // after the first send
		replay  bool
		status  int // of the second send
	}{
		stripesim.TimeoutBefore:      {0, false, 200},
		stripesim.TimeoutAfter:       {1, true, 200},
		stripesim.Error500Before:     {0, false, 200},
		stripesim.Error500After:      {1, true, 200},
		stripesim.Error500Stored:     {0, true, 500},
		stripesim.Error500StoredPaid: {1, true, 500},
		stripesim.ResetBefore:        {0, false, 200},
		stripesim.Reset:              {1, true, 200},
		stripesim.Malformed:          {1, true, 200},
		stripesim.RateLimited429:     {0, false, 200},
		stripesim.Conflict409:        {0, false, 200},
	} {
		key := "k_" + string(fault)
		before := len(b.books("").Charges)
		b.charge("pm_sim_"+string(fault), key)
		want(t, string(fault)+": charges after the first send", len(b.books("").Charges)-before, expect.charges)
		again := b.charge("pm_sim_"+string(fault), key)
		want(t, string(fault)+": second status", again.status, expect.status)
		want(t, string(fault)+": replayed", again.header.Get("Idempotent-Replayed") == "true", expect.replay)
	}
	faults := b.get("/sim/faults")
	want(t, "faults told", len(faults.body["injected"].([]any)), 11)
}

func TestScriptedFaults(t *testing.T) {
	b := open(t, stripesim.Options{})
	script := func(body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/sim/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	want(t, "unknown fault", script(`{"fault":"meteor"}`), 400)
	want(t, "unknown field", script(`{"fault":"slow","when":"now"}`), 400)
	want(t, "script", script(`{"fault":"error_500_before","endpoint":"payment_intents.create","token":"pm_card_mastercard","times":2}`), 201)
	for i, expect := range []int{500, 500, 200} {
		want(t, "another method", b.charge("pm_card_visa", "v"+string(rune('0'+i))).status, 200)
		want(t, "this method", b.charge("pm_card_mastercard", "m"+string(rune('0'+i))).status, expect)
	}
	want(t, "search", script(`{"fault":"lookup_miss","endpoint":"payment_intents.search"}`), 201)
	found := func() int {
		return len(b.get("/v1/payment_intents/search", "query", "metadata['recoup_attempt']:'v0' AND status:'succeeded'").body["data"].([]any))
	}
	want(t, "missed", found(), 0)
	want(t, "found", found(), 1)
}
