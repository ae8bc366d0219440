package crash

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// hookSecret signs the calls of the suspension hook.
const hookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

// hook is the user's own service: it keeps the highest generation of each account, as docs ask of it (S3).
type hook struct {
	url string

	mu        sync.Mutex
	standings map[string]hookCall
}

type hookCall struct {
	Account    string `json:"account"`
	Standing   string `json:"standing"`
	Generation int64  `json:"generation"`
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{standings: map[string]hookCall{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call hookCall
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil || r.Header.Get("Webhook-Signature") == "" {
			http.Error(w, "not a signed call", http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if call.Generation > h.standings[call.Account].Generation {
			h.standings[call.Account] = call
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// standing is how the user's own service treats an account.
func (h *hook) standing(account string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if call, ok := h.standings[account]; ok {
		return call.Standing
	}
	return "active"
}
