package chaos

import (
	"context"
	"fmt"
	"time"

	"recoup/devstack/rig"
)

// kill ends a process without a word; its keeper starts it again at once, as a supervisor does.
func (r *run) kill(ctx context.Context, a Act) bool {
	switch a.Kind {
	case WorkerKilled:
		return r.killKept(r.workers[a.Pick%uint64(len(r.workers))], a.Kind)
	case WebhooksKilled:
		return r.killKept(r.webhooks, a.Kind)
	case ConsoleKilled:
		return r.killKept(r.console, a.Kind)
	default:
		at := time.Now()
		// What was killed must come back, also when the faults' time is over meanwhile.
		if err := r.rig.KillPostgres(context.WithoutCancel(ctx)); err != nil {
			r.printf("  Postgres: %v\n", err)
			return false
		}
		r.tally.killed(kill{kind: a.Kind, at: at, until: time.Now()})
		return true
	}
}

func (r *run) killKept(k *rig.Keeper, kind Kind) bool {
	at := time.Now()
	k.Current().Kill9()
	r.tally.killed(kill{kind: kind, at: at})
	return true
}

// importWaves takes the files in as they come. An import that Postgres' end cut off is given again: it is taken whole or not at all.
func (r *run) importWaves(ctx context.Context) {
	for _, w := range Cast(r.Seed, r.Invoices, r.For) {
		if !sleepUntil(ctx, r.began.Add(w.At)) {
			return
		}
		if err := r.importWave(ctx, w); err != nil {
			r.printf("  %s: %v\n", w.Name, err)
		}
	}
}

// importTries bound how often one file is given again.
const importTries = 10

func (r *run) importWave(ctx context.Context, w Wave) error {
	path, err := r.rig.ImportFile(w.Name, []string{string(w.Lines)})
	if err != nil {
		return err
	}
	// A wave that was begun is finished: without its accounts the later ones would be refused.
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		out, code, err := r.rig.Run(ctx, "import", path)
		if err == nil && code == 0 {
			break
		}
		if try == importTries {
			return fmt.Errorf("not imported in %d tries: %s %w", try, out, err)
		}
		sleep(ctx, time.Second)
	}
	// The schedule finds what is due too, but a scan whose worker is killed is missed for a minute. Two triggers at once start one case.
	_, _, _ = r.rig.Run(ctx, "starter", "--once")
	r.tally.did(Imported)
	r.tally.add(MethodAdded, w.Methods)
	r.tally.add(FundsArrived, w.Funds)
	return nil
}

// stopCharging is the kill switch, and its end some seconds later.
func (r *run) stopCharging(ctx context.Context, a Act) bool {
	stopped := within(ctx, lookFor, func() bool {
		_, code, err := r.rig.Run(ctx, "charging", "stop", "--actor", "chaos", "--reason", "amounts look wrong")
		return err == nil && code == 0
	})
	if !stopped {
		return r.startCharging(context.WithoutCancel(ctx)) && false // an answer may have been lost
	}
	sleep(ctx, a.For)
	if r.startCharging(context.WithoutCancel(ctx)) {
		r.tally.did(a.Kind)
	}
	return true
}

func (r *run) startCharging(ctx context.Context) bool {
	for range importTries {
		_, code, err := r.rig.Run(ctx, "charging", "start", "--actor", "chaos", "--reason", "they are right")
		if err == nil && code == 0 {
			return true
		}
		sleep(ctx, time.Second)
	}
	return false
}
