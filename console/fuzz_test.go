package console_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"recoup/console"
)

// facts counts what a request could have written.
func (h *shop) facts() (n int) {
	h.t.Helper()
	h.must(h.Pool().QueryRow(context.Background(), `select (select count(*) from resolutions) * 1000000 + (select count(*) from journal_entries) * 1000
		+ (select count(*) from case_events) + (select count(*) from audit_log)`).Scan(&n))
	return n
}

// fuzzShop is a shop of one open case, whose handler is called without a network between.
func fuzzShop(f *testing.F) (*shop, http.Handler) {
	f.Helper()
	h := newShop(f)
	h.account("a", "A", "Asia/Tokyo", "visa 4242")
	h.invoice("inv", "N-1", "a", amount("JPY 900000"))
	h.open("inv")
	return h, console.New(console.Options{Store: h.Store, Resolver: h.Store, Live: h.live})
}

// FuzzConsoleReads asks pages and endpoints anything: never an error of ours, and nothing is written.
func FuzzConsoleReads(f *testing.F) {
	for _, path := range []string{"/", "/cases", "/accounts", "/notices", "/api/cases", "/cases/inv", "/cases/inv/2", "/api/cases/inv", "/api/cases/inv/2", "/api/accounts/a", "/notices/9",
		"/cases/\x00", "/accounts/%00", "/notices/99999999999999999999", "/api/cases/inv/1000001"} {
		f.Add(path, "")
		f.Add(path, "after=x&limit=9999&stage=nowhere&overlay=held&currency=%00&q=%25_%5C%27&standing=%ff&kind=%00&done=%00")
	}
	f.Add("/api/cases", "after=MjAyNi0wMS0wMXxpbnY")
	f.Add("/api/cases", "after=eyJ9")
	h, handler := fuzzShop(f)
	f.Fuzz(func(t *testing.T, path, query string) {
		h.t = t
		before := h.facts()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: path, RawQuery: query}
		if !strings.HasPrefix(path, "/") || path == "/live" {
			return
		}
		handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("GET %q ? %q was answered %d:\n%s", path, query, w.Code, w.Body)
		}
		if h.facts() != before {
			t.Fatalf("GET %q ? %q wrote something", path, query)
		}
	})
}

// FuzzConsoleForms posts any form with a good token: it is carried out and sent back to the case, or refused with a page that says why and
// nothing written; never an error of ours. Without the token nothing passes (R2, B8).
func FuzzConsoleForms(f *testing.F) {
	const who = "&reason=x&actor=Ada&request_id=console-1"
	for _, form := range []string{
		"kind=paid_out_of_band&amount=1&reference=W-1&received_on=2026-11-01" + who,
		"kind=paid_out_of_band&amount=9223372036854775807&reference=W-1&received_on=2026-11-01" + who,
		"kind=paid_out_of_band&amount=1&reference=W%00&received_on=0000-01-01" + who,
		"kind=hold&until=2999-11-05T09:00&scope=attempts&scope=nothing" + who,
		"kind=retry_now&method=%00" + who, "kind=release" + who, "kind=%00&reason=%ff", "%zz", "kind=retry_now;x",
		"kind=retry_now&reason=x&actor=Ada&request_id=%00",
	} {
		f.Add(form, "application/x-www-form-urlencoded", true)
		f.Add(form, "multipart/form-data; boundary=x", false)
	}
	h, handler := fuzzShop(f)
	token := strings.Repeat("A", 26)
	f.Fuzz(func(t *testing.T, form, contentType string, withToken bool) {
		h.t = t
		before, decided := h.facts(), h.resolutions()
		r := httptest.NewRequest(http.MethodPost, "/cases/inv/resolve", io.NopCloser(strings.NewReader("token="+token+"&"+form)))
		r.Header["Content-Type"] = []string{contentType}
		if withToken {
			r.AddCookie(&http.Cookie{Name: "recoup_token", Value: token})
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		now := h.resolutions()
		switch {
		case w.Code >= 500:
			t.Fatalf("%q was answered %d:\n%s", form, w.Code, w.Body)
		case w.Code == http.StatusSeeOther && withToken:
			if now > decided+1 || w.Header().Get("Location") == "" {
				t.Fatalf("%q was recorded %d times", form, now-decided)
			}
		case w.Code >= 400 && h.facts() == before:
		default:
			t.Fatalf("%q was answered %d, and something was written", form, w.Code)
		}
		h.exec(`delete from pokes`)
	})
}
