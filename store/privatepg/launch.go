package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// launch starts the server, again when a port we picked was snatched in
// between or when backends of a killed server still hold its shared memory.
func launch(ctx context.Context, bin binaries, who account, o Options) (*Server, error) {
	deadline := time.Now().Add(startWait)
	for {
		s, err := launchOnce(ctx, bin, who, o)
		var early *startError
		switch {
		case err == nil:
			return s, nil
		case !errors.As(err, &early) || time.Now().After(deadline):
			return nil, err
		case early.portTaken() && o.Port != 0:
			return nil, fmt.Errorf("%w: %w", ErrPortTaken, err)
		case !early.portTaken() && !early.passing():
			return nil, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func launchOnce(ctx context.Context, bin binaries, who account, o Options) (*Server, error) {
	port := o.Port
	if port == 0 {
		var err error
		if port, err = freePort(); err != nil {
			return nil, err
		}
	}
	password, err := readPassword(o.DataDir)
	if err != nil {
		return nil, err
	}
	tail := &tailWriter{}
	log, closeLog, err := openLog(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin.path("postgres"), serverArgs(o, port)...)
	cmd.Dir = "/" // ours may be closed to the account
	cmd.Env = childEnv()
	cmd.Stdout, cmd.Stderr = log, log
	if _, isFile := log.(*os.File); !isFile {
		out := io.MultiWriter(log, tail)
		cmd.Stdout, cmd.Stderr = out, out
	} else {
		tail.file, tail.from = log.(*os.File).Name(), size(log.(*os.File))
	}
	cmd.SysProcAttr = who.attr()
	cmd.SysProcAttr.Setpgid = true // a terminal's Ctrl-C is for us; we stop the server in our order
	if !o.Detached {
		dieWithParent(cmd.SysProcAttr)
	}

	s := &Server{port: port, password: password, dataDir: o.DataDir, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal follows the thread that forked, not the
		// process: this goroutine keeps its thread until the server has ended.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		closeLog()
		close(s.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	s.pid = cmd.Process.Pid
	if err := s.waitReady(ctx); err != nil {
		s.end()
		return nil, &startError{cause: err, log: tail.String()}
	}
	return s, nil
}

func serverArgs(o Options, port int) []string {
	settings := map[string]string{
		"listen_addresses":        host,
		"unix_socket_directories": "", // a socket's path is limited to about 100 bytes; TCP has no such trap
		"max_connections":         "200",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"max_wal_size":            "1GB",
	}
	if o.Disposable {
		maps.Copy(settings, disposableSettings)
	}
	maps.Copy(settings, o.Settings)
	settings["port"] = strconv.Itoa(port)
	args := []string{"-D", o.DataDir}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// disposableSettings stop Postgres from waiting for the disk.
var disposableSettings = map[string]string{
	"fsync":              "off",
	"synchronous_commit": "off",
	"full_page_writes":   "off",
	"wal_level":          "minimal",
	"max_wal_senders":    "0",
	"max_connections":    "300", // several test processes share one server
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			return errors.New("the server ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("the server did not accept connections: %w", errors.Join(ctx.Err(), err))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
