package devstack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"recoup/store/privatepg"
)

// A server that was killed is started again, unless it keeps dying.
const (
	restartsMax    = 5
	restartsWindow = time.Minute
	portWait       = 10 * time.Second
	portPoll       = 100 * time.Millisecond
)

// keeper restarts Postgres when it dies, on the same port: everything that
// uses it reconnects by itself, as it must in production.
type keeper struct {
	options privatepg.Options
	stack   *Stack
	died    chan error

	mu       sync.Mutex // held while a server is being started
	server   *privatepg.Server
	stopping bool
	restarts []time.Time
}

func startPostgres(ctx context.Context, s *Stack) (Running, error) {
	o := privatepg.Options{DataDir: s.Path("postgres"), Port: s.Ports.Postgres, Settings: s.PostgresSettings}
	pg, err := privatepg.Start(ctx, o)
	if errors.Is(err, privatepg.ErrPortTaken) {
		return Running{}, portError(fmt.Sprintf("port %d, for Postgres, is taken by another program", s.Ports.Postgres))
	}
	if err != nil {
		return Running{}, err
	}
	if err := pg.EnsureDatabase(ctx, appDatabase); err != nil {
		return Running{}, errors.Join(err, pg.Stop())
	}
	s.Postgres = pg
	s.Export("DATABASE_URL", s.AppURL())
	s.Export("RECOUP_OWNER_DATABASE_URL", s.DatabaseURL())
	s.Export("RECOUP_APP_ROLE", appRole)
	k := &keeper{options: o, stack: s, server: pg, died: make(chan error, 1)}
	go k.watch(pg)
	return Running{Addr: pg.Addr(), Stop: k.stop, Died: k.died}, nil
}

func (k *keeper) watch(pg *privatepg.Server) {
	for pg != nil {
		<-pg.Done()
		pg = k.restart()
	}
}

// restart returns nil when there is nothing to watch any more.
func (k *keeper) restart() *privatepg.Server {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopping {
		return nil
	}
	now := time.Now()
	recent := k.restarts[:0]
	for _, at := range k.restarts {
		if now.Sub(at) < restartsWindow {
			recent = append(recent, at)
		}
	}
	k.restarts = append(recent, now)
	if len(k.restarts) > restartsMax {
		k.died <- fmt.Errorf("the server died %d times within %s; its log is %s.log", len(k.restarts), restartsWindow, k.options.DataDir)
		return nil
	}
	k.server.Stop() // only lets go of the data directory
	pg, err := privatepg.Start(context.Background(), k.options)
	// A backend that was just being forked holds the killed server's port for a moment longer.
	for deadline := now.Add(portWait); errors.Is(err, privatepg.ErrPortTaken) && time.Now().Before(deadline); {
		time.Sleep(portPoll)
		pg, err = privatepg.Start(context.Background(), k.options)
	}
	if err != nil {
		k.died <- fmt.Errorf("the server died and does not start again: %w", err)
		return nil
	}
	k.server = pg
	k.stack.printf("  Postgres had died; it is up again (%s)\n", seconds(time.Since(now)))
	return pg
}

func (k *keeper) stop(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopping = true
	return k.server.Stop()
}
