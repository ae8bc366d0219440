package console

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"

	"recoup/billing"
)

// bodyMax bounds what a request may send.
const bodyMax = 64 << 10

// contentPolicy allows this site's own files and nothing else: no inline script or style, no frames.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// protect puts what every answer needs around the handler.
func (c *console) protect(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Refused: this request came from another site.", http.StatusForbidden)
	}))
	inner := sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if broken := recover(); broken != nil {
				if broken == http.ErrAbortHandler {
					panic(broken)
				}
				c.Log.Error("console page panicked", "path", loggedPath(r), "panic", broken)
				http.Error(w, "Something went wrong. The console's log says more.", http.StatusInternalServerError)
			}
		}()
		if !c.knownHost(r.Host) {
			http.Error(w, "This console is not known under that name. Set RECOUP_CONSOLE_URL to the address people open.",
				http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
		inner.ServeHTTP(w, r)
	})
}

// knownHost refuses foreign names that resolve to this console (DNS rebinding): it may be open to everyone on this machine.
func (c *console) knownHost(host string) bool {
	if c.URL == "" {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if net.ParseIP(name) != nil || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	own, err := url.Parse(c.URL)
	return err == nil && strings.EqualFold(own.Hostname(), name)
}

const (
	tokenCookie = "recoup_token"
	tokenField  = "token"
)

// formToken returns the token forms carry: it must come back equal to a cookie that other sites can neither read nor set.
func (c *console) formToken(w http.ResponseWriter, r *http.Request) string {
	if cookie, err := r.Cookie(tokenCookie); err == nil && len(cookie.Value) == 26 {
		return cookie.Value
	}
	// One page may have several forms: on a browser's first visit all carry the token that this answer sets.
	for _, set := range w.Header().Values("Set-Cookie") {
		if cookie, err := http.ParseSetCookie(set); err == nil && cookie.Name == tokenCookie {
			return cookie.Value
		}
	}
	token := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: strings.HasPrefix(c.URL, "https:"),
	})
	return token
}

// checkToken refuses a form that did not come from our own page.
func checkToken(r *http.Request) error {
	cookie, err := r.Cookie(tokenCookie)
	given := r.PostFormValue(tokenField)
	if err != nil || len(given) != 26 || subtle.ConstantTimeCompare([]byte(given), []byte(cookie.Value)) != 1 {
		return errForgedForm
	}
	return nil
}

var errForgedForm = billing.Refuse(billing.RefusedNotNow, "",
	"This form could not be matched to your browser. Open the case again and repeat; nothing was changed.")
