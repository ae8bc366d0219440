// Command canaries shows that the tests see what they are there to see: each canary is a plausible bug behind a build tag of its own, and a
// test must fail with it. It owns the list of canaries and how they are run; the bugs lie in *_canary.go files beside the lines they
// replace, and nothing of them is in an ordinary build.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "canaries:", err)
		os.Exit(1)
	}
}

// errNotAllCaught is told by the line of counts already.
var errNotAllCaught = errors.New("not every planted bug was caught: the lines above say which")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("canaries", flag.ContinueOnError)
	only := flags.String("only", "", "run the canaries whose name holds this text")
	dir := flags.String("dir", ".", "the root of the module")
	at := flags.Int("at-once", 2, "how many canaries to build and test at the same time")
	table := flags.Bool("table", false, "print the table of docs/canaries.md and run nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(canaries), func(c canary) bool { return !strings.Contains(c.name, *only) })
	switch {
	case *table:
		fmt.Fprint(out, markdown(canaries))
		return nil
	case len(chosen) == 0:
		return fmt.Errorf("no canary's name holds %q; they are: %s", *only, strings.Join(names(), ", "))
	case *at < 1:
		return fmt.Errorf("-at-once must be at least 1, got %d", *at)
	}
	began := time.Now()
	fmt.Fprintf(out, "%d canaries. First their tests without them, which must pass …\n", len(chosen))
	if err := soundWithout(ctx, *dir, chosen); err != nil {
		return err
	}
	fmt.Fprintf(out, "  passed after %s. Now each bug in turn:\n", since(began))
	results := hatch(ctx, *dir, chosen, *at, out)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	report(out, results)
	caught := 0
	for _, r := range results {
		if len(r.caught) > 0 && r.problem == "" {
			caught++
		}
	}
	fmt.Fprintf(out, "%d canaries: %d caught, %d survived or did not hatch, in %s\n", len(results), caught, len(results)-caught, since(began))
	if caught != len(results) {
		return errNotAllCaught
	}
	return nil
}

// hatch runs the canaries, some at a time, and tells of each as it ends.
func hatch(ctx context.Context, dir string, chosen []canary, atOnce int, out io.Writer) []result {
	results := make([]result, len(chosen))
	var wg sync.WaitGroup
	var telling sync.Mutex
	slots := make(chan struct{}, atOnce)
	for i, c := range chosen {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			began := time.Now()
			r := try(ctx, dir, c)
			results[i] = r
			telling.Lock()
			defer telling.Unlock()
			fmt.Fprintf(out, "  %-34s %-9s %s\n", c.name, r.word(), since(began))
		})
	}
	wg.Wait()
	return results
}

// try builds one canary and runs the tests that should see it. What does not compile, and what fails without a failing test, is a fault of
// the canary and no catch.
func try(ctx context.Context, dir string, c canary) result {
	r := result{canary: c}
	if err := compile(ctx, dir, c); err != nil {
		r.problem = err.Error()
		return r
	}
	seen, err := runTests(ctx, dir, c.tag(), c.layers)
	if err != nil {
		r.problem = err.Error()
		return r
	}
	for _, l := range c.layers {
		if failed := seen.failed(l); len(failed) > 0 {
			r.caught = append(r.caught, layer{l.name, l.pkg, failed})
		} else {
			r.missed = append(r.missed, l)
		}
	}
	return r
}

// soundWithout runs every test that is named without any canary: one that fails then, or that does not exist, would catch nothing.
func soundWithout(ctx context.Context, dir string, chosen []canary) error {
	var all []layer
	for _, c := range chosen {
		all = append(all, c.layers...)
	}
	seen, err := runTests(ctx, dir, "", all)
	if err != nil {
		return fmt.Errorf("without any canary: %w", err)
	}
	for _, l := range all {
		if failed := seen.failed(l); len(failed) > 0 {
			return fmt.Errorf("without any canary %s fails in %s: mend that first", strings.Join(failed, ", "), l.pkg)
		}
		for _, test := range l.tests {
			if !seen.passed[l.pkg+"."+test] {
				return fmt.Errorf("%s has no test %s that runs and passes: mend the manifest", l.pkg, test)
			}
		}
	}
	return nil
}

func names() []string {
	var all []string
	for _, c := range canaries {
		all = append(all, c.name)
	}
	return all
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }
