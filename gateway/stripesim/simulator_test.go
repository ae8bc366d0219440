package stripesim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/gateway/stripesim"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, stripesim.Migrate, stripesim.Migrations) }

// client opens a connection per request: net/http sends writes that carry an Idempotency-Key again by itself when a kept one breaks.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// bench is one simulator on a database of its own, with a clock the test moves.
type bench struct {
	t    *testing.T
	sim  *stripesim.Simulator
	url  string
	pool *pgxpool.Pool

	mu  sync.Mutex
	now time.Time
}

func open(t *testing.T, opt stripesim.Options) *bench {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b := &bench{t: t, pool: pool, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	opt.Now = b.clock
	if b.sim, err = stripesim.New(t.Context(), pool, opt); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.sim)
	t.Cleanup(server.Close)
	t.Cleanup(b.sim.Stop)
	b.url = server.URL
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// pass moves the clock and lets the background work happen.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	if err := b.sim.Step(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

// answer is a decoded JSON answer, or the error of the transport.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
	err    error
}

func (a answer) at(path string) any {
	var v any = a.body
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

func (b *bench) do(ctx context.Context, verb, path, key string, params url.Values) answer {
	b.t.Helper()
	var body io.Reader
	if verb == http.MethodPost {
		body = strings.NewReader(params.Encode())
	} else if len(params) > 0 {
		path += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, verb, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_bench")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw), err: err}
	_ = json.Unmarshal(raw, &a.body) // some answers are garbage on purpose
	return a
}

func (b *bench) post(path, key string, pairs ...string) answer {
	b.t.Helper()
	return b.do(b.t.Context(), http.MethodPost, path, key, values(pairs))
}

func (b *bench) get(path string, pairs ...string) answer {
	b.t.Helper()
	return b.do(b.t.Context(), http.MethodGet, path, "", values(pairs))
}

// charge asks for 10.00 USD of a method, as the adapter does; attempt and key are the same.
func (b *bench) charge(method, key string) answer {
	b.t.Helper()
	return b.do(b.t.Context(), http.MethodPost, "/v1/payment_intents", key, chargeParams(method, key))
}

func chargeParams(method, key string) url.Values {
	kind := "card"
	if strings.Contains(method, "ank") {
		kind = "us_bank_account"
	}
	return values([]string{"amount", "1000", "currency", "usd", "payment_method", method, "payment_method_types[0]", kind,
		"confirm", "true", "off_session", "true", "metadata[recoup_attempt]", key, "metadata[recoup_invoice]", "inv_1"})
}

func values(pairs []string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

type books struct {
	Charges []stripesim.BookedCharge `json:"charges"`
	Totals  []stripesim.BookedTotal  `json:"totals"`
	Next    *int64                   `json:"next"`
}

func (b *bench) books(query string) books {
	b.t.Helper()
	a := b.do(b.t.Context(), http.MethodGet, "/books"+query, "", nil)
	var out books
	if err := json.Unmarshal([]byte(a.raw), &out); err != nil {
		b.t.Fatalf("books: %v in %q", err, a.raw)
	}
	return out
}

// wantCharges checks how many charges the books hold and returns them.
func (b *bench) wantCharges(n int) []stripesim.BookedCharge {
	b.t.Helper()
	got := b.books("").Charges
	if len(got) != n {
		b.t.Fatalf("the books hold %d charges, want %d: %+v", len(got), n, got)
	}
	return got
}

func want(t *testing.T, what string, got, expect any) {
	t.Helper()
	if got != expect {
		t.Errorf("%s = %v, want %v", what, got, expect)
	}
}

// eventually asks until it is so, for things that happen on the simulator's own real time.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); !so(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: never", what)
		}
	}
}
