package identitysim

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v4/jwt"
)

//go:embed people.html
var peopleHTML string

var peoplePage = template.Must(template.New("people").Parse(peopleHTML))

// authorize shows who there is to be. It asks every time, so every sign-in is a fresh one.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if problem := p.wrong(q); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = peoplePage.Execute(w, map[string]any{"People": p.People, "Action": "/authorize?" + r.URL.RawQuery})
}

// wrong says what is wrong with a request to sign somebody in, or "".
func (p *provider) wrong(q url.Values) string {
	redirect, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case q.Get("client_id") != p.ClientID:
		return "client_id: unknown"
	case q.Get("response_type") != "code":
		return "response_type: only code"
	case err != nil || redirect.Host == "":
		return "redirect_uri: must be an address"
	case q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		return "code_challenge: PKCE with S256 is needed"
	}
	return ""
}

// pick signs the chosen person in and sends the browser back.
func (p *provider) pick(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if problem := p.wrong(q); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	who, known := p.find(r.PostFormValue("as"))
	if !known {
		http.Error(w, "as: nobody of that name", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = grant{who, q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri"), p.Now()}
	p.mu.Unlock()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "redirect_uri: must be an address", http.StatusBadRequest)
		return
	}
	v := back.Query()
	v.Set("code", code)
	v.Set("state", q.Get("state"))
	back.RawQuery = v.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

// token exchanges a code, once, for an ID token.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) { answer(w, http.StatusBadRequest, map[string]string{"error": code}) }
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != p.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(p.ClientSecret)) != 1 {
		refuse("invalid_client")
		return
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || p.Now().Sub(g.at) > codeLife || g.redirect != r.PostFormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		refuse("invalid_grant")
		return
	}
	now := p.Now()
	claims := map[string]any{
		"iss": p.Issuer, "sub": "dev-" + g.person.Name, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "nonce": g.nonce,
		"auth_time": g.at.Unix(), "preferred_username": g.person.Name, "roles": g.person.Roles,
	}
	token, err := jwt.Signed(p.signer).Claims(claims).Serialize()
	if err != nil {
		refuse("server_error")
		return
	}
	answer(w, http.StatusOK, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "id_token": token})
}
