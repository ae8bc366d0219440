package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		_, err := store.Migrate(ctx, url)
		return err
	}, store.MigrationFiles)
}

// importing runs `recoup import` against a database and a gateway.
type importing struct {
	url, gateway string
}

func (i importing) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	c := importCommand(importEnv{
		Open: func(ctx context.Context) (*store.Store, error) {
			if i.url == "" {
				return nil, errors.New("the database was asked for")
			}
			return store.Open(ctx, i.url)
		},
		StripeURL: func() string { return i.gateway },
	})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SetArgs(args)
	err = c.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

func wantIn(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const excerpt = "../../intake/testdata/focus_excerpt.csv"

func TestImportStoryThenAgain(t *testing.T) {
	i := importing{url: pgtest.New(t)}
	out, errs, err := i.run(t, "../../examples/story.jsonl", "../../examples/story-later.jsonl")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	wantIn(t, "output", out, "story.jsonl: imported", "accounts              50 new       0 unchanged", "(1 with nothing to pay: paid at once)",
		"story-later.jsonl: imported", "Next: recoup starter --once")
	out, _, err = i.run(t, "../../examples/story.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "output", out, "story.jsonl: was imported before; nothing changed")
}

func TestImportFocusSaysWhatItDid(t *testing.T) {
	i := importing{url: pgtest.New(t), gateway: "http://127.0.0.1:8090"}
	out, _, err := i.run(t, "--format", "focus", excerpt)
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "output", out, "New accounts get the test card pm_card_visa, because the gateway is the simulator at http://127.0.0.1:8090",
		"focus_excerpt.csv: 37 rows make 11 bills: 6 to collect, 4 round to zero (kept as paid), 1 below zero (granted as credits)",
		"accounts              14 new", "payment methods       14 new", "credits                1 new", "invoices              10 new")
	// The same file with another due date is another import, and other content under the same ids.
	_, errs, err := i.run(t, "--format", "focus", "--due-days", "30", excerpt)
	if err == nil {
		t.Fatal("bills with other due dates were taken in")
	}
	wantIn(t, "errors", errs, "invoice.due_date: ", "is there already with")
}

func TestImportNamesFileLineAndField(t *testing.T) {
	i := importing{url: pgtest.New(t)}
	good := writeFile(t, "good.jsonl", `{"kind":"account","id":"acme","name":"Acme"}`)
	bad := writeFile(t, "bad.jsonl", `{"kind":"account","id":"beta","name":"Beta"}`+"\n"+
		`{"kind":"credit","id":"c","account":"beta","amount":"x","currency":"USD","starts_on":"2026-01-01"}`+"\n"+`{"kind":"deposit","id":"d"}`)
	_, errs, err := i.run(t, good, bad, good)
	if err == nil || err.Error() != "bad.jsonl: 5 problems; nothing of it was imported (1 more not looked at)" {
		t.Errorf("got %v", err)
	}
	wantIn(t, "errors", errs, "bad.jsonl:2: credit.amount: ", "bad.jsonl:3: deposit.account: must be given")
	// What only the database knows is said the same way.
	stray := writeFile(t, "stray.jsonl", `{"kind":"deposit","id":"d","account":"beta","amount":"1","currency":"USD","reference":"R"}`)
	_, errs, err = i.run(t, stray)
	if err == nil {
		t.Fatal("a deposit of nobody was taken in")
	}
	wantIn(t, "errors", errs, "stray.jsonl:1: deposit.account: there is no account beta")
}

func TestImportChecksWithoutADatabase(t *testing.T) {
	out, _, err := importing{}.run(t, "--check", "../../examples/story.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "output", out, "nothing wrong with its 177 objects")
	if _, _, err := (importing{}).run(t, "--check", writeFile(t, "empty.jsonl", "")); err == nil || err.Error() != "empty.jsonl: holds nothing to import" {
		t.Errorf("empty file: %v", err)
	}
	if _, _, err := (importing{}).run(t, "--check", "no-such-file"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := (importing{}).run(t, "--check", "--due-days", "3", "../../examples/story.jsonl"); err == nil || err.Error() != "--due-days belongs to --format focus" {
		t.Errorf("flag of the other format: %v", err)
	}
	if _, _, err := (importing{}).run(t, "--format", "xml", "x"); err == nil || !strings.Contains(err.Error(), "none of lines, focus") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestImportGivesTestCardsOnlyToTheSimulator(t *testing.T) {
	for _, c := range []struct{ flag, gateway, want string }{
		{"", "http://localhost:8090", "pm_card_visa"}, {"", "http://[::1]:1", "pm_card_visa"}, {"", "", ""}, {"", "https://api.stripe.com", ""},
		{"", "http://127.0.0.1.example.com", ""}, {"none", "http://localhost:8090", ""}, {"pm_1", "", "pm_1"},
	} {
		if got := chooseMethod(&bytes.Buffer{}, c.flag, c.gateway); got != c.want {
			t.Errorf("flag %q, gateway %q: %q, want %q", c.flag, c.gateway, got, c.want)
		}
	}
}
