// Package console owns what people see of Recoup: server-rendered pages for staff, their live updates, and the JSON endpoints. It reads
// through store in snapshots and never writes: what a person decides goes through a Resolver, what customers do through OwnActs, a policy
// through a PolicyAdder, and an act on many cases through a BatchRunner. It doesn't decide what a case does (dunning), doesn't render
// notices (notify) and doesn't know Temporal beyond a link into its UI.
//
// Every page works without JavaScript; with it, pages renew themselves when something changes.
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/store"
)

// Options are what the console is made of. Store is needed; everything else has a default.
type Options struct {
	Store *store.Store
	// Resolver carries out what a person decides; nil: the pages are read-only.
	Resolver Resolver
	// Own carries out what an account's own people do; nil: their pages are read-only, and nobody changes payment methods here.
	Own OwnActs
	// Policies adds versions of policies; nil: the API only checks them.
	Policies PolicyAdder
	// Batches acts on many cases; nil: they are only shown.
	Batches BatchRunner
	// Live tells pages that something changed; nil: they renew only when reloaded.
	Live *Live
	// TemporalUI and Namespace make the links into Temporal's own UI; an empty TemporalUI leaves them out.
	TemporalUI string
	Namespace  string
	// URL is where people open the console. Requests under other host names are refused, unless they name an address or localhost,
	// because a page elsewhere could have its own name point here. Empty: every name is accepted.
	URL string
	// SignIn says how people prove who they are.
	SignIn SignIn
	// Open lets a console that asks nobody to sign in listen beyond this machine.
	Open bool
	// Locale is for amounts, Zone for what "today" is on the overview; empty and nil are en-US and UTC.
	Locale string
	Zone   *time.Location
	// Now is the clock for relative times; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// requestTimeout bounds one page; only /live stays open longer.
const requestTimeout = 20 * time.Second

// console serves the pages.
type console struct {
	Options
	pages map[string]*pageTemplate
	start time.Time
	api   *huma.OpenAPI
}

// New returns the console's handler. It panics when the embedded templates are broken, which only a broken build can cause.
func New(o Options) http.Handler { return newConsole(o).handler() }

func newConsole(o Options) *console {
	if o.Namespace == "" {
		o.Namespace = "recoup"
	}
	if o.Locale == "" {
		o.Locale = "en-US"
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &console{Options: o, start: o.Now()}
	c.pages = c.parsePages()
	return c
}

func (c *console) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range c.routes() {
		mux.Handle(route.pattern, c.guarded(route.action, route.page))
	}
	c.addAPI(mux)
	c.addAssets(mux)

	bounded := http.NewServeMux()
	bounded.Handle("/", withTimeout(c.identify(mux)))
	if c.Live != nil {
		bounded.Handle("GET /live", c.identify(c.guarded(access.ReadCases, func(w http.ResponseWriter, r *http.Request) error {
			c.Live.ServeHTTP(w, r)
			return nil
		})))
	}
	return c.protect(bounded)
}

// withTimeout ends the context of a request; queries under it stop.
func withTimeout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// page runs a handler and shows its error as a page.
func (c *console) page(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			c.showError(w, r, err)
		}
	})
}

// showError answers with a page that says what went wrong; what isn't a Refusal stays in the log.
func (c *console) showError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(r.Context().Err(), context.Canceled) {
		return // nobody is listening any more
	}
	p := problemOf(err)
	if f, ok := asForbidden(err); ok {
		p = problem{f.status(), titleOfStatus[f.status()], f.Error(), ""}
		if f.who == nil && onOwnSide(r) {
			p.title, p.text = "You are signed out", "Your invoices open with a link. Ask for a new one where you found the last."
		}
	}
	if p.status >= http.StatusInternalServerError {
		c.Log.Error("console page failed", "path", loggedPath(r), "error", err)
	}
	if onOwnSide(r) {
		c.render(w, r, p.status, "own_error.html", view{Title: p.title, Content: struct{ Title, Text string }{p.title, p.text}})
		return
	}
	c.render(w, r, p.status, "error.html", view{
		Title: p.title, Nav: navOf(r.URL.Path), Content: struct{ Title, Text, Field string }{p.title, p.text, p.field},
	})
}

func navOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}
