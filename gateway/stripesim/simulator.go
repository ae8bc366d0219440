// Package stripesim is a stateful stand-in for Stripe: a real HTTP server that speaks Stripe's wire format and keeps its own books
// in its own Postgres schema (stripesim). The adapter gateway/stripe talks to it in development and tests exactly as it talks to
// Stripe in production; only the base URL and the key differ.
//
// It owns what a gateway owns: customers, payment methods, payment intents, charges, refunds, disputes, idempotency keys with their
// stored results, events and their signed delivery. Its books (GET /books) are the ground truth for audits. Money moves in a
// transaction of its own; the answer on the wire comes after it and may be lost, late or garbled (see faults.go), so a fault
// before and one after the effect are honestly different.
//
// It knows nothing of Recoup's packages and imports none. README.md lists the endpoints, the test payment methods and the faults.
package stripesim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Options configure a Simulator. The zero value works: no webhooks, no latency, limits off.
type Options struct {
	// WebhookURL receives the signed events; "" sends none. WebhookSecret signs them (Stripe-Signature, scheme v1).
	WebhookURL    string
	WebhookSecret string
	// Latency is added to every API answer.
	Latency time.Duration
	// BankDelay is how long a bank debit stays in processing, and how long after settling a return follows. Default 20 s.
	BankDelay time.Duration
	// Hang is how long a request without an answer is held before its connection is cut. Default 60 s.
	Hang time.Duration
	// SearchLag is how long a new intent can't be found by search, as with Stripe's index.
	SearchLag time.Duration
	// KeyWindow is how long idempotency keys are kept. Default 24 h, Stripe's promise.
	KeyWindow time.Duration
	// Limits enforces Stripe's smallest (0.50 USD and the like) and largest (8 digits) amounts.
	Limits bool
	// Tick is how often the background loop looks for debits and events that fall due. Default 250 ms.
	Tick time.Duration
	// Now is the clock, for tests. Default time.Now.
	Now func() time.Time
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	fallback := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	fallback(&o.BankDelay, 20*time.Second)
	fallback(&o.Hang, time.Minute)
	fallback(&o.KeyWindow, 24*time.Hour)
	fallback(&o.Tick, 250*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Simulator is the simulated gateway: an http.Handler plus a background loop (Start, Stop) that settles bank debits and delivers
// webhooks. All its state is in Postgres, so a restart goes on where the last one stopped.
type Simulator struct {
	pool     *pgxpool.Pool
	opt      Options
	log      *slog.Logger
	routes   http.Handler
	process  string // names this process in claims of idempotency keys
	scripted atomic.Int64
	hooks    *http.Client

	closing context.Context // done when Stop was called; hanging requests let go
	close   context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{}
}

// New opens the books (creating or migrating the schema stripesim) and returns a simulator that answers but whose background loop
// waits for Start. Only one process may run on a database at a time: New voids the unfinished requests of the one before.
func New(ctx context.Context, pool *pgxpool.Pool, opt Options) (*Simulator, error) {
	if opt.WebhookURL != "" && opt.WebhookSecret == "" {
		return nil, errors.New("the gateway simulator has a webhook URL but no webhook secret to sign with")
	}
	if err := migrate(ctx, pool); err != nil {
		return nil, err
	}
	s := &Simulator{pool: pool, opt: opt.withDefaults(), process: newID("proc_"), wake: make(chan struct{}, 1)}
	s.log = s.opt.Log
	s.hooks = &http.Client{Timeout: 10 * time.Second}
	s.closing, s.close = context.WithCancel(context.Background())
	s.routes = s.router()
	if err := s.voidClaims(ctx); err != nil {
		return nil, err
	}
	if err := s.countScripts(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Start runs the background loop until Stop.
func (s *Simulator) Start() {
	s.running.Go(func() {
		tick := time.NewTicker(s.opt.Tick)
		defer tick.Stop()
		for {
			if err := s.Step(s.closing); err != nil && s.closing.Err() == nil {
				s.log.Error("gateway simulator: background step", "err", err)
			}
			select {
			case <-s.closing.Done():
				return
			case <-s.wake:
			case <-tick.C:
			}
		}
	})
}

// Stop ends the background loop and lets hanging requests go. It waits for what is under way.
func (s *Simulator) Stop() {
	s.close()
	s.running.Wait()
}

// Step does one pass of the background work: bank debits and disputes that fall due, webhooks, forgotten keys. Tests call it
// instead of waiting.
func (s *Simulator) Step(ctx context.Context) error {
	if err := s.settleDue(ctx); err != nil {
		return err
	}
	if err := s.deliverDue(ctx); err != nil {
		return err
	}
	return s.forgetKeys(ctx)
}

// nudge makes the background loop run now.
func (s *Simulator) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Simulator) now() time.Time { return s.opt.Now().UTC() }

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID returns prefix and 24 random letters and digits, as Stripe's ids look.
func newID(prefix string) string {
	id := make([]byte, 24)
	for i := range id {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(idAlphabet))))
		if err != nil {
			panic(fmt.Sprintf("the system has no randomness: %v", err))
		}
		id[i] = idAlphabet[n.Int64()]
	}
	return prefix + string(id)
}
