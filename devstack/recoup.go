package devstack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"recoup/console"
	"recoup/gateway/stripesim"
	"recoup/intake"
	"recoup/store"
	"recoup/workers"
)

// Settings of Recoup's own parts that differ from production's defaults: a demonstration wants to be seen now.
const (
	gatewayDatabase = "gateway"
	devKey          = "sk_test_recoup_dev"
	devScanEvery    = "2s"
	devCheckEvery   = "30s"
	devLookUpLag    = "5s"
)

// configure reads a part's configuration as the binary would, from what the stack has exported so far and then the environment.
func configure[T any](ctx context.Context, s *Stack) (T, error) {
	var c T
	err := envconfig.ProcessWith(ctx, &envconfig.Config{
		Target: &c, Lookuper: envconfig.MultiLookuper(envconfig.MapLookuper(s.Env()), envconfig.OsLookuper()),
	})
	return c, err
}

func startMigrate(ctx context.Context, s *Stack) (Running, error) {
	applied, err := store.Migrate(ctx, s.DatabaseURL())
	if err != nil {
		return Running{}, err
	}
	if err := s.Postgres.EnsureDatabase(ctx, gatewayDatabase); err != nil {
		return Running{}, err
	}
	return Running{Addr: fmt.Sprintf("schema is up to date, %d migrations applied", len(applied))}, nil
}

func startGateway(ctx context.Context, s *Stack) (Running, error) {
	addr := local(s.Ports.Gateway)
	s.Export("RECOUP_SIMULATOR_ADDR", addr)
	s.Export("RECOUP_SIMULATOR_DATABASE_URL", s.Postgres.URL(gatewayDatabase))
	s.Export("RECOUP_STRIPE_URL", "http://"+addr)
	s.Export("RECOUP_STRIPE_KEY", devKey)
	s.Export("RECOUP_STRIPE_LOOKUP_LAG", devLookUpLag)
	s.Export("RECOUP_STRIPE_TIMEOUT", "4s")
	s.Export("RECOUP_STRIPE_OFFLINE_MANDATES", "true")
	c, err := configure[stripesim.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		return stripesim.Serve(ctx, c, s.Log, func(addr string) { ready("http://" + addr) })
	})
}

func startWorkers(ctx context.Context, s *Stack) (Running, error) {
	s.Export("RECOUP_SCAN_EVERY", devScanEvery)
	s.Export("RECOUP_LIVE_CHECK_EVERY", devCheckEvery)
	c, err := configure[workers.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		db, err := store.Open(ctx, s.DatabaseURL())
		if err != nil {
			return err
		}
		defer db.Close()
		temporal, err := client.DialContext(ctx, client.Options{
			HostPort: local(s.Ports.Temporal), Namespace: namespace, Logger: log.NewStructuredLogger(s.Log),
		})
		if err != nil {
			return err
		}
		defer temporal.Close()
		parts, closeParts, err := c.NewParts(ctx, db, temporal, s.Log)
		if err != nil {
			return err
		}
		defer closeParts()
		return parts.Run(ctx, namespace, func() {
			ready(fmt.Sprintf("cases, charges, notices; looking for due invoices every %s", devScanEvery))
		})
	})
}

func startConsole(ctx context.Context, s *Stack) (Running, error) {
	s.Export("RECOUP_CONSOLE_URL", fmt.Sprintf("http://localhost:%d", s.Ports.Console))
	s.Export("RECOUP_CONSOLE_ADDR", local(s.Ports.Console))
	c, err := configure[console.Config](ctx, s)
	if err != nil {
		return Running{}, err
	}
	options, err := c.Options()
	if err != nil {
		return Running{}, err
	}
	return untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		db, err := store.Open(ctx, s.DatabaseURL())
		if err != nil {
			return err
		}
		defer db.Close()
		options.Store, options.Resolver, options.Log = db, db, s.Log
		return console.Serve(ctx, c.Addr, options, func(string) { ready(c.URL) })
	})
}

// storyFile is the sample story, beside the module it belongs to.
const storyFile = "examples/story.jsonl"

// loadStory takes in the sample story; a story that is there already changes nothing.
func loadStory(ctx context.Context, s *Stack) (Running, error) {
	if !s.Story {
		return Running{Addr: "not loaded (--no-story)"}, nil
	}
	path, err := findStory()
	if err != nil {
		return Running{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Running{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return Running{}, err
	}
	defer file.Close()
	batch, err := intake.ReadLines(file)
	if err != nil {
		return Running{}, fmt.Errorf("%s: %w", path, err)
	}
	db, err := store.Open(ctx, s.DatabaseURL())
	if err != nil {
		return Running{}, err
	}
	defer db.Close()
	result, err := db.Import(ctx, store.ImportInput{File: filepath.Base(path), Format: "lines", Digest: sha256.Sum256(data), Batch: batch})
	if err != nil {
		return Running{}, fmt.Errorf("%s: %w", path, err)
	}
	if result.Again {
		return Running{Addr: "loaded before"}, nil
	}
	return Running{Addr: fmt.Sprintf("%d accounts, %d invoices: watch the console for two minutes", result.Accounts.New, result.Invoices.New)}, nil
}

// findStory looks for the story upwards from here: the stack is run from the project's folder or from devstack/.
func findStory() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, storyFile)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New(storyFile + " is not here: run from the project's folder, or with --no-story")
		}
		dir = up
	}
}
