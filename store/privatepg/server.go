// Package privatepg starts a Postgres server of our own on 127.0.0.1, for
// tests and for the dev stack alike.
//
// It owns finding or downloading the binaries, initdb, the server's process
// and its end. It does not own any schema: callers migrate the databases they
// ask for. Production never uses it; there DATABASE_URL names the server.
package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is the superuser of a private server; its password is random per data
// directory and part of [Server.URL].
const User = "recoup"

const (
	host = "127.0.0.1"
	// startWait covers crash recovery after a kill -9 on a slow disk.
	startWait = 60 * time.Second
	// A fast shutdown writes a checkpoint; a caller that stops a whole stack
	// within 15 s cannot wait longer than this for it.
	fastStopWait      = 8 * time.Second
	immediateStopWait = 3 * time.Second
)

var (
	// ErrPortTaken means that something else listens on [Options.Port].
	ErrPortTaken = errors.New("port is taken")
	// ErrInUse means that another live process of ours runs a server on the data directory.
	ErrInUse = errors.New("data directory is in use by another process")
	// ErrNoBinaries means that no Postgres was found and none could be downloaded.
	ErrNoBinaries = errors.New("no Postgres server found")
)

// Options say where and how a private server runs. Only DataDir is required.
type Options struct {
	// DataDir holds the cluster; it is made when missing and kept when the server stops.
	DataDir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// Log receives the server's log; nil writes it to DataDir + ".log".
	Log io.Writer
	// Settings are Postgres settings by name; they win over ours.
	Settings map[string]string
	// Disposable trades durability for speed, for data that may vanish with
	// the machine. A damaged disposable cluster is thrown away and made anew.
	Disposable bool
	// Detached lets the server outlive this process. Otherwise the kernel
	// (on Linux) asks it to shut down when this process dies, even by kill -9.
	Detached bool
}

// Server is a running private Postgres.
type Server struct {
	port     int
	pid      int
	password string
	dataDir  string
	lock     *os.File      // nil for a detached server
	done     chan struct{} // closed when the process has ended; nil for a server found by Find
	stop     sync.Once
	stopErr  error
}

// Start makes the cluster in o.DataDir when there is none, starts its server
// and returns when it accepts connections. A server left over from a killed
// process is shut down first, so its port and settings never surprise anyone.
//
// Errors wrap [ErrPortTaken], [ErrInUse] or [ErrNoBinaries] where these apply.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil || o.DataDir == "" {
		return nil, fmt.Errorf("start private postgres: bad data directory %q: %w", o.DataDir, err)
	}
	o.DataDir = dir
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("start private postgres: %w", err)
	}
	lock, err := lockFile(dir + ".lock")
	if err != nil {
		return nil, fmt.Errorf("start private postgres in %s: %w", dir, err)
	}
	s, err := startLocked(ctx, o)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("start private postgres in %s: %w", dir, err)
	}
	if o.Detached {
		lock.Close() // whoever finds the server may start it again should it die
	} else {
		s.lock = lock
	}
	return s, nil
}

func startLocked(ctx context.Context, o Options) (*Server, error) {
	if err := stopLeftover(ctx, o.DataDir); err != nil {
		return nil, err
	}
	if o.Port != 0 && !portFree(o.Port) {
		return nil, fmt.Errorf("%w: something else listens on %s:%d; stop it or choose another port", ErrPortTaken, host, o.Port)
	}
	bin, err := findBinaries(ctx, o.DataDir, o.Disposable)
	if err != nil {
		return nil, err
	}
	who, err := chooseAccount(bin.dir, filepath.Dir(o.DataDir))
	if err != nil {
		return nil, err
	}
	fresh, err := ensureCluster(ctx, bin, who, o)
	if err != nil {
		return nil, err
	}
	s, err := launch(ctx, bin, who, o)
	if err == nil || !o.Disposable || fresh || ctx.Err() != nil || errors.Is(err, ErrPortTaken) {
		return s, err
	}
	if err := os.RemoveAll(o.DataDir); err != nil {
		return nil, err
	}
	if _, err := ensureCluster(ctx, bin, who, o); err != nil {
		return nil, err
	}
	return launch(ctx, bin, who, o)
}

// URL is the connection string of a database, with the password in it: keep
// it out of logs.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(User, s.password),
		Host:     s.Addr(),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort(host, strconv.Itoa(s.port)) }

// Password is that of [User].
func (s *Server) Password() string { return s.password }

// Pid is the process id of the server's main process.
func (s *Server) Pid() int { return s.pid }

// Done is closed when the server's process has ended, for whatever reason.
// It is nil for a server got from [Find].
func (s *Server) Done() <-chan struct{} { return s.done }

// EnsureDatabase creates the database when it does not exist yet.
func (s *Server) EnsureDatabase(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("create database %s: %w", database, err)
	}
	defer conn.Close(ctx)
	var exists bool
	err = conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	if _, err := conn.Exec(ctx, "create database "+pgx.Identifier{database}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", database, err)
	}
	return nil
}

// Stop shuts the server down: open transactions are rolled back, connections
// closed, a checkpoint written. After 8 s without success the server is
// stopped the way a crash would stop it, which loses nothing committed.
// Calling it again returns the first answer.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		s.stopErr = s.end()
		if s.lock != nil {
			s.lock.Close()
		}
	})
	return s.stopErr
}

func (s *Server) end() error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, fastStopWait}, {syscall.SIGQUIT, immediateStopWait}, {syscall.SIGKILL, immediateStopWait}} {
		if err := syscall.Kill(s.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop private postgres %d: %w", s.pid, err)
		}
		if s.waitGone(step.wait) {
			return nil
		}
	}
	return fmt.Errorf("stop private postgres: process %d is still there", s.pid)
}

func (s *Server) waitGone(wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	for time.Now().Before(deadline) {
		if s.done == nil {
			if !alive(s.pid) {
				return true
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		select {
		case <-s.done:
			return true
		case <-time.After(time.Until(deadline)):
		}
	}
	return false
}
