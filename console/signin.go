package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// flow is one sign-in on its way to the provider and back; the browser keeps it, for ten minutes.
type flow struct {
	State     string    `json:"s"`
	Nonce     string    `json:"n"`
	Verifier  string    `json:"v"`
	To        string    `json:"t"`
	StartedAt time.Time `json:"a"`
}

const (
	flowCookie = "recoup_sign_in"
	flowLife   = 10 * time.Minute
)

func signInPath(to string, fresh bool) string {
	v := url.Values{"to": {to}}
	if fresh {
		v.Set("fresh", "1")
	}
	return "/sign-in?" + v.Encode()
}

// signInAgain is where a fresh sign-in begins, in a tab of its own; "" when people don't sign in here.
func (c *console) signInAgain() string {
	if c.SignIn.OIDC == nil {
		return ""
	}
	return signInPath("/signed-in", true)
}

// startSignIn sends the browser to the provider.
func (c *console) startSignIn(w http.ResponseWriter, r *http.Request) error {
	if c.SignIn.OIDC == nil {
		return errNoPage
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: ownPath(r.URL.Query().Get("to")), StartedAt: c.Now()}
	address, err := c.SignIn.OIDC.start(r.Context(), f, r.URL.Query().Get("fresh") != "")
	if err != nil {
		c.Log.Error("sign-in can't start", "error", err)
		return errProviderAway
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	// Lax: the provider's redirect is a visit from another site.
	http.SetCookie(w, c.cookie(flowCookie, base64.RawURLEncoding.EncodeToString(raw), "/sign-in", flowLife, http.SameSiteLaxMode))
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

var errProviderAway = billing.Refuse(billing.RefusedNotNow, "", "The identity provider does not answer, so nobody can sign in now. Try again in a moment.")

var errSignInLost = billing.Refuse(billing.RefusedInvalid, "",
	"This sign-in was not begun in this browser, or too long ago. Open the console again and repeat.")

// finishSignIn takes the person back from the provider and starts their session.
func (c *console) finishSignIn(w http.ResponseWriter, r *http.Request) error {
	if c.SignIn.OIDC == nil {
		return errNoPage
	}
	f, err := c.flowOf(r)
	if err != nil {
		return err
	}
	http.SetCookie(w, c.cookie(flowCookie, "", "/sign-in", -1, http.SameSiteLaxMode))
	if said := r.URL.Query().Get("error"); said != "" {
		c.Log.Warn("the identity provider refused a sign-in", "error", said)
		return billing.Refuse(billing.RefusedNotNow, "", "The identity provider did not sign you in.")
	}
	id, err := c.SignIn.OIDC.finish(r.Context(), f, r.URL.Query().Get("code"))
	if err != nil {
		c.Log.Error("sign-in failed", "error", err)
		return billing.Refuse(billing.RefusedNotNow, "", "The identity provider's answer could not be verified. Nobody was signed in.")
	}
	roles := c.SignIn.rolesOf(id.Groups)
	if len(roles) == 0 {
		return &forbidden{access.Denied, "any page: the identity provider gives you no role of Recoup", &access.Principal{Name: id.Name}}
	}
	return c.beginSession(w, r, store.SignIn{
		Issuer: c.SignIn.OIDC.Issuer, Subject: id.Subject, Name: id.Name, Roles: roles, At: id.SignedInAt, Address: addressOf(r),
	}, f.To)
}

func (c *console) flowOf(r *http.Request) (flow, error) {
	var f flow
	cookie, err := r.Cookie(flowCookie)
	if err != nil {
		return f, errSignInLost
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(raw, &f) != nil || f.State == "" || c.Now().Sub(f.StartedAt) > flowLife {
		return f, errSignInLost
	}
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return f, errSignInLost
	}
	f.To = ownPath(f.To)
	return f, nil
}

// beginSession ends the browser's session, if any, starts the new one and goes on to the page.
func (c *console) beginSession(w http.ResponseWriter, r *http.Request, in store.SignIn, to string) error {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if err := c.Store.EndSession(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	secret, err := c.Store.StartSession(r.Context(), in, c.SignIn.Times)
	if err != nil {
		return err
	}
	http.SetCookie(w, c.cookie(sessionCookie, secret, "/", c.SignIn.Times.Life, http.SameSiteLaxMode))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// signOut ends the session at once, here and for whoever copied it.
func (c *console) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return billing.Refuse(billing.RefusedInvalid, "", "The form can't be read: %v", err)
	}
	if err := checkToken(r); err != nil {
		return err
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if err := c.Store.EndSession(r.Context(), cookie.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, c.cookie(sessionCookie, "", "/", -1, http.SameSiteLaxMode))
	to := "/signed-out"
	if p := principalOf(r.Context()); p != nil && p.Account != "" {
		to = "/own" // which says how they come back
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (c *console) signedOut(w http.ResponseWriter, r *http.Request) error {
	c.render(w, r, http.StatusOK, "signed_out.html", view{Title: "Signed out", Nav: "none"})
	return nil
}

// signedIn ends the tab that a refused form opened: the form is in the other one.
func (c *console) signedIn(w http.ResponseWriter, r *http.Request) error {
	c.render(w, r, http.StatusOK, "signed_in.html", view{Title: "Signed in", Nav: "none"})
	return nil
}

func (c *console) cookie(name, value, path string, life time.Duration, site http.SameSite) *http.Cookie {
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	return &http.Cookie{Name: name, Value: value, Path: path, HttpOnly: true, SameSite: site, Secure: strings.HasPrefix(c.URL, "https:"), MaxAge: age}
}

// ownPath keeps only an address of this console: a sign-in must not lead elsewhere.
func ownPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(to, `\`) {
		return "/"
	}
	return u.RequestURI()
}

// asForbidden finds a refusal because of who asks.
func asForbidden(err error) (*forbidden, bool) {
	var f *forbidden
	return f, errors.As(err, &f)
}
