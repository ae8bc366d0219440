package main

import (
	"strings"
	"testing"

	"recoup/store/privatepg/pgtest"
)

func TestTokensAreShownOnce(t *testing.T) {
	database := pgtest.New(t)
	out, err := command(t, database, tokenCommand, "create", "--name", "ci", "--scope", "cases.read, resolve.retry_now", "--expires", "30d", "--actor", "anna")
	if err != nil || !strings.HasPrefix(out, "rcp_") {
		t.Fatalf("%q: %v", out, err)
	}
	secret := strings.TrimSpace(out)
	out, err = command(t, database, tokenCommand, "list")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "list", out, "ci", "anna", "cases.read,resolve.retry_now", "good")
	if strings.Contains(out, secret[4:]) {
		t.Error("the list shows the token")
	}
	id, _, _ := strings.Cut(strings.Split(out, "\n")[1], " ")
	if _, err := command(t, database, tokenCommand, "revoke", id); err == nil || !strings.Contains(err.Error(), "--reason") {
		t.Errorf("revoked without a reason: %v", err)
	}
	if _, err := command(t, database, tokenCommand, "revoke", id, "--reason", "leaked", "--actor", "anna"); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, database, tokenCommand, "list")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "list", out, "revoked")
	for want, args := range map[string][]string{
		"scopes":    {"create", "--name", "x"},
		"no action": {"create", "--name", "x", "--scope", "everything"},
		"--expires": {"create", "--name", "x", "--scope", "cases.read", "--expires", "900d"},
		"account":   {"create", "--name", "x", "--scope", "cases.read", "--account", "nobody"},
		"not a tok": {"revoke", "abc", "--reason", "x"},
	} {
		if _, err := command(t, database, tokenCommand, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}

func TestTokenActionsNameTheirRoles(t *testing.T) {
	out, err := command(t, "", tokenCommand, "actions")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "actions", out, "resolve.write_off", "finance, admin", "own.pay", "owner, billing_manager")
}

func TestAuditLogIsExported(t *testing.T) {
	database := pgtest.New(t)
	if _, err := command(t, database, tokenCommand, "create", "--name", "=cmd|x", "--scope", "cases.read", "--actor", "=anna"); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, database, logCommand, "--act", "create_token")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "jsonl", out, `"actor":"=anna"`, `"act":"create_token"`, `"scopes":["cases.read"]`)
	out, err = command(t, database, logCommand, "--format", "csv")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "csv", out, "id,at,actor", "'=anna", "export_audit_log")
	if _, err := command(t, database, logCommand, "--from", "yesterday"); err == nil || !strings.Contains(err.Error(), "--from") {
		t.Errorf("%v", err)
	}
	if _, err := command(t, database, logCommand, "--format", "xml"); err == nil || !strings.Contains(err.Error(), "--format") {
		t.Errorf("%v", err)
	}
	out, err = command(t, database, sessionCommand, "list")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "sessions", out, "Nobody is signed in.")
}
