package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"recoup/store/privatepg"
)

// shared is a hold on the one server that all test processes of this user
// share. Two locks, which the kernel drops when a process dies, count them:
// `users` is held shared by each, `turn` by whoever joins or leaves.
type shared struct {
	url   string
	dir   string
	users *os.File
}

// join starts the shared server or finds the one that runs.
func join(ctx context.Context) (*shared, error) {
	dir := filepath.Join(os.TempDir(), "recoup-pgtest-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if st, err := os.Stat(dir); err != nil || int(st.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
		return nil, fmt.Errorf("%s is not ours: %w", dir, errors.Join(err, os.ErrPermission))
	}
	s := &shared{dir: dir}
	turn, err := s.lock(ctx, "turn", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	server, err := privatepg.Find(ctx, s.data())
	if err != nil {
		server, err = privatepg.Start(ctx, privatepg.Options{DataDir: s.data(), Disposable: true, Detached: true})
	}
	if err != nil {
		return nil, err
	}
	s.url = server.URL("postgres")
	if s.users, err = s.lock(ctx, "users", syscall.LOCK_SH); err != nil {
		return nil, err
	}
	return s, nil
}

// leave stops the server when nobody else uses it.
func (s *shared) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), dropWait)
	defer cancel()
	turn, err := s.lock(ctx, "turn", syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer turn.Close()
	defer s.users.Close()
	err = syscall.Flock(int(s.users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil // others are at work
	}
	if err != nil {
		return err
	}
	server, err := privatepg.Find(ctx, s.data())
	if err != nil {
		return fmt.Errorf("the shared server is gone: %w", err)
	}
	return server.Stop()
}

func (s *shared) data() string { return filepath.Join(s.dir, "data") }

// lock waits for a lock by polling: a blocking flock cannot be given up.
func (s *shared) lock(ctx context.Context, name string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, syscall.EWOULDBLOCK) && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		f.Close()
		return nil, fmt.Errorf("wait for the lock %s: %w", f.Name(), errors.Join(err, ctx.Err()))
	}
}
