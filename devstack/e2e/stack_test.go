package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// Bounds on what the stack promises: up in seconds, down within 15 s. A busy machine gets more time, but not for ever.
const (
	startWait = 2 * time.Minute
	stopWait  = 20 * time.Second
	namespace = "recoup"
)

// stack is one development stack: a process of its own on a data directory of its own.
type stack struct {
	dir  string
	args []string

	cmd    *exec.Cmd
	output *transcript
	ended  chan struct{}

	env      map[string]string
	mailbox  string
	token    string // for the JSON API
	db       *pgxpool.Pool
	temporal client.Client
}

// newStack prepares a stack that is not started yet.
func newStack(name string, more ...string) (*stack, error) {
	base, err := freePorts()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, name)
	args := append([]string{"--data", dir, "--port-base", strconv.Itoa(base)}, more...)
	return &stack{dir: dir, args: args, output: newTranscript(), mailbox: fmt.Sprintf("http://127.0.0.1:%d", base+1)}, nil
}

// start runs the process until it says that everything is up, and connects. Starting again goes on with the same data.
func (s *stack) start(ctx context.Context) error {
	bin, err := build()
	if err != nil {
		return err
	}
	project, err := projectDir()
	if err != nil {
		return err
	}
	printed := newTranscript()
	s.cmd = exec.Command(bin.devstack, s.args...)
	s.cmd.Dir, s.cmd.Env = project, cleanEnv()
	s.cmd.Stdout, s.cmd.Stderr = tee{printed, s.output}, tee{printed, s.output}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended, cmd := make(chan struct{}), s.cmd
	go func() { _ = cmd.Wait(); close(ended) }()
	s.ended = ended
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if !printed.await(ctx, "Everything is up", ended) {
		return errors.Join(fmt.Errorf("the stack is not up:\n%s", printed), s.kill9())
	}
	return s.connect(ctx)
}

func (s *stack) connect(ctx context.Context) (err error) {
	if s.env, err = readEnvFile(filepath.Join(s.dir, "env")); err != nil {
		return err
	}
	if s.db, err = pgxpool.New(ctx, s.env["RECOUP_OWNER_DATABASE_URL"]); err != nil {
		return err
	}
	if s.token, err = s.makeToken(ctx); err != nil {
		return err
	}
	s.temporal, err = client.DialContext(ctx, client.Options{HostPort: s.env["TEMPORAL_ADDRESS"], Namespace: namespace, Logger: quiet{}})
	return err
}

func (s *stack) disconnect() {
	if s.db != nil {
		s.db.Close()
	}
	if s.temporal != nil {
		s.temporal.Close()
	}
	s.db, s.temporal = nil, nil
}

// kill9 ends the process as a power cut would, and waits until it is gone. Postgres notices by itself.
func (s *stack) kill9() error {
	s.disconnect()
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return nil
}

// kill9Postgres ends the stack's Postgres without a word, by the number it wrote down.
func (s *stack) kill9Postgres() error {
	raw, err := os.ReadFile(filepath.Join(s.dir, "postgres", "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	pid, err := strconv.Atoi(string(first))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// stop asks for a clean end, as Ctrl-C does, and reports when it was none.
func (s *stack) stop() error {
	s.disconnect()
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the stack ended by itself: %w\n%s", err, s.output)
	}
	timeout := time.NewTimer(stopWait)
	defer timeout.Stop()
	select {
	case <-s.ended:
	case <-timeout.C:
		return errors.Join(fmt.Errorf("the stack did not stop within %s:\n%s", stopWait, s.output), s.kill9())
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the stack ended with %d:\n%s", code, s.output)
	}
	if left := processesOn(s.dir); len(left) > 0 {
		return fmt.Errorf("the stack left behind %s", strings.Join(left, ", "))
	}
	return nil
}

// told adds what the stack printed to a failed test.
func (s *stack) told(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		text := s.output.String()
		t.Logf("the stack printed:\n%s", text[max(0, len(text)-8000):])
		if raw, err := os.ReadFile(filepath.Join(s.dir, "temporal.log")); err == nil {
			t.Logf("the end of Temporal's log:\n%s", raw[max(0, len(raw)-2000):])
		}
	})
}

// shared is the stack with the story that most tests look at, each at accounts of its own.
var shared = struct {
	sync.Once
	stack *stack
	err   error
}{}

// storyStack returns the shared stack, started by whoever asks first.
func storyStack(t *testing.T) *stack {
	t.Helper()
	shared.Do(func() {
		if shared.stack, shared.err = newStack("story"); shared.err == nil {
			shared.err = shared.stack.start(context.Background())
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.stack.told(t)
	return shared.stack
}

// stopShared ends the shared stack after the last test, cleanly.
func stopShared() error {
	if shared.stack == nil || shared.err != nil {
		return nil
	}
	return shared.stack.stop()
}

var ports = struct {
	sync.Mutex
	next int
}{next: 11000 + os.Getpid()%400*20}

// freePorts finds ten ports in a row that nobody uses now. Two stacks of this run never get the same ones.
func freePorts() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for range 500 {
		base := ports.next
		if ports.next += 10; ports.next > 20900 {
			ports.next = 11000
		}
		if allFree(base) {
			return base, nil
		}
	}
	return 0, errors.New("no ten free ports in a row between 11000 and 20900")
}

func allFree(base int) bool {
	for port := base; port < base+10; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// cleanEnv is this process' environment without what configures Recoup or Temporal: a person's settings are not what is tested.
func cleanEnv() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RECOUP_") && !strings.HasPrefix(v, "TEMPORAL_") && !strings.HasPrefix(v, "DATABASE_URL=") {
			env = append(env, v)
		}
	}
	return env
}

// tee writes to both of two transcripts.
type tee [2]*transcript

func (b tee) Write(p []byte) (int, error) {
	for _, w := range b {
		_, _ = w.Write(p)
	}
	return len(p), nil
}

// quiet keeps the SDK from printing while the stack is down.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
