package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/spf13/cobra"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// command runs one of the commands that only need the database.
func command(t *testing.T, database string, make func(func(context.Context) (*store.Store, error)) *cobra.Command, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := make(func(ctx context.Context) (*store.Store, error) { return store.Open(ctx, database) })
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestChargingIsStoppedAndStarted(t *testing.T) {
	database := pgtest.New(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := command(t, database, chargingCommand, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	wantIn(t, "status", run("status"), "Charging runs at every gateway.")
	if _, err := command(t, database, chargingCommand, "stop", "--actor", "anna"); err == nil {
		t.Error("stopped without a reason")
	}
	wantIn(t, "stop", run("stop", "--actor", "anna", "--reason", "wrong amounts"), "Charging is stopped at every gateway")
	wantIn(t, "stop again", run("stop", "--actor", "bert", "--reason", "me too"), "already; nothing changed")
	wantIn(t, "status", run("status"), "every gateway", "anna", "wrong amounts")
	wantIn(t, "start", run("start", "--actor", "anna", "--reason", "mended"), "Charging is started at every gateway; 0 waiting cases")
	wantIn(t, "start again", run("start", "--actor", "anna", "--reason", "mended"), "was not stopped")
	if _, err := command(t, database, chargingCommand, "stop", "--gateway", "strype", "--reason", "typo"); err == nil {
		t.Error("stopped a gateway that nobody has a method at")
	}
}
