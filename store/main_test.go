package store_test

import (
	"context"
	"embed"
	"net/url"
	"os"
	"testing"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// rightsFile makes these tests' template one of its own: it has an application's role.
//
//go:embed rights.go
var rightsFile embed.FS

// The migration puts the shipped policies there, so a template of other ones would not do.
func TestMain(m *testing.M) {
	pgtest.Main(m, migrate, store.MigrationFiles, rightsFile, os.DirFS("../dunning/policies"))
}

// appRole is whom the store works as in these tests; the tests themselves are the owner.
const appRole, appPassword = "recoup_test_app", "recoup_test_app"

func migrate(ctx context.Context, url string) error {
	if _, err := store.Migrate(ctx, url); err != nil {
		return err
	}
	return store.GrantApp(ctx, url, appRole, appPassword)
}

// asApp is the URL of a database for the application's role.
func asApp(t testing.TB, owner string) string {
	t.Helper()
	u, err := url.Parse(owner)
	if err != nil || u.Scheme == "" {
		t.Fatalf("DATABASE_URL must be a URL: %v", err)
	}
	u.User = url.UserPassword(appRole, appPassword)
	return u.String()
}
