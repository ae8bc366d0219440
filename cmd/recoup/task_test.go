package main

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"recoup/store/privatepg/pgtest"
)

func TestTasksAreListedAndDone(t *testing.T) {
	database := pgtest.New(t)
	out, err := command(t, database, taskCommand, "list")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "none", out, "Nothing waits for a person.")
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	const id = "018f0000-0000-7000-8000-000000000001"
	if _, err := db.Exec(t.Context(), `insert into tasks (id, key, kind, detail) values ($1, 'k', 'gateway_event_unmatched', '{"gateway": "stripe"}')`, id); err != nil {
		t.Fatal(err)
	}
	if out, err = command(t, database, taskCommand, "list"); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "list", out, id, "gateway_event_unmatched", `"stripe"`)
	if _, err := command(t, database, taskCommand, "done", id); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("done without a reason: %v", err)
	}
	if out, err = command(t, database, taskCommand, "done", id, "--reason", "another system's", "--actor", "anna"); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "done", out, "Done.")
	if out, err = command(t, database, taskCommand, "done", id, "--reason", "again", "--actor", "anna"); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "again", out, "done already")
}
