package main

import (
	"testing"

	"recoup/store/privatepg/pgtest"
)

func TestSuspensionsAreLimitedAndAllowed(t *testing.T) {
	database := pgtest.New(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := command(t, database, suspensionsCommand, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	wantIn(t, "status", run("status"), "Suspensions", "run", "0 accounts suspended; 20 may be (floor 20, share 0.005)")
	wantIn(t, "limit", run("limit", "--floor", "5", "--share", "0.01", "--actor", "anna", "--reason", "small shop"), "the greater of 5 and 0.01")
	wantIn(t, "status", run("status"), "5 may be (floor 5, share 0.01)")
	wantIn(t, "allow", run("allow", "--actor", "anna", "--reason", "looked"), "were not stopped")
	for _, bad := range [][]string{
		{"limit", "--floor", "5", "--reason", "half an order"}, {"limit", "--floor", "5", "--share", "7", "--reason", "no share"}, {"allow"},
	} {
		if _, err := command(t, database, suspensionsCommand, bad...); err == nil {
			t.Errorf("%v went well", bad)
		}
	}
}
