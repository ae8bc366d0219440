package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// upWait bounds how long a process may take to say that it is up.
const upWait = 90 * time.Second

// Process is a real process of Recoup on the stack.
type Process struct {
	Name string // "worker", and so on
	// LogFile keeps what it printed, whatever became of it.
	LogFile string

	cmd  *exec.Cmd
	done chan struct{}
	said *transcript
}

// Spawn starts a process of the recoup binary with its arguments. More settings win over the stack's. It dies with this one.
func (r *Rig) Spawn(name string, more map[string]string, args ...string) (*Process, error) {
	r.mu.Lock()
	r.started[name]++
	number := r.started[name]
	r.mu.Unlock()
	p := &Process{Name: name, LogFile: filepath.Join(r.Dir, "logs", fmt.Sprintf("%s-%03d.log", name, number)), done: make(chan struct{})}
	file, err := os.Create(p.LogFile)
	if err != nil {
		return nil, err
	}
	p.said = newTranscript(file)
	p.cmd = exec.Command(r.Binary, args...)
	p.cmd.Dir, p.cmd.Env = r.Dir, r.environment(more)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for us
	dieWithParent(p.cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		// The parent-death signal follows the thread that forked: this goroutine keeps its thread until the process has ended.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
		file.Close()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	r.mu.Lock()
	r.processes = append(slices.DeleteFunc(r.processes, func(p *Process) bool { return p.ended() }), p)
	r.mu.Unlock()
	return p, nil
}

// environment is ours without what configures Recoup or Temporal: a person's settings are not what is tested.
func (r *Rig) environment(more map[string]string) []string {
	settings := maps.Clone(r.env)
	maps.Copy(settings, more)
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RECOUP_") && !strings.HasPrefix(v, "TEMPORAL_") && !strings.HasPrefix(v, "DATABASE_URL=") {
			env = append(env, v)
		}
	}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}

// Pid is the process' number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its log is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill9 ends the process as a power cut would. Killing one that has ended is no error.
func (p *Process) Kill9() { _ = p.cmd.Process.Kill() }

// Interrupt asks for a clean end, as Ctrl-C does.
func (p *Process) Interrupt() { _ = p.cmd.Process.Signal(os.Interrupt) }

// ExitCode is how a process ended, as a shell counts: 128 and the signal's number for one that was killed. Call it after Done.
func (p *Process) ExitCode() int {
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Log is what the process printed so far.
func (p *Process) Log() string { return p.said.String() }

// Said waits until the process printed a text. An error says how it ended, or that it took too long.
func (p *Process) Said(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, upWait)
	defer cancel()
	for {
		found, more := p.said.has(text)
		if found {
			return nil
		}
		select {
		case <-more:
		case <-p.done:
			if found, _ := p.said.has(text); found {
				return nil
			}
			return fmt.Errorf("%s ended with %d before it said %q:\n%s", p.Name, p.ExitCode(), text, tail(p.Log()))
		case <-ctx.Done():
			return fmt.Errorf("%s did not say %q: %w\n%s", p.Name, text, ctx.Err(), tail(p.Log()))
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// What the processes say when they are up.
var up = map[string]string{"worker": "workers are up", "webhooks": "webhooks are received", "console": "the console is up"}

// StartWorker starts a worker and waits until it polls.
func (r *Rig) StartWorker(ctx context.Context, more map[string]string) (*Process, error) {
	return r.startAndWait(ctx, "worker", more)
}

// StartWebhooks starts the receiver of webhooks and waits until it listens.
func (r *Rig) StartWebhooks(ctx context.Context, more map[string]string) (*Process, error) {
	return r.startAndWait(ctx, "webhooks", more)
}

// StartConsole starts the console and waits until it listens.
func (r *Rig) StartConsole(ctx context.Context, more map[string]string) (*Process, error) {
	return r.startAndWait(ctx, "console", more)
}

func (r *Rig) startAndWait(ctx context.Context, name string, more map[string]string) (*Process, error) {
	p, err := r.Spawn(name, more, name)
	if err != nil {
		return nil, err
	}
	if err := p.Said(ctx, up[name]); err != nil {
		p.Kill9()
		<-p.Done()
		return p, err
	}
	return p, nil
}

// Run runs one command of recoup to its end and returns what it printed. A code other than 0 is no error here.
func (r *Rig) Run(ctx context.Context, args ...string) (out string, code int, err error) {
	return r.RunWith(ctx, nil, args...)
}

// RunWith is Run with more settings.
func (r *Rig) RunWith(ctx context.Context, more map[string]string, args ...string) (out string, code int, err error) {
	p, err := r.Spawn("command", more, args...)
	if err != nil {
		return "", 0, err
	}
	select {
	case <-p.Done():
		return p.Log(), p.ExitCode(), nil
	case <-ctx.Done():
		p.Kill9()
		<-p.Done()
		return p.Log(), p.ExitCode(), fmt.Errorf("recoup %s: %w", strings.Join(args, " "), ctx.Err())
	}
}

// Must runs a command that has to succeed.
func (r *Rig) Must(ctx context.Context, args ...string) (string, error) {
	out, code, err := r.Run(ctx, args...)
	if err == nil && code != 0 {
		err = errors.New("ended with " + fmt.Sprint(code))
	}
	if err != nil {
		return out, fmt.Errorf("recoup %s: %w\n%s", strings.Join(args, " "), err, tail(out))
	}
	return out, nil
}

// transcript keeps what is written to it, in memory and in a file, and tells who waits for more.
type transcript struct {
	file *os.File

	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newTranscript(file *os.File) *transcript {
	return &transcript{file: file, more: make(chan struct{})}
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	close(t.more)
	t.more = make(chan struct{})
	return t.file.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// has reports whether a text was written, and what is closed when there is more.
func (t *transcript) has(text string) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Contains(t.text.String(), text), t.more
}
