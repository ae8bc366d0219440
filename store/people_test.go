package store_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

var dayLong = store.SessionTimes{Life: 12 * time.Hour, Idle: time.Hour}

func (w *world) session(secret string) *access.Principal {
	w.t.Helper()
	p, err := w.Session(context.Background(), secret, dayLong)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) signIn(name string, roles ...access.Role) string {
	w.t.Helper()
	secret, err := w.StartSession(context.Background(), store.SignIn{Issuer: "test", Subject: name, Name: name, Roles: roles, Address: "10.0.0.7"}, dayLong)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	ada, bob := w.signIn("ada", access.Finance), w.signIn("bob", access.Support)
	if p := w.session(ada); p == nil || p.Name != "ada" || !p.SignedInAt.Equal(noon) || p.Roles[0] != access.Finance || p.Token() {
		t.Fatalf("ada is %+v", p)
	}
	if p := w.session(ada + "x"); p != nil {
		t.Errorf("a wrong secret is %+v", p)
	}
	if err := w.EndSession(ctx, ada); err != nil {
		t.Fatal(err)
	}
	if p := w.session(ada); p != nil {
		t.Errorf("signed out, still %+v", p)
	}
	again := w.signIn("bob", access.Support)
	if n, err := w.EndSessionsOf(ctx, "bob", "root", "left the company"); n != 2 || err != nil {
		t.Errorf("ended %d: %v", n, err)
	}
	if w.session(bob) != nil || w.session(again) != nil {
		t.Error("bob is still in")
	}
	idle := w.signIn("cy", access.Viewer)
	for range 3 { // in use it stays
		w.now = w.now.Add(59 * time.Minute)
		if w.session(idle) == nil {
			t.Fatal("a session in use ended")
		}
	}
	w.now = w.now.Add(61 * time.Minute)
	if w.session(idle) != nil {
		t.Error("an hour unused, still in")
	}
	long := w.signIn("di", access.Viewer)
	for end := w.now.Add(12 * time.Hour); w.now.Before(end); w.now = w.now.Add(30 * time.Minute) {
		if w.session(long) == nil {
			t.Fatalf("ended before its life: %s left", end.Sub(w.now))
		}
	}
	if w.session(long) != nil {
		t.Error("a session outlived its life")
	}
}

func TestI18SecretsAreKeptAsHashes(t *testing.T) {
	w := newWorld(t)
	w.account("a")
	ctx := context.Background()
	secrets := []string{w.signIn("ada", access.Admin)}
	token, err := w.CreateToken(ctx, store.NewToken{Name: "ci", Scopes: []access.Action{access.ReadCases}, Life: time.Hour, Actor: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	link, err := w.CreatePortalLink(ctx, "a", access.Owner, "Olga", "ada")
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, token, link)
	for _, table := range []string{"sessions", "api_tokens", "portal_links", "audit_log"} {
		rows := scan[[]byte](w, `select convert_to(coalesce(string_agg(x::text, ' '), ''), 'utf8') from `+table+` x`)
		for _, s := range secrets {
			if bytes.Contains(rows, []byte(s)) || bytes.Contains(rows, []byte(strings.TrimPrefix(s, store.TokenPrefix))) {
				t.Errorf("%s holds a secret", table)
			}
		}
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t)
	w.account("a")
	ctx := context.Background()
	good := store.NewToken{Name: "ci", Scopes: []access.Action{access.ReadCases, "resolve.retry_now"}, Account: "a", Life: time.Hour, Actor: "ada"}
	token, err := w.CreateToken(ctx, good)
	if err != nil {
		t.Fatal(err)
	}
	read := func(token string) *access.Principal {
		p, err := w.Token(ctx, token)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := read(token)
	if p == nil || p.Name != "token ci" || p.Account != "a" || !p.Token() || len(p.Scopes) != 2 {
		t.Fatalf("the token is %+v", p)
	}
	for _, wrong := range []string{"", "rcp_", token + "x", strings.TrimPrefix(token, store.TokenPrefix)} {
		if read(wrong) != nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	list, err := w.ListTokens(ctx)
	if err != nil || len(list) != 1 || !list[0].UsedAt.Equal(noon) {
		t.Fatalf("%+v %v", list, err)
	}
	w.now = w.now.Add(time.Hour)
	if read(token) != nil {
		t.Error("an expired token was taken")
	}
	second, err := w.CreateToken(ctx, good)
	if err != nil {
		t.Fatal(err)
	}
	if list, err = w.ListTokens(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.RevokeToken(ctx, list[0].ID, "root", "leaked"); err != nil {
			t.Fatal(err)
		}
	}
	if read(second) != nil {
		t.Error("a revoked token was taken")
	}
	if n := scan[int](w, `select count(*) from audit_log where act = 'revoke_token' and actor = 'root' and reason = 'leaked'`); n != 1 {
		t.Errorf("%d entries of the revocation, want 1", n)
	}
	for field, change := range map[string]func(*store.NewToken){
		"name":    func(n *store.NewToken) { n.Name = " " },
		"scopes":  func(n *store.NewToken) { n.Scopes = []access.Action{"everything"} },
		"expires": func(n *store.NewToken) { n.Life = 2 * store.TokenLifeMax },
		"account": func(n *store.NewToken) { n.Account = "nobody" },
		"actor":   func(n *store.NewToken) { n.Actor = "" },
	} {
		bad := good
		change(&bad)
		_, err := w.CreateToken(ctx, bad)
		var refusal *billing.Refusal
		if !errors.As(err, &refusal) || refusal.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestPortalLinkIsGoodOnce(t *testing.T) {
	w := newWorld(t)
	w.account("a")
	ctx := context.Background()
	link, err := w.CreatePortalLink(ctx, "a", access.BillingManager, "Olga", "token site")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var in []store.SignIn
	for range 8 {
		wg.Go(func() {
			got, err := w.UsePortalLink(ctx, link)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if got != nil {
				in = append(in, *got)
			}
		})
	}
	wg.Wait()
	if len(in) != 1 || in[0].Account != "a" || in[0].Roles[0] != access.BillingManager || in[0].Name != "Olga" {
		t.Errorf("signed in %+v", in)
	}
	late, err := w.CreatePortalLink(ctx, "a", access.Owner, "Olga", "token site")
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(store.PortalLinkLife)
	if got, err := w.UsePortalLink(ctx, late); got != nil || err != nil {
		t.Errorf("an old link: %+v %v", got, err)
	}
	if _, err := w.CreatePortalLink(ctx, "a", access.Admin, "Eve", "token site"); err == nil {
		t.Error("a customer became staff")
	}
	if _, err := w.CreatePortalLink(ctx, "nobody", access.Owner, "Eve", "token site"); err == nil {
		t.Error("a link into no account")
	}
}

func TestAuditLogSaysFromWhere(t *testing.T) {
	w := newWorld(t)
	w.account("a")
	ctx := store.WithOrigin(context.Background(), store.Origin{Door: "console", Session: "session 1", Address: "10.0.0.7"})
	if _, err := w.CreatePortalLink(ctx, "a", access.Owner, "Olga", "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreatePortalLink(context.Background(), "a", access.Owner, "Olga", "bob"); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListAuditLog(context.Background(), store.AuditFilter{Account: "a", Limit: 10})
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v %v", list, err)
	}
	if list[1].Actor != "ada" || list[1].Origin != "console session 1 from 10.0.0.7" || list[0].Actor != "bob" || list[0].Origin != "" {
		t.Errorf("%+v", list)
	}
	if page, err := w.ListAuditLog(context.Background(), store.AuditFilter{Before: list[0].ID, Limit: 1}); err != nil || len(page) != 1 || page[0].Actor != "ada" {
		t.Errorf("the next page is %+v %v", page, err)
	}
	var took []store.AuditEntry
	err = w.ExportAuditLog(context.Background(), store.AuditFilter{}, "root", func(e store.AuditEntry) error { took = append(took, e); return nil })
	if err != nil || len(took) != 3 || took[2].Act != "export_audit_log" {
		t.Errorf("exported %+v: %v", took, err)
	}
}

// TestI16SigningInIsASignedAct: the audit finds nothing unsigned in what people do to sign in and to make tokens.
func TestI16SigningInIsASignedAct(t *testing.T) {
	w := newWorld(t)
	w.account("a")
	ctx := context.Background()
	if err := w.EndSession(ctx, w.signIn("ada", access.Admin)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateToken(ctx, store.NewToken{Name: "ci", Scopes: []access.Action{access.ReadCases}, Life: time.Hour, Actor: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreatePortalLink(ctx, "a", access.Owner, "Olga", "ada"); err != nil {
		t.Fatal(err)
	}
	if n := scan[int](w, `select count(*) from audit_log where actor = '' or reason = '' or request_id = ''`); n != 0 {
		t.Errorf("%d unsigned acts", n)
	}
	if n := scan[int](w, `select count(*) from audit_log`); n != 4 {
		t.Errorf("%d acts, want 4", n)
	}
}
