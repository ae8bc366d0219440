// Package identitysim is an identity provider for development and tests: it speaks OpenID Connect (authorization code flow with PKCE) and
// signs in whichever of its invented people is clicked on, without a password. It keeps everything in memory and must never stand in
// front of a real console.
package identitysim

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"recoup/serving"
)

// Person is somebody who can sign in.
type Person struct {
	Name  string
	Roles []string
	Does  string // shown beside the name
}

// People are those of the development stack, one per staff role.
func People() []Person {
	return []Person{
		{"vera", []string{"viewer"}, "Viewer: reads everything"},
		{"sam", []string{"support"}, "Support: time, holds, retries"},
		{"sue", []string{"supervisor"}, "Supervisor: beyond limits, confirms"},
		{"fin", []string{"finance"}, "Finance: records, writes off, voids, reverses"},
		{"fred", []string{"finance"}, "Finance, the second person"},
		{"otto", []string{"operator"}, "Operator: outages, unknown outcomes, batches"},
		{"ada", []string{"admin"}, "Administrator: everything"},
		{"nemo", nil, "Nobody: has no role of Recoup"},
	}
}

// Options are what a provider is made of.
type Options struct {
	Issuer       string // its own address, http://127.0.0.1:8092
	ClientID     string
	ClientSecret string
	People       []Person
	Now          func() time.Time // nil: time.Now
}

// provider holds codes that wait to be exchanged.
type provider struct {
	Options
	key    *rsa.PrivateKey
	signer jose.Signer

	mu    sync.Mutex
	codes map[string]grant
}

// grant is what a code stands for.
type grant struct {
	person    Person
	nonce     string
	challenge string
	redirect  string
	at        time.Time
}

const (
	codeLife  = time.Minute
	tokenLife = 5 * time.Minute
	keyID     = "dev"
)

// New returns the provider's handler.
func New(o Options) (http.Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("identity provider: %w", err)
	}
	p := &provider{Options: o, key: key, signer: signer, codes: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /authorize", p.pick)
	mux.HandleFunc("POST /token", p.token)
	return mux, nil
}

// Serve runs a provider at addr until ctx ends; its issuer is that address. ready is told the issuer.
func Serve(ctx context.Context, addr string, o Options, ready func(issuer string)) error {
	listener, err := serving.Listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("identity provider: %w", err)
	}
	o.Issuer = "http://" + listener.Addr().String()
	handler, err := New(o)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	err = serving.Until(ctx, server, listener, time.Second, func(string) {
		if ready != nil {
			ready(o.Issuer)
		}
	})
	if err != nil {
		return fmt.Errorf("identity provider: %w", err)
	}
	return nil
}

func (p *provider) describe(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"scopes_supported": []string{"openid", "profile"},
	})
}

func (p *provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: keyID, Algorithm: "RS256", Use: "sig"}}})
}

func (p *provider) find(name string) (Person, bool) {
	for _, who := range p.People {
		if strings.EqualFold(who.Name, name) {
			return who, true
		}
	}
	return Person{}, false
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
