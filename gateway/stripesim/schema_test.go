package stripesim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stripe/stripe-mock/embedded"

	"recoup/gateway/stripesim"
)

// published compiles Stripe's published OpenAPI schemas of objects. OpenAPI 3.0 says "nullable" where JSON Schema says "or null".
func published(t *testing.T) func(name string) *jsonschema.Schema {
	t.Helper()
	var spec struct {
		Components map[string]any `json:"components"`
	}
	if err := json.Unmarshal(embedded.OpenAPISpec, &spec); err != nil {
		t.Fatal(err)
	}
	doc := map[string]any{"components": map[string]any{"schemas": orNull(spec.Components["schemas"])}}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4)
	if err := compiler.AddResource("stripe.json", doc); err != nil {
		t.Fatal(err)
	}
	return func(name string) *jsonschema.Schema {
		schema, err := compiler.Compile("stripe.json#/components/schemas/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return schema
	}
}

func orNull(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = orNull(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = orNull(v[k])
		}
		if v["nullable"] == true {
			delete(v, "nullable")
			return map[string]any{"anyOf": []any{v, map[string]any{"type": "null"}}}
		}
	}
	return v
}

// TestAnswersFitStripesPublishedSchema holds every kind of object the simulator shows against Stripe's own schema.
func TestAnswersFitStripesPublishedSchema(t *testing.T) {
	b := open(t, stripesim.Options{BankDelay: time.Minute})
	schema := published(t)
	check := func(what, name string, v any) {
		t.Helper()
		if v == nil {
			t.Errorf("%s: nothing to check", what)
			return
		}
		if err := schema(name).Validate(v); err != nil {
			t.Errorf("%s is no %s: %v", what, name, err)
		}
	}
	customer := b.post("/v1/customers", "", "name", "A", "metadata[x]", "y")
	check("customer", "customer", any(customer.body))
	method := b.post("/v1/payment_methods/pm_card_visa/attach", "", "customer", customer.at("id").(string))
	check("card", "payment_method", any(method.body))
	check("bank account", "payment_method", any(b.get("/v1/payment_methods/pm_usBankAccount_success").body))

	paid := b.charge("pm_card_visa", "k1")
	check("paid intent", "payment_intent", any(paid.body))
	check("expanded intent", "payment_intent", any(b.get("/v1/payment_intents/"+paid.at("id").(string), "expand[]", "latest_charge", "expand[]", "payment_method").body))
	check("paid charge", "charge", any(b.get("/v1/charges/"+paid.at("latest_charge").(string)).body))
	declined := b.charge("pm_card_visa_chargeDeclinedLostCard", "k2")
	check("refusal", "api_errors", declined.at("error"))
	check("declined charge", "charge", any(b.get("/v1/charges/"+declined.at("error.charge").(string)).body))
	check("declined intent", "payment_intent", any(b.get("/v1/payment_intents/"+declined.at("error.payment_intent.id").(string)).body))
	check("waiting intent", "payment_intent", any(b.charge("pm_sim_requires_action", "k3").body))
	check("refund", "refund", any(b.post("/v1/refunds", "r1", "payment_intent", paid.at("id").(string)).body))
	check("debit", "payment_intent", any(b.charge("pm_usBankAccount_dispute", "k4").body))
	check("failing debit", "payment_intent", any(b.charge("pm_usBankAccount_noAccount", "k5").body))
	b.pass(time.Minute)
	b.pass(time.Minute)
	check("balance", "balance", any(b.get("/v1/balance").body))

	kinds := map[string]bool{}
	for _, e := range b.get("/v1/events", "limit", "100").body["data"].([]any) {
		check("event", "event", e)
		object := e.(map[string]any)["data"].(map[string]any)["object"].(map[string]any)
		check("an event's object", object["object"].(string), any(object))
		kinds[e.(map[string]any)["type"].(string)] = true
	}
	for _, kind := range []string{"payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.processing", "payment_intent.requires_action", "charge.refunded", "charge.dispute.created"} {
		want(t, kind+" was seen", kinds[kind], true)
	}
	list := b.get("/v1/payment_intents", "limit", "2")
	want(t, "has_more", list.at("has_more"), true)
	for _, i := range list.body["data"].([]any) {
		check("listed intent", "payment_intent", i)
	}
	broken := map[string]any{"object": "payment_intent", "id": "pi_1", "created": "yesterday", "livemode": false, "status": "succeeded"}
	if schema("payment_intent").Validate(broken) == nil {
		t.Error("the schema takes anything, so this test proves nothing")
	}
}

// TestListsPageThroughEverythingOnce follows starting_after to the end.
func TestListsPageThroughEverythingOnce(t *testing.T) {
	b := open(t, stripesim.Options{})
	for i := range 7 {
		b.charge("pm_card_visa", string(rune('a'+i)))
		b.pass(time.Second)
	}
	var keys []string
	query := values([]string{"limit", "3"})
	for {
		page := b.do(t.Context(), http.MethodGet, "/v1/payment_intents", "", query)
		for _, v := range page.body["data"].([]any) {
			i := v.(map[string]any)
			keys = append(keys, i["metadata"].(map[string]any)["recoup_attempt"].(string))
			query.Set("starting_after", i["id"].(string))
		}
		if page.at("has_more") != true {
			break
		}
	}
	want(t, "newest first", strings.Join(keys, ""), "gfedcba")
	noon := b.clock().Add(-7 * time.Second).Unix()
	window := url.Values{"created[gte]": {itoa(noon + 2)}, "created[lt]": {itoa(noon + 4)}}
	want(t, "in a window", len(b.do(t.Context(), http.MethodGet, "/v1/payment_intents", "", window).body["data"].([]any)), 2)
}

// TestBooksPageAndAgreeWithTheirTotals reads the books in one go and in pages.
func TestBooksPageAndAgreeWithTheirTotals(t *testing.T) {
	b := open(t, stripesim.Options{})
	for i := range 5 {
		b.charge("pm_card_visa", string(rune('a'+i)))
	}
	b.charge("pm_card_visa_chargeDeclined", "x")
	all := b.books("")
	want(t, "all", len(all.Charges), 5)
	want(t, "taken", all.Totals[0].Taken, int64(5000))
	seen, query := 0, "?limit=2"
	for {
		page := b.books(query)
		seen += len(page.Charges)
		want(t, "a page's totals", page.Totals[0].Taken, int64(5000))
		if page.Next == nil {
			break
		}
		query = "?limit=2&after=" + itoa(*page.Next)
	}
	want(t, "in pages", seen, 5)
}

func itoa(n int64) string {
	out, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(out)
}
