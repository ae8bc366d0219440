package console

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/store"
)

// Limits and rhythms of live updates.
const (
	listenersMax  = 500
	casesPerEvent = 50               // more at once are "many"
	beatEvery     = 20 * time.Second // keeps proxies from closing a quiet stream
	reconnectMax  = 30 * time.Second
)

// Live tells open pages which case changed. One connection listens for all of them (store.ChangesChannel); a slow poll catches what a
// lost connection missed.
type Live struct {
	store *store.Store
	log   *slog.Logger
	poll  time.Duration

	mu        sync.Mutex
	listeners map[*listener]struct{}
	closed    bool
	done      chan struct{}
}

// listener is one open page. Changes gather in pending until it takes them, so a slow page never holds up the others.
type listener struct {
	pending map[string]struct{}
	wake    chan struct{}
}

// NewLive makes the hub; nothing is heard until Run. Poll is how often it also looks by itself, 0 is 15 s.
func NewLive(s *store.Store, log *slog.Logger, poll time.Duration) *Live {
	if poll == 0 {
		poll = 15 * time.Second
	}
	if log == nil {
		log = slog.Default()
	}
	return &Live{store: s, log: log, poll: poll, listeners: map[*listener]struct{}{}, done: make(chan struct{})}
}

// Run listens until ctx ends; then every open stream ends too, so that a server can stop.
func (l *Live) Run(ctx context.Context) {
	defer l.close()
	go l.pollChanges(ctx)
	for wait := time.Second; ctx.Err() == nil; wait = min(wait*2, reconnectMax) {
		began := time.Now()
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("live updates lost their database connection; trying again", "error", err)
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// listen holds the one connection that hears of changes; it isn't one of the pool's, because it is never given back.
func (l *Live) listen(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.store.Pool().Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "listen "+store.ChangesChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	l.tell("") // whatever happened while nobody listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for changes: %w", err)
		}
		l.tell(n.Payload)
	}
}

func (l *Live) pollChanges(ctx context.Context) {
	tick := time.NewTicker(l.poll)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// Also while no page is open: one that opens now may have been made just before the last change.
		mark, err := l.store.ChangeMark(ctx)
		if err != nil || mark == last {
			continue
		}
		if last != "" {
			l.tell("")
		}
		last = mark
	}
}

// tell passes a change on to every page; "" says that anything may have changed.
func (l *Live) tell(caseID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.listeners {
		if len(p.pending) < casesPerEvent {
			p.pending[caseID] = struct{}{}
		} else {
			p.pending[""] = struct{}{}
		}
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (l *Live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.done)
	}
}

func (l *Live) join() *listener {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.listeners) >= listenersMax {
		return nil
	}
	p := &listener{pending: map[string]struct{}{}, wake: make(chan struct{}, 1)}
	l.listeners[p] = struct{}{}
	return p
}

func (l *Live) leave(p *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, p)
}

// take empties what has gathered; nil cases with any set mean that anything may have changed.
func (l *Live) take(p *listener) (cases []string, anything bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range p.pending {
		if id == "" {
			anything = true
		}
		cases = append(cases, id)
	}
	clear(p.pending)
	if anything {
		return nil, true
	}
	return cases, false
}

// ServeHTTP streams changes to one page (Server-Sent Events): event "change" with {"cases":[…]}, or an empty list when anything may
// have changed.
func (l *Live) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := l.join()
	if p == nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many pages are open for live updates; this one renews when reloaded.", http.StatusServiceUnavailable)
		return
	}
	defer l.leave(p)
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		// A page that takes nothing for a minute is gone.
		if err := out.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return false
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("retry: 3000\nevent: hello\ndata: {}\n\n") {
		return
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-l.done:
			return
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case <-p.wake:
			cases, _ := l.take(p)
			if cases == nil {
				cases = []string{}
			}
			data, err := json.Marshal(map[string][]string{"cases": cases})
			if err != nil || !send("event: change\ndata: "+string(data)+"\n\n") {
				return
			}
		}
	}
}
