package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recoup/notify"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// service is the user's own service: it keeps what it was told and answers as told.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(call) int
}

type call struct {
	notify.HookPayload
	id, signature string
	verified      error
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{answer: func(call) int { return http.StatusNoContent }}
	verifier, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c := call{id: r.Header.Get("webhook-id"), signature: r.Header.Get("webhook-signature"), verified: verifier.Verify(body, r.Header)}
		if err := json.Unmarshal(body, &c.HookPayload); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.calls = append(s.calls, c)
		answer := s.answer
		s.mu.Unlock()
		w.WriteHeader(answer(c))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) got() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

func (w *world) hook(c notify.HookConfig) *notify.Hook {
	w.t.Helper()
	h, err := notify.NewHook(c, w.store, slog.New(slog.NewTextHandler(w.logged, nil)))
	w.must(err)
	return h
}

func (w *world) standing(account string, generation int, standing string) {
	w.t.Helper()
	w.exec(`insert into accounts (id, name, time_zone) values ($1, $1, 'UTC') on conflict do nothing`, account)
	w.exec(`insert into standing_calls (account_id, generation, standing, reason, created_at, send_after)
		values ($1, $2, $3, 'unpaid', $4, $4)`,
		account, generation, standing, w.now)
}

func (w *world) call(h *notify.Hook) {
	w.t.Helper()
	for {
		n, err := h.Once(context.Background())
		w.must(err)
		if n == 0 {
			return
		}
	}
}

func (w *world) calls() string {
	w.t.Helper()
	return scan[string](w, `select coalesce(string_agg(account_id || ' ' || generation || ' '
			|| case when accepted_at is null then 'open' else 'accepted' end || case when problem <> '' then ' (' || problem || ')' else '' end,
		', ' order by account_id, generation), '') from standing_calls`)
}

func TestS3CallIsSignedAndRetriedUntilAccepted(t *testing.T) {
	w, s := newWorld(t), newService(t)
	h := w.hook(notify.HookConfig{URL: s.URL, Secret: hookSecret})
	s.answer = func(call) int { return http.StatusServiceUnavailable }
	w.standing("acme", 1, "suspended")
	for range 6 {
		w.call(h)
		w.advance(time.Hour)
	}
	if got := w.calls(); got != "acme 1 open (answered 503)" {
		t.Errorf("calls: %s", got)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'hook_stuck'`); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
	s.answer = func(call) int { return http.StatusAccepted }
	w.call(h)
	calls := s.got()
	if len(calls) != 7 {
		t.Fatalf("%d calls, want 7", len(calls))
	}
	for _, c := range calls {
		if c.verified != nil || c.id != calls[0].id || c.id == "" {
			t.Errorf("call %s: %v", c.id, c.verified)
		}
		if c.Account != "acme" || c.Standing != "suspended" || c.Generation != 1 || c.Reason != "unpaid" || !c.At.Equal(noon) {
			t.Errorf("payload %+v", c.HookPayload)
		}
	}
	w.advance(time.Hour)
	w.call(h)
	if got := w.calls(); got != "acme 1 accepted" || len(s.got()) != 7 {
		t.Errorf("calls: %s", got)
	}
}

// TestS3LateSuspendNeverUndoesANewerReinstate: what a newer generation overtook is skipped, and one under way ends before the newer one
// begins.
func TestS3LateSuspendNeverUndoesANewerReinstate(t *testing.T) {
	w, s := newWorld(t), newService(t)
	h := w.hook(notify.HookConfig{URL: s.URL, Secret: hookSecret})
	w.standing("acme", 1, "suspended")
	w.standing("acme", 2, "active")
	w.standing("globex", 1, "suspended")
	w.call(h)
	for _, c := range s.got() {
		if c.Account == "acme" && c.Generation != 2 {
			t.Errorf("an overtaken call was made: %+v", c.HookPayload)
		}
	}
	if got := w.calls(); got != "acme 1 accepted (skipped: a newer generation exists), acme 2 accepted, globex 1 accepted" {
		t.Errorf("calls: %s", got)
	}

	inHand, goOn := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.answer = func(c call) int {
		if c.Generation == 3 {
			close(inHand)
			<-goOn
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
	s.mu.Unlock()
	w.standing("acme", 3, "suspended")
	done := make(chan error, 1)
	go func() { _, err := h.Once(context.Background()); done <- err }()
	<-inHand
	w.standing("acme", 4, "active")
	w.call(h)
	if got := s.got(); got[len(got)-1].Generation != 3 {
		t.Errorf("generation %d was called while 3 was under way", got[len(got)-1].Generation)
	}
	close(goOn)
	w.must(<-done)
	w.call(h)
	w.advance(time.Hour)
	w.call(h)
	got := s.got()
	if last := got[len(got)-1]; last.Generation != 4 || last.Standing != "active" {
		t.Errorf("the last word is %+v", last.HookPayload)
	}
}

func TestS3NoHookConfigured(t *testing.T) {
	w := newWorld(t)
	w.standing("acme", 1, "suspended")
	w.call(w.hook(notify.HookConfig{}))
	if got := w.calls(); got != "acme 1 accepted (no hook configured)" {
		t.Errorf("calls: %s", got)
	}
}

// TestS3CrashInACall: the claim runs out and the call is made again under the same id.
func TestS3CrashInACall(t *testing.T) {
	w, s := newWorld(t), newService(t)
	w.standing("acme", 1, "suspended")
	if calls, err := w.store.ClaimStandingCalls(context.Background(), 10, time.Minute); err != nil || len(calls) != 1 {
		t.Fatal(calls, err)
	}
	h := w.hook(notify.HookConfig{URL: s.URL, Secret: hookSecret})
	w.call(h)
	if n := len(s.got()); n != 0 {
		t.Errorf("%d calls while another has it", n)
	}
	w.advance(2 * time.Minute)
	w.call(h)
	if got := w.calls(); got != "acme 1 accepted" || len(s.got()) != 1 {
		t.Errorf("calls: %s, %d made", got, len(s.got()))
	}
}

func TestHookConfigIsChecked(t *testing.T) {
	for variable, c := range map[string]notify.HookConfig{
		"RECOUP_SUSPENSION_HOOK_URL:":    {URL: "example.com/hook", Secret: hookSecret},
		"RECOUP_SUSPENSION_HOOK_SECRET:": {URL: "https://example.com/hook"},
		"base64":                         {URL: "https://example.com/hook", Secret: "whsec_%%%"},
	} {
		if _, err := notify.NewHook(c, nil, nil); err == nil || !has(err.Error(), variable) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

func TestS3RedirectIsNotFollowed(t *testing.T) {
	w, s := newWorld(t), newService(t)
	elsewhere := newService(t)
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirect.Close)
	w.standing("acme", 1, "suspended")
	w.call(w.hook(notify.HookConfig{URL: redirect.URL, Secret: hookSecret}))
	if got := w.calls(); got != "acme 1 open (answered 307)" || len(elsewhere.got())+len(s.got()) != 0 {
		t.Errorf("calls: %s", got)
	}
}
