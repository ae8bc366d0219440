package audit

import (
	"context"
	"testing"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, migrate, store.MigrationFiles) }

func migrate(ctx context.Context, url string) error {
	_, err := store.Migrate(ctx, url)
	return err
}
