package console

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// SignIn says how people prove who they are. The zero value is the open console: everybody who reaches it is an administrator under the
// name they give, which Serve allows on this machine only.
type SignIn struct {
	// OIDC signs staff in at an identity provider; nil: not used.
	OIDC *OIDC
	// ActorHeader and RolesHeader are set by a proxy that has signed the person in. Without a RolesHeader everybody has ActorRoles.
	ActorHeader, RolesHeader string
	ActorRoles               []access.Role
	// Roles turns what the provider or the proxy calls a role into ours; names that are ours need no line.
	Roles map[string]access.Role
	// Times bound a session.
	Times store.SessionTimes
}

// open reports whether nobody is asked who they are.
func (s SignIn) open() bool { return s.OIDC == nil && s.ActorHeader == "" }

// rolesOf keeps the names that are staff roles of ours.
func (s SignIn) rolesOf(names []string) []access.Role {
	var roles []access.Role
	for _, name := range names {
		role, mapped := s.Roles[name]
		if !mapped {
			role, _ = access.ParseRole(name)
		}
		if role != "" && !role.OfAccount() {
			roles = append(roles, role)
		}
	}
	return roles
}

const sessionCookie = "recoup_session"

type principalKey struct{}

// principalOf returns who asks; nil when nobody signed in.
func principalOf(ctx context.Context) *access.Principal {
	p, _ := ctx.Value(principalKey{}).(*access.Principal)
	return p
}

// identify finds out who asks, once per request. A token or a session that isn't good is nobody.
func (c *console) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := c.whoAsks(r)
		if err != nil {
			c.Log.Error("console can't tell who asks", "path", loggedPath(r), "error", err)
			http.Error(w, "The database did not answer. Nothing was changed; try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		ctx := r.Context()
		if p != nil {
			ctx = context.WithValue(ctx, principalKey{}, p)
			ctx = store.WithOrigin(ctx, store.Origin{Door: doorOf(r), Session: p.ID, Address: addressOf(r)})
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (c *console) whoAsks(r *http.Request) (*access.Principal, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return c.Store.Token(r.Context(), strings.TrimSpace(token))
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if p, err := c.Store.Session(r.Context(), cookie.Value, c.SignIn.Times); p != nil || err != nil {
			return p, err
		}
	}
	switch {
	case c.SignIn.ActorHeader != "":
		return c.byProxy(r), nil
	case c.SignIn.open():
		return &access.Principal{Roles: []access.Role{access.Admin}, SignedInAt: c.Now()}, nil
	}
	return nil, nil
}

// byProxy believes the proxy, which has signed the person in; how fresh that is is the proxy's business.
func (c *console) byProxy(r *http.Request) *access.Principal {
	name := strings.TrimSpace(r.Header.Get(c.SignIn.ActorHeader))
	if name == "" {
		return nil
	}
	p := &access.Principal{ID: "proxy", Name: name, Roles: c.SignIn.ActorRoles, SignedInAt: c.Now()}
	if c.SignIn.RolesHeader != "" {
		p.Roles = c.SignIn.rolesOf(strings.FieldsFunc(r.Header.Get(c.SignIn.RolesHeader), func(r rune) bool { return r == ',' || r == ' ' }))
	}
	return p
}

func doorOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return "api"
	}
	return "console"
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// verdict asks the one table whether who asks may do so about the account.
func (c *console) verdict(ctx context.Context, a access.Action, account billing.AccountID) access.Verdict {
	p := principalOf(ctx)
	if p == nil {
		p = &access.Principal{}
	}
	return p.May(a, account, c.Now())
}

// may is verdict as an error: nil when allowed.
func (c *console) may(ctx context.Context, a access.Action, account billing.AccountID) error {
	if v := c.verdict(ctx, a, account); v != access.Allowed {
		return &forbidden{v, a, principalOf(ctx)}
	}
	return nil
}

// forbidden is a refusal because of who asks.
type forbidden struct {
	verdict access.Verdict
	action  access.Action
	who     *access.Principal
}

func (f *forbidden) Error() string {
	switch {
	case f.who == nil:
		return "Sign in first."
	case f.verdict == access.SignInAgain:
		return "This wants a fresh sign-in: yours is older than " + wordsOf(access.FreshFor) + "."
	case f.verdict == access.NotFound:
		return "There is no such thing here."
	case f.who.Token():
		return "This token was not given " + string(f.action) + "."
	}
	return "Your role does not include " + string(f.action) + ". Ask somebody who has it, or an administrator."
}

func (f *forbidden) status() int {
	switch {
	case f.who == nil:
		return http.StatusUnauthorized
	case f.verdict == access.NotFound:
		return http.StatusNotFound
	}
	return http.StatusForbidden
}

func wordsOf(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }

// guarded is a page or form that wants an action. People who aren't signed in are sent to sign in and come back.
func (c *console) guarded(a access.Action, h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return c.page(func(w http.ResponseWriter, r *http.Request) error {
		account, err := c.accountOfPage(r)
		if err != nil {
			return err
		}
		err = c.may(r.Context(), a, account)
		if f, ok := asForbidden(err); ok && r.Method == http.MethodGet && (f.who == nil || f.verdict == access.SignInAgain) && c.SignIn.OIDC != nil && !onOwnSide(r) {
			http.Redirect(w, r, signInPath(r.URL.RequestURI(), f.who != nil), http.StatusSeeOther)
			return nil
		}
		if err != nil {
			return err
		}
		return h(w, r)
	})
}

// actionKey is where an endpoint's description keeps the action it wants.
const actionKey = "recoup-action"

// wants makes an endpoint's description say which action it asks for; the OpenAPI document shows it.
func wants(a access.Action) func(*huma.Operation) {
	return func(o *huma.Operation) {
		if o.Metadata == nil {
			o.Metadata = map[string]any{}
		}
		o.Metadata[actionKey] = a
		o.Extensions = map[string]any{"x-recoup-action": a}
		if a != access.Public {
			o.Security = []map[string][]string{{"token": {}}, {"session": {}}}
			o.Errors = append(o.Errors, http.StatusUnauthorized, http.StatusForbidden)
		}
	}
}

// guardAPI lets an endpoint run only for who may; one without an action runs for nobody.
func (c *console) guardAPI(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		a, ok := ctx.Operation().Metadata[actionKey].(access.Action)
		if !ok {
			a = "an action that nobody was given"
		}
		account, err := c.accountAskedFor(ctx)
		if err != nil {
			p := problemOf(err)
			c.Log.Error("console can't tell whose this is", "path", ctx.Operation().Path, "error", err)
			_ = huma.WriteErr(api, ctx, p.status, p.text)
			return
		}
		err = c.may(ctx.Context(), a, account)
		if f, ok := asForbidden(err); ok {
			if f.who == nil {
				ctx.SetHeader("WWW-Authenticate", "Bearer")
			}
			_ = huma.WriteErr(api, ctx, f.status(), f.Error())
			return
		}
		next(ctx)
	}
}
