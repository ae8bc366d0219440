package main

import (
	"strings"
	"testing"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func TestPortalLinkIsMadeForOnePerson(t *testing.T) {
	t.Setenv("RECOUP_CONSOLE_URL", "https://billing.example.com/")
	database := pgtest.New(t)
	s, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Pool().Exec(t.Context(), `insert into accounts (id, name, time_zone) values ('acme', 'Acme', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, database, portalLinkCommand, "acme", "--role", "owner", "--name", "Olga", "--actor", "anna")
	if err != nil || !strings.HasPrefix(out, "https://billing.example.com/portal/") {
		t.Fatalf("%q: %v", out, err)
	}
	secret := strings.TrimSpace(strings.TrimPrefix(out, "https://billing.example.com/portal/"))
	in, err := s.UsePortalLink(t.Context(), secret)
	if err != nil || in == nil || in.Name != "Olga" || in.Account != "acme" {
		t.Fatalf("%+v, %v", in, err)
	}
	for field, args := range map[string][]string{
		"role": {"acme", "--role", "admin", "--name", "Olga"}, "name": {"acme", "--role", "owner"}, "account": {"none", "--role", "owner", "--name", "Olga"},
	} {
		if _, err := command(t, database, portalLinkCommand, args...); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
