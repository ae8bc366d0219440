package stripe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// bodyCap bounds an answer; Stripe's largest page that we ask for is far below.
const bodyCap = 4 << 20

// Errors of the transport. All but errNotOurs come after something may have been sent.
var (
	errNotOurs    = errors.New("refused to send a write that does not carry this call's own idempotency key")
	errTooLarge   = fmt.Errorf("the answer is larger than %d bytes", bodyCap)
	errUnreadable = errors.New("the answer is not a JSON document")
	errNoList     = errors.New("the answer is not the list that was asked for")
)

// call is what is known of one HTTP exchange, kept in its context.
type call struct {
	key  string // the idempotency key a write must carry; "" forbids writes
	list string // the sort of list that a good answer must be: objectList, objectSearch, or "" for no list
	sent atomic.Bool
}

// Stripe's names of what a list endpoint answers with.
const (
	objectList   = "list"
	objectSearch = "search_result"
)

type callKey struct{}

// withCall prepares a context for one exchange. Only writes with exactly this key pass the transport (PM5, faults.md A9): the SDK
// would invent a key where none is set.
func withCall(ctx context.Context, key string) (context.Context, *call) {
	c := &call{key: key}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// From the moment a connection is there, bytes may leave; before it nothing can have.
		GotConn: func(httptrace.GotConnInfo) { c.sent.Store(true) },
	})
	return context.WithValue(ctx, callKey{}, c), c
}

// withList prepares a context for the pages of one list. Only whole pages pass the transport: an empty object must never be read as
// "there is none", for that would prove that an attempt did not happen (D2).
func withList(ctx context.Context, object string) context.Context {
	return context.WithValue(ctx, callKey{}, &call{list: object})
}

// newHTTPClient returns a client of our own: explicit timeouts, no redirects (they could carry a charge and the key elsewhere),
// checked answers.
func newHTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &guard{next: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: min(5*time.Second, timeout), KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   min(5*time.Second, timeout),
			ResponseHeaderTimeout: timeout,
			MaxIdleConnsPerHost:   32,
			IdleConnTimeout:       60 * time.Second,
			ForceAttemptHTTP2:     true,
		}},
	}
}

// guard lets only our own requests out and only whole JSON documents in.
type guard struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	c, ok := req.Context().Value(callKey{}).(*call)
	if req.Method != http.MethodGet && (!ok || c.key == "" || req.Header.Get("Idempotency-Key") != c.key) {
		return nil, errNotOurs
	}
	if req.Method != http.MethodGet {
		req = sentOnce(req)
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyCap+1))
	_ = resp.Body.Close() // read to its end, or given up
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(body) > bodyCap:
		return nil, errTooLarge
	case resp.StatusCode/100 == 3: // not followed, and the SDK would read its body as an answer
		return nil, fmt.Errorf("%w (HTTP %d)", errUnreadable, resp.StatusCode)
	// Strict: names given twice and broken UTF-8 are refused too, for two readers could read them differently (faults.md A13).
	case !jsontext.Value(body).IsValid():
		return nil, fmt.Errorf("%w (HTTP %d)", errUnreadable, resp.StatusCode)
	case ok && c.list != "" && resp.StatusCode/100 == 2 && !isList(body, c.list):
		return nil, errNoList
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// isList reports whether a body is a page of a list: it says so, says whether there is more, and its items are objects with ids.
func isList(body []byte, object string) bool {
	var page struct {
		Object  string `json:"object"`
		HasMore *bool  `json:"has_more"`
		Data    []*struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &page); err != nil || page.Object != object || page.HasMore == nil || page.Data == nil {
		return false
	}
	for _, item := range page.Data {
		if item == nil || item.ID == "" {
			return false
		}
	}
	return !*page.HasMore || len(page.Data) > 0
}

// sentOnce keeps net/http from sending a write a second time by itself: it does so for requests with an Idempotency-Key header when a
// kept-alive connection breaks, which would hide an unknown outcome. Spelt in small letters the header is the same on the wire and
// unknown to that rule. What is still repeated is a request of which not one byte was written.
func sentOnce(req *http.Request) *http.Request {
	req = req.Clone(req.Context())
	req.Header["idempotency-key"] = req.Header["Idempotency-Key"]
	delete(req.Header, "Idempotency-Key")
	return req
}
