package devstack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"recoup/billing"
	"recoup/intake"
	"recoup/store"
)

// The sample story, beside the module it belongs to, and what happens next in it: money and a new card for two suspended accounts.
const (
	storyFile = "examples/story.jsonl"
	laterFile = "examples/story-later.jsonl"
)

// laterAccounts are suspended before the story goes on.
var laterAccounts = []string{"obsidian", "peregrine"}

// laterEvery is how often the stack looks whether they are.
const laterEvery = time.Second

// loadStory takes in the sample story; a story that is there already changes nothing. When the accounts of its last scene are suspended
// it goes on by itself, so that a person sees them reinstated.
func loadStory(ctx context.Context, s *Stack) (Running, error) {
	if !s.Story {
		return Running{Addr: "not loaded (--no-story)"}, nil
	}
	db, err := store.Open(ctx, s.AppURL())
	if err != nil {
		return Running{}, err
	}
	result, err := importExample(ctx, db, storyFile)
	var changed *billing.BatchProblems
	if errors.As(err, &changed) {
		// An older stack's data holds an older story: that is no reason not to go on with it.
		db.Close()
		return Running{Addr: "this data holds another version of the story, which goes on; make clean-data starts anew"}, nil
	}
	if err != nil {
		db.Close()
		return Running{}, err
	}
	told := "loaded before"
	if !result.Again {
		told = fmt.Sprintf("%d accounts, %d invoices: watch the console for two minutes", result.Accounts.New, result.Invoices.New)
	}
	goOn, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer db.Close()
		if err := tellLater(goOn, s, db); err != nil && goOn.Err() == nil {
			s.Log.Warn("the story does not go on", "error", err)
		}
	}()
	return Running{Addr: told, Stop: func(context.Context) error { cancel(); <-ended; return nil }}, nil
}

// tellLater waits until the accounts of the last scene are suspended, then takes in what happens next.
func tellLater(ctx context.Context, s *Stack, db *store.Store) error {
	tick := time.NewTicker(laterEvery)
	defer tick.Stop()
	for {
		var told int
		const query = `select count(distinct account_id) from suspensions where account_id = any($1)`
		if err := db.Pool().QueryRow(ctx, query, laterAccounts).Scan(&told); err != nil {
			return err
		}
		if told == len(laterAccounts) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	result, err := importExample(ctx, db, laterFile)
	if err == nil && !result.Again {
		s.printf("  %-18s %s\n", "Story goes on", "money for obsidian, a new card for peregrine: both are reinstated")
	}
	return err
}

// importExample takes in a file of the project as recoup import does.
func importExample(ctx context.Context, db *store.Store, name string) (store.ImportResult, error) {
	path, err := findExample(name)
	if err != nil {
		return store.ImportResult{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return store.ImportResult{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return store.ImportResult{}, err
	}
	defer file.Close()
	batch, err := intake.ReadLines(file)
	if err != nil {
		return store.ImportResult{}, fmt.Errorf("%s: %w", path, err)
	}
	result, err := db.Import(ctx, store.ImportInput{File: filepath.Base(path), Format: "lines", Digest: sha256.Sum256(data), Batch: batch})
	if err != nil {
		return result, fmt.Errorf("%s: %w", path, err)
	}
	return result, nil
}

// findExample looks for a file upwards from here: the stack is run from the project's folder or from devstack/.
func findExample(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New(name + " is not here: run from the project's folder, or with --no-story")
		}
		dir = up
	}
}
