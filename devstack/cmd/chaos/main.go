// Command chaos runs Recoup against everything that may go wrong at once and holds the result against the gateway's books
// (docs/chaos.md). It ends with one line of counts, and with 1 when anything is wrong or a promised fault did not happen.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"recoup/devstack/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := chaos.Options{Out: os.Stdout}
	flag.Uint64Var(&o.Seed, "seed", 0, "fix cast and plan; 0 draws one")
	flag.DurationVar(&o.For, "for", 10*time.Minute, "how long faults happen")
	flag.IntVar(&o.Invoices, "invoices", 0, "how many; 0: as many as the time is for, 7 in two seconds")
	flag.DurationVar(&o.QuietWithin, "quiet-within", 15*time.Minute, "how long coming to rest may take afterwards")
	flag.StringVar(&o.Dir, "dir", "", "keep everything in this empty `DIR`; without it a temporary one is removed after a run that passed")
	flag.Parse()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

var errFailed = errors.New("failed")

// Bounds below which a run is too short to prove anything.
const (
	shortest = 20 * time.Second
	fewest   = 100
	perTwo   = 7 // invoices in two seconds, which two cores work off
)

func run(ctx context.Context, o chaos.Options) (err error) {
	if o.Seed == 0 {
		o.Seed = uint64(rand.Uint32()) + 1
	}
	if o.Invoices == 0 {
		o.Invoices = max(fewest, perTwo*int(o.For.Seconds())/2)
	}
	if o.For < shortest || o.Invoices < fewest {
		return fmt.Errorf("at least %s and %d invoices, or nothing is proved (CHAOS_FOR, CHAOS_INVOICES)", shortest, fewest)
	}
	own := o.Dir == ""
	if own {
		if o.Dir, err = os.MkdirTemp("", "recoup-chaos-"); err != nil {
			return err
		}
		// Postgres may run as another user than this process.
		if err := os.Chmod(o.Dir, 0o755); err != nil {
			return err
		}
	}
	report, err := chaos.Run(ctx, o)
	if report != nil {
		err = errors.Join(err, report.Write(os.Stdout))
	}
	if err == nil && !report.OK() {
		err = errFailed
	}
	if err != nil {
		return fmt.Errorf("%w\nDatabase, mails and logs are kept in %s; again: make chaos CHAOS_SEED=%d CHAOS_FOR=%s CHAOS_INVOICES=%d", err, o.Dir, o.Seed, o.For, o.Invoices)
	}
	if own {
		return os.RemoveAll(o.Dir)
	}
	return nil
}
