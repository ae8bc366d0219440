package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC signs staff in at an identity provider (OpenID Connect Core 1.0, authorization code flow with PKCE).
type OIDC struct {
	Issuer, ClientID, ClientSecret string
	// RolesClaim is the claim of the ID token that lists the person's roles or groups.
	RolesClaim string
	// Callback is the address the provider sends people back to: the console's URL and /sign-in/callback.
	Callback string

	mu       sync.Mutex
	provider *oidc.Provider
}

// discoverTimeout bounds asking the provider about itself.
const discoverTimeout = 5 * time.Second

// discover asks the provider about itself, once it answers: a provider that is down never keeps the console from starting.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	p, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask the identity provider %s about itself: %w", o.Issuer, err)
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: o.Callback,
		Scopes: []string{oidc.ScopeOpenID, "profile"},
	}
}

// start returns the provider's address to send a person to. fresh asks it to prove again who they are.
func (o *OIDC) start(ctx context.Context, f flow, fresh bool) (string, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)}
	if fresh {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return o.config(p).AuthCodeURL(f.State, options...), nil
}

// identity is what an ID token says of a person.
type identity struct {
	Subject, Name string
	Groups        []string
	SignedInAt    time.Time
}

// finish exchanges the code for an ID token and verifies it: signature, issuer, audience, expiry, nonce.
func (o *OIDC) finish(ctx context.Context, f flow, code string) (identity, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return identity{}, err
	}
	tokens, err := o.config(p).Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := p.VerifierContext(ctx, &oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return identity{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if token.Nonce != f.Nonce {
		return identity{}, errors.New("verify the ID token: it answers another sign-in")
	}
	return o.read(token, f.StartedAt)
}

func (o *OIDC) read(token *oidc.IDToken, startedAt time.Time) (identity, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return identity{}, fmt.Errorf("read the ID token: %w", err)
	}
	id := identity{Subject: token.Subject, Name: nameIn(claims, token.Subject), SignedInAt: token.IssuedAt}
	if at, ok := claims["auth_time"].(float64); ok {
		id.SignedInAt = time.Unix(int64(at), 0)
	}
	switch groups := claims[o.RolesClaim].(type) {
	case string:
		id.Groups = strings.Fields(strings.ReplaceAll(groups, ",", " "))
	case []any:
		for _, g := range groups {
			if name, ok := g.(string); ok {
				id.Groups = append(id.Groups, name)
			}
		}
	}
	return id, nil
}

// nameIn is the actor that decisions are recorded under: the user name, without the host of an address (I18), or else the subject.
func nameIn(claims map[string]any, subject string) string {
	name, _ := claims["preferred_username"].(string)
	name, _, _ = strings.Cut(strings.TrimSpace(name), "@")
	if name == "" {
		name = subject
	}
	if len(name) > actorMax {
		name = name[:actorMax]
	}
	return name
}
