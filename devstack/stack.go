// Package devstack runs everything that Recoup needs, and Recoup itself, in
// one process: Postgres, Temporal and its Web UI, a mailbox, the simulated
// gateway, the workers, the starter and the console.
//
// It owns starting, stopping and connecting the parts; what they do is theirs.
// It is for development and whole-system tests, never for production, and a
// module of its own because the embedded Temporal server is ten times the
// size of Recoup.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"recoup/store/privatepg"
)

// stopWait bounds a clean stop. Postgres comes last and needs its share of it.
const (
	stopWait         = 15 * time.Second
	stopWaitPostgres = 6 * time.Second
)

// Options say which stack to run.
type Options struct {
	DataDir string // everything the stack keeps; made when missing
	Ports   Ports
	Story   bool // load the sample story
	// PostgresSettings are settings of the server by name; they win over ours. For tests, which need not wait for a disk.
	PostgresSettings map[string]string
	Out              io.Writer // one line per part
	Log              *slog.Logger
}

// Stack is what the parts know of each other.
type Stack struct {
	Options
	Postgres *privatepg.Server // set by the first part; its URL stays when the server is started again

	env   map[string]string
	print sync.Mutex
}

// Path is where the stack keeps something.
func (s *Stack) Path(name string) string { return filepath.Join(s.DataDir, name) }

// DatabaseURL is that of the application's database, as its owner.
func (s *Stack) DatabaseURL() string { return s.Postgres.URL(appDatabase) }

// AppURL is the same as the application's role, which can't change what is append-only. Its password is the owner's.
func (s *Stack) AppURL() string {
	u, err := url.Parse(s.DatabaseURL())
	if err != nil {
		panic(err) // privatepg made it
	}
	u.User = url.UserPassword(appRole, s.Postgres.Password())
	return u.String()
}

// Run starts the parts in order, prints a line for each that is up, and waits
// until ctx ends or a part does. Then it stops them in reverse order, within
// 15 s. Ready, which may be nil, is called when all are up.
//
// The error is nil when everything was stopped because ctx ended.
func Run(ctx context.Context, o Options, parts []Part, ready func(*Stack)) error {
	s, err := prepare(o)
	if err != nil {
		return err
	}
	lock, err := lockDataDir(s.DataDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.Ports.check(); err != nil {
		return err
	}
	died := make(chan error, len(parts))
	began := time.Now()
	up, err := s.startAll(ctx, parts, died)
	if err == nil {
		s.printf("Everything is up after %s. Ctrl-C stops it; the next start goes on where it stopped.\n", seconds(time.Since(began)))
		s.printf("For other shells: . %s\n", s.EnvFile())
		if ready != nil {
			ready(s)
		}
		select {
		case <-ctx.Done():
		case err = <-died:
		}
	}
	if ctx.Err() != nil {
		err = nil // told to stop while starting: not every library says so in its error
	}
	return errors.Join(err, s.stopAll(context.WithoutCancel(ctx), up))
}

func prepare(o Options) (*Stack, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	o.DataDir = dir
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	return &Stack{Options: o, env: map[string]string{}}, nil
}

// started is a part with its name, for stopping.
type started struct {
	name string
	Running
}

func (s *Stack) startAll(ctx context.Context, parts []Part, died chan<- error) (up []started, err error) {
	for _, part := range parts {
		began := time.Now()
		s.progress(part.Name)
		running, err := part.Start(ctx, s)
		s.progress("")
		if err != nil {
			return up, fmt.Errorf("%s: %w", part.Name, err)
		}
		up = append(up, started{part.Name, running})
		s.printf("  %-18s %s  (%s)\n", part.Name, running.Addr, seconds(time.Since(began)))
		if err := s.writeEnv(); err != nil {
			return up, fmt.Errorf("write the environment file: %w", err)
		}
		if running.Died != nil {
			go func() { died <- fmt.Errorf("%s: %w", part.Name, <-running.Died) }()
		}
	}
	return up, nil
}

func (s *Stack) stopAll(ctx context.Context, up []started) error {
	if len(up) == 0 {
		return nil
	}
	began := time.Now()
	s.printf("Stopping …\n")
	ctx, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	parts, cancelParts := context.WithTimeout(ctx, stopWait-stopWaitPostgres)
	defer cancelParts()
	var problems error
	for i := len(up) - 1; i >= 0; i-- {
		wait := parts
		if i == 0 {
			wait = ctx
		}
		if err := stopPart(wait, up[i].Running); err != nil {
			problems = errors.Join(problems, fmt.Errorf("stop %s: %w", up[i].name, err))
		}
	}
	s.printf("Stopped after %s. The data is in %s.\n", seconds(time.Since(began)), s.DataDir)
	return problems
}

func (s *Stack) printf(format string, args ...any) {
	s.print.Lock()
	defer s.print.Unlock()
	fmt.Fprintf(s.Out, format, args...)
}

// progress says on a terminal what is being waited for; elsewhere nothing, as
// the line could not be taken back.
func (s *Stack) progress(name string) {
	f, ok := s.Out.(*os.File)
	if !ok {
		return
	}
	if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return
	}
	if name == "" {
		s.printf("\r\x1b[K")
		return
	}
	s.printf("  %-18s …", name)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// lockDataDir keeps two stacks off one data directory. The kernel lets go of
// the lock when the process dies, however it dies.
func lockDataDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
		}
		var pid int
		fmt.Fscan(f, &pid)
		return nil, fmt.Errorf("another stack (process %d) runs on %s; stop it, or name another directory with --data", pid, dir)
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(f, os.Getpid())
	return f, err
}
