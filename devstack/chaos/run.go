// Package chaos runs Recoup against everything that may go wrong at once,
// for a bounded time, and then holds the result against the gateway's books:
// real worker, webhook and console processes are killed -9 and started again,
// so is Postgres; the gateway, its webhooks and the mail server fail in every
// way they know; people decide at random; workflows are reset, terminated and
// cancelled.
//
// It owns what is done to the system and what must be true afterwards. The
// stack and its processes are devstack/rig's, the invariants audit's.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"recoup/devstack/rig"
)

// Options of one run. The seed fixes the cast and the plan; what meets what depends on the machine.
type Options struct {
	Seed     uint64
	For      time.Duration // of the faults
	Invoices int
	// QuietWithin is how long after the last fault every case must have come to rest (I17).
	QuietWithin time.Duration
	// Dir keeps the database, mails and logs. It must exist and be empty.
	Dir string
	// Binary is the recoup to run; "" builds it.
	Binary string
	Out    io.Writer
}

// workers are how many worker processes share the work.
const workers = 2

// settings are those that differ from production's, so that days pass in seconds.
var settings = map[string]string{
	"RECOUP_SCAN_EVERY": "2s", "RECOUP_LIVE_CHECK_EVERY": "15s", "RECOUP_SIMULATOR_BANK_DELAY": "5s", "RECOUP_STRIPE_TIMEOUT": "4s",
	// Longer than any effect may be late, also when Postgres is away below the gateway (A19).
	"RECOUP_STRIPE_LOOKUP_LAG": "30s", "RECOUP_SMTP_TIMEOUT": "5s",
}

// run is one run under way.
type run struct {
	Options
	rig      *rig.Rig
	tally    *tally
	relay    *relay
	workers  []*rig.Keeper
	webhooks *rig.Keeper
	console  *rig.Keeper
	staff    *staff
	began    time.Time
	out      sync.Mutex
}

// Run does everything: stack, faults, quiet, judgement. An error means that the run could not be carried out; what it found wrong is in
// the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o, tally: newTally()}
	r.printf("Seed %d: %d invoices, faults for %s. Everything is kept in %s while it runs.\n", o.Seed, o.Invoices, o.For, o.Dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	go func() {
		select {
		case <-r.rig.Down(): // what is waited for would never come
			cancel()
		case <-ctx.Done():
		}
	}()
	report, err := r.play(ctx)
	return report, errors.Join(err, r.stop())
}

func (r *run) printf(format string, args ...any) {
	r.out.Lock()
	defer r.out.Unlock()
	fmt.Fprintf(r.Out, format, args...)
}

// start brings the stack and Recoup's processes up.
func (r *run) start(ctx context.Context) (err error) {
	r.printf("Building recoup and starting the stack …\n")
	if r.rig, err = rig.Start(ctx, rig.Options{Dir: r.Dir, Binary: r.Binary, Env: settings, Out: r.Out}); err != nil {
		return err
	}
	relay, addr, err := startRelay(ctx, r.rig.Env()["RECOUP_SMTP_ADDR"], r.tally)
	if err != nil {
		return err
	}
	r.relay = relay
	// So many accounts are suspended at once here that the breaker would stop them: it has tests of its own.
	if _, err := r.rig.Must(ctx, "suspensions", "limit", "--floor", "1000000", "--share", "1", "--actor", "chaos", "--reason", "a chaos run suspends many"); err != nil {
		return err
	}
	for range workers {
		w, err := r.rig.Keep(ctx, "worker", map[string]string{"RECOUP_SMTP_ADDR": addr}, nil)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
	}
	if r.webhooks, err = r.rig.Keep(ctx, "webhooks", nil, nil); err != nil {
		return err
	}
	// A proxy that has signed people in says who they are.
	if r.console, err = r.rig.Keep(ctx, "console", map[string]string{"RECOUP_CONSOLE_ACTOR_HEADER": actorHeader, "RECOUP_CONSOLE_ACTOR_ROLES": "admin"}, nil); err != nil {
		return err
	}
	r.staff, err = newStaff(r.rig, r.tally, r.Seed)
	return err
}

func (r *run) stop() error {
	if r.rig == nil {
		return nil
	}
	return r.rig.Stop()
}

// play lets the faults happen, then waits for quiet, then judges.
func (r *run) play(ctx context.Context) (*Report, error) {
	r.began = time.Now()
	progress, done := context.WithCancel(ctx)
	go r.tell(progress)
	err := r.strike(ctx)
	if err == nil {
		err = r.calm(ctx)
	}
	if err != nil {
		done()
		return nil, err
	}
	ended := time.Now()
	r.printf("Faults ended after %s. Waiting for quiet, at most %s …\n", seconds(ended.Sub(r.began)), r.QuietWithin)
	moving, err := r.awaitQuiet(ctx)
	done()
	if err != nil {
		return nil, err
	}
	report := &Report{Options: r.Options, Moving: moving, Quiet: time.Since(ended), Took: time.Since(r.began)}
	r.printf("Judging …\n")
	return report, r.judge(ctx, report)
}

// strike carries out the plan and imports the waves, each kind of work in a lane of its own, so that what waits holds up only its like.
func (r *run) strike(ctx context.Context) error {
	parent := ctx
	ctx, cancel := context.WithDeadline(ctx, r.began.Add(r.For))
	defer cancel()
	var wg sync.WaitGroup
	for _, lane := range lanesOf(Plan(r.Seed, r.For)) {
		wg.Go(func() {
			r.follow(ctx, lane)
			if last := lane[len(lane)-1]; last.Fault == "" && !r.tally.has(last.Kind) && parent.Err() == nil {
				r.lateAct(parent, last)
			}
		})
	}
	wg.Go(func() { r.importWaves(ctx) })
	wg.Wait()
	return r.kept()
}

// follow does one act after the other, each at its time.
func (r *run) follow(ctx context.Context, lane []Act) {
	for _, a := range lane {
		if !sleepUntil(ctx, r.began.Add(a.At)) {
			return
		}
		if !r.act(ctx, a) && ctx.Err() == nil {
			r.tally.miss(a.Kind)
		}
	}
}

// lateAct does what was promised and found nothing to be done to in all the time: a busy machine is slow to make it.
func (r *run) lateAct(ctx context.Context, a Act) {
	ctx, cancel := context.WithTimeout(ctx, promiseWait)
	defer cancel()
	for !r.act(ctx, a) && sleep(ctx, pollEvery) {
		a.Pick++
	}
}

// promiseWait is how long after their time what was promised may still happen.
const promiseWait = 90 * time.Second

// lanesOf parts a plan into lanes that run side by side.
func lanesOf(plan []Act) [][]Act {
	byName := map[Kind][]Act{}
	for _, a := range plan {
		lane := a.Kind
		if a.Fault != "" {
			lane = "gateway"
		}
		byName[lane] = append(byName[lane], a)
	}
	var lanes [][]Act
	for _, lane := range byName {
		lanes = append(lanes, lane)
	}
	return lanes
}

// act does one thing; false when nothing was there to do it to.
func (r *run) act(ctx context.Context, a Act) bool {
	switch a.Kind {
	case WorkerKilled, WebhooksKilled, ConsoleKilled, PostgresKilled:
		return r.kill(ctx, a)
	case WorkflowReset, WorkflowTerminated, WorkflowCancelled:
		return r.upset(ctx, a)
	case Disputed, Returned, CustomerConfirmed, CustomerRefused:
		return r.later(ctx, a)
	case GatewayDown:
		return r.gatewayDown(ctx, a)
	case ChargingStopped:
		return r.stopCharging(ctx, a)
	case MailDown:
		return r.mailDown(ctx, a)
	case MailCut:
		r.relay.spoil(1+int(a.Pick%3), 0)
		return true
	case MailAnswerLost:
		r.relay.spoil(0, 1+int(a.Pick%3))
		return true
	case StaffPaid, StaffHold, StaffRelease, StaffRetry, StaffVerdict:
		return r.staff.decide(ctx, a)
	default:
		return r.script(ctx, a)
	}
}

// kept reports a process that could not be kept running: then the run proves nothing.
func (r *run) kept() error {
	var problems []error
	for _, k := range append([]*rig.Keeper{r.webhooks, r.console}, r.workers...) {
		problems = append(problems, k.Err())
	}
	return errors.Join(problems...)
}

// tell prints a line now and then.
func (r *run) tell(ctx context.Context) {
	for sleep(ctx, 15*time.Second) {
		var cases, live, attempts int
		const query = `select count(*), count(*) filter (where finished_at is null), (select count(*) from attempts) from cases`
		if err := r.rig.Store.Pool().QueryRow(ctx, query).Scan(&cases, &live, &attempts); err != nil {
			continue // Postgres was killed
		}
		done, _, kills := r.tally.counts()
		r.printf("  %5s  %d cases, %d live, %d attempts; %d kills, %d decisions, %d workflows upset\n", seconds(time.Since(r.began)), cases, live, attempts,
			len(kills), done[StaffPaid]+done[StaffHold]+done[StaffRelease]+done[StaffRetry]+done[StaffVerdict],
			done[WorkflowReset]+done[WorkflowTerminated]+done[WorkflowCancelled])
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func sleepUntil(ctx context.Context, at time.Time) bool { return sleep(ctx, time.Until(at)) }
