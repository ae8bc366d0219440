package console

import (
	"context"
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// anyResolver lets the routes of decisions exist.
type anyResolver struct{}

func (anyResolver) Resolve(context.Context, billing.Resolution) (billing.ResolutionAnswer, error) {
	return billing.ResolutionAnswer{}, nil
}

// TestDefaultDeny: a route or an endpoint without an action that the table knows fails here, and is refused to everybody.
func TestDefaultDeny(t *testing.T) {
	c := newConsole(Options{Store: &store.Store{}, Resolver: anyResolver{}, Batches: &store.Store{}, Own: &store.Store{}})
	c.handler()
	known := access.Actions()
	public := map[string]bool{"GET /sign-in": true, "GET /sign-in/callback": true, "POST /sign-out": true, "GET /signed-out": true, "GET /": true,
		"GET /portal/{secret}": true, "POST /portal/{secret}": true}
	routes := c.routes()
	for _, r := range routes {
		if !slices.Contains(known, r.action) {
			t.Errorf("%s wants %q, which the table does not know", r.pattern, r.action)
		}
		if (r.action == access.Public) != public[r.pattern] {
			t.Errorf("%s wants %q: what everybody may see is listed in this test", r.pattern, r.action)
		}
	}
	operations := 0
	for path, item := range c.api.Paths {
		for method, op := range map[string]*huma.Operation{"get": item.Get, "post": item.Post, "put": item.Put, "delete": item.Delete, "patch": item.Patch} {
			if op == nil {
				continue
			}
			operations++
			a, ok := op.Metadata[actionKey].(access.Action)
			if !ok || !slices.Contains(known, a) {
				t.Errorf("%s %s wants %q, which the table does not know", method, path, a)
			}
			if a == access.Public && path != "/healthz" {
				t.Errorf("%s %s is open to everybody", method, path)
			}
		}
	}
	if len(routes) < 10 || operations < 5 {
		t.Errorf("looked at %d routes and %d endpoints: not all were found", len(routes), operations)
	}
}
