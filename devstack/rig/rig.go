// Package rig is a private stack for tests that kill: Postgres, Temporal, a
// mailbox and the simulated gateway run in this process, and Recoup's own
// processes (worker, webhooks, console, commands) are real ones beside it,
// each to be killed, read and started again.
//
// It owns starting, ending and looking; which faults happen, and what must
// come of them, is the tests' that use it.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"recoup/devstack"
	"recoup/store"
)

// Namespace is the stack's namespace in Temporal.
const Namespace = "recoup"

// Bounds: generous, because machines are busy, but not for ever.
const (
	startWait = 3 * time.Minute
	stopWait  = 30 * time.Second
)

// Options say how a stack is made. The zero value works.
type Options struct {
	// Dir holds everything; "" makes one that Stop removes.
	Dir string
	// Tags are build tags of the recoup binary, "crash" for one; Race builds it with the race detector.
	Tags string
	Race bool
	// Binary is a recoup binary that exists; "" builds one with Tags.
	Binary string
	// Env are settings by name, of the simulated gateway and of every process started; they win over the stack's own.
	Env map[string]string
	// Out gets a line per part as the stack starts; nil none.
	Out io.Writer
	// Log is for what runs in this process; nil discards it.
	Log *slog.Logger
}

// Rig is a stack that is up.
type Rig struct {
	Dir    string
	Binary string
	// Store is a connection of the test's own to Recoup's database; it survives a restart of Postgres.
	Store *store.Store
	// Temporal is a client of the test's own.
	Temporal client.Client

	options Options
	mailbox string
	gateway string
	console string
	remove  bool
	env     map[string]string
	stop    context.CancelFunc
	ended   chan error
	down    chan struct{}

	mu        sync.Mutex
	processes []*Process
	keepers   []*Keeper
	started   map[string]int // processes of a name so far, for their logs
}

// Start brings a stack up. Stop must be called.
func Start(ctx context.Context, o Options) (*Rig, error) {
	r := &Rig{options: o, Dir: o.Dir, Binary: o.Binary, started: map[string]int{}, ended: make(chan error, 1), down: make(chan struct{})}
	if err := r.makeDir(); err != nil {
		return nil, err
	}
	if r.Binary == "" {
		r.Binary = filepath.Join(r.Dir, "recoup")
		if err := Build(ctx, r.Binary, o.Tags, o.Race); err != nil {
			return nil, errors.Join(err, r.clear())
		}
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

func (r *Rig) makeDir() error {
	if r.Dir != "" {
		return os.MkdirAll(filepath.Join(r.Dir, "logs"), 0o755)
	}
	sweep()
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		return err
	}
	r.Dir, r.remove = dir, true
	// Postgres may run as another user than this process.
	return errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, "logs"), 0o755))
}

func (r *Rig) start(ctx context.Context) error {
	ports, err := freePorts()
	if err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = cancel
	ready := make(chan *devstack.Stack, 1)
	settings := devstack.Part{Name: "Settings", Start: func(_ context.Context, s *devstack.Stack) (devstack.Running, error) {
		for name, value := range r.options.Env {
			s.Export(name, value)
		}
		return devstack.Running{Addr: fmt.Sprint(len(r.options.Env))}, nil
	}}
	ground := devstack.Ground()
	// Postgres is the stack's first part to start and last to stop; the settings come between.
	parts := append([]devstack.Part{ground[0], settings}, ground[1:]...)
	options := devstack.Options{
		DataDir: filepath.Join(r.Dir, "stack"), Ports: ports, Out: r.options.Out, Log: r.options.Log,
		// A process that is killed loses nothing that the kernel has.
		PostgresSettings: map[string]string{"fsync": "off", "full_page_writes": "off"},
	}
	go func() {
		defer close(r.down)
		r.ended <- devstack.Run(runCtx, options, parts, func(s *devstack.Stack) { ready <- s })
	}()
	wait, done := context.WithTimeout(ctx, startWait)
	defer done()
	select {
	case s := <-ready:
		return r.connect(ctx, s, ports)
	case err := <-r.ended:
		r.ended <- err // for Stop
		return fmt.Errorf("the stack did not start: %w", err)
	case <-wait.Done():
		return fmt.Errorf("the stack is not up: %w", wait.Err())
	}
}

func (r *Rig) connect(ctx context.Context, s *devstack.Stack, ports devstack.Ports) (err error) {
	r.env = s.Env()
	r.mailbox = fmt.Sprintf("http://127.0.0.1:%d", ports.Mailbox)
	r.console = fmt.Sprintf("http://127.0.0.1:%d", ports.Console)
	r.gateway = r.env["RECOUP_STRIPE_URL"]
	r.env["RECOUP_WEBHOOKS_ADDR"] = fmt.Sprintf("127.0.0.1:%d", ports.Webhooks)
	r.env["RECOUP_CONSOLE_ADDR"] = fmt.Sprintf("127.0.0.1:%d", ports.Console)
	r.env["RECOUP_CONSOLE_URL"] = r.console
	// Parts of this process start from what production would; tests want to see what happens now.
	for name, value := range map[string]string{
		"RECOUP_SCAN_EVERY": "1s", "RECOUP_LIVE_CHECK_EVERY": "10s", "RECOUP_STRIPE_TIMEOUT": "2s", "RECOUP_STRIPE_LOOKUP_LAG": "3s",
		"RECOUP_SMTP_TIMEOUT": "5s", "RECOUP_STRIPE_CHARGES_PER_SECOND": "500",
	} {
		r.env[name] = value
	}
	maps.Copy(r.env, r.options.Env)
	if r.Store, err = store.Open(ctx, r.env["DATABASE_URL"]); err != nil {
		return err
	}
	r.Temporal, err = client.DialContext(ctx, client.Options{HostPort: r.env["TEMPORAL_ADDRESS"], Namespace: Namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	return err
}

// Env are the settings that processes of this stack are started with.
func (r *Rig) Env() map[string]string { return maps.Clone(r.env) }

// Down is closed when the stack has ended, by Stop or because a part died; Stop says why.
func (r *Rig) Down() <-chan struct{} { return r.down }

// GatewayURL is the simulated gateway's address: its API, its books and its controls.
func (r *Rig) GatewayURL() string { return r.gateway }

// MailboxURL is the mailbox's page and API.
func (r *Rig) MailboxURL() string { return r.mailbox }

// ConsoleURL is where a console started on this stack answers.
func (r *Rig) ConsoleURL() string { return r.console }

// WebhooksAddr is where a receiver of webhooks started on this stack listens, and where the gateway sends.
func (r *Rig) WebhooksAddr() string { return r.env["RECOUP_WEBHOOKS_ADDR"] }

// Stop kills what still runs, stops the stack and removes a directory of its own making.
func (r *Rig) Stop() error {
	r.mu.Lock()
	keepers, processes := r.keepers, r.processes
	r.mu.Unlock()
	for _, k := range keepers {
		k.kill()
	}
	for _, p := range processes {
		p.Kill9()
		<-p.Done()
	}
	if r.Store != nil {
		r.Store.Close()
	}
	if r.Temporal != nil {
		r.Temporal.Close()
	}
	var err error
	if r.stop != nil {
		r.stop()
		timeout := time.NewTimer(stopWait)
		defer timeout.Stop()
		select {
		case err = <-r.ended:
		case <-timeout.C:
			err = fmt.Errorf("the stack did not stop within %s", stopWait)
		}
	}
	return errors.Join(err, r.clear())
}

func (r *Rig) clear() error {
	if !r.remove {
		return nil
	}
	return os.RemoveAll(r.Dir)
}
