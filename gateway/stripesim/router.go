package stripesim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// router names every endpoint. The names (payment_intents.create) are what fault scripts and the log of faults use.
func (s *Simulator) router() http.Handler {
	api := http.NewServeMux()
	api.Handle("POST /v1/customers", s.write("customers.create", s.createCustomer))
	api.Handle("GET /v1/customers", s.read("customers.list", s.listCustomers))
	api.Handle("GET /v1/customers/{id}", s.read("customers.retrieve", s.retrieveCustomer))
	api.Handle("GET /v1/customers/{id}/payment_methods", s.read("payment_methods.list", s.listMethods))

	api.Handle("POST /v1/payment_methods", s.write("payment_methods.create", s.createMethod))
	api.Handle("GET /v1/payment_methods", s.read("payment_methods.list", s.listMethods))
	api.Handle("GET /v1/payment_methods/{id}", s.read("payment_methods.retrieve", s.retrieveMethod))
	api.Handle("POST /v1/payment_methods/{id}/attach", s.write("payment_methods.attach", s.attachMethod))
	api.Handle("POST /v1/payment_methods/{id}/detach", s.write("payment_methods.detach", s.detachMethod))

	api.Handle("POST /v1/payment_intents", s.write("payment_intents.create", s.createIntent))
	api.Handle("GET /v1/payment_intents", s.read("payment_intents.list", s.listIntents))
	api.Handle("GET /v1/payment_intents/search", s.read("payment_intents.search", s.searchIntents))
	api.Handle("GET /v1/payment_intents/{id}", s.read("payment_intents.retrieve", s.retrieveIntent))
	api.Handle("POST /v1/payment_intents/{id}/confirm", s.write("payment_intents.confirm", s.confirmIntent))
	api.Handle("POST /v1/payment_intents/{id}/cancel", s.write("payment_intents.cancel", s.cancelIntent))

	api.Handle("GET /v1/charges", s.read("charges.list", s.listCharges))
	api.Handle("GET /v1/charges/{id}", s.read("charges.retrieve", s.retrieveCharge))
	api.Handle("POST /v1/refunds", s.write("refunds.create", s.createRefund))
	api.Handle("GET /v1/refunds", s.read("refunds.list", s.listRefunds))
	api.Handle("GET /v1/refunds/{id}", s.read("refunds.retrieve", s.retrieveRefund))
	api.Handle("GET /v1/disputes", s.read("disputes.list", s.listDisputes))
	api.Handle("GET /v1/disputes/{id}", s.read("disputes.retrieve", s.retrieveDispute))
	api.Handle("GET /v1/events", s.read("events.list", s.listEvents))
	api.Handle("GET /v1/events/{id}", s.read("events.retrieve", s.retrieveEvent))
	api.Handle("GET /v1/balance", s.read("balance.retrieve", s.retrieveBalance))
	api.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{Status: http.StatusNotFound, Type: "invalid_request_error",
			Message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ")."})
	})

	all := http.NewServeMux()
	all.Handle("/v1/", s.guarded(api))
	all.HandleFunc("GET /books", s.books)
	s.adminRoutes(all)
	s.pageRoutes(all)
	return all
}

// guarded asks for a test key, names the request and adds the latency.
func (s *Simulator) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Request-Id", newID("req_")[:18])
		w.Header().Set("Stripe-Version", apiVersion)
		if bad := checkKey(r); bad != nil {
			writeError(w, bad)
			return
		}
		if s.opt.Latency > 0 && !pause(r.Context(), s.opt.Latency) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkKey wants "Bearer sk_test_…" or the key as the user of basic authentication. A live key is refused: nothing here may ever be
// mistaken for the real gateway.
func checkKey(r *http.Request) *apiError {
	key, _, ok := r.BasicAuth()
	if !ok {
		key, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	switch {
	case !ok || key == "":
		return unauthorized("You did not provide an API key. You need to provide your API key in the Authorization header.")
	case !strings.HasPrefix(key, "sk_test_"):
		return unauthorized("Invalid API Key provided: this is a simulator and takes keys that begin with sk_test_ only.")
	}
	return nil
}

// pause waits, or returns false when the caller has gone.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func writeError(w http.ResponseWriter, e *apiError) { writeBody(w, e.Status, e.body()) }

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON under its own content type; the caller may have gone, the effect stands
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		writeError(w, serverError())
		return
	}
	writeBody(w, status, body)
}
