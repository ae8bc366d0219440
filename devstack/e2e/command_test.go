package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// commandWait bounds one run of the recoup command.
const commandWait = time.Minute

// answer is what a command said and how it ended.
type answer struct {
	out, errs string
	code      int
}

// run runs the recoup command against the stack, as a shell that read the stack's environment file would.
func (s *stack) run(t *testing.T, args ...string) answer {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin.recoup, args...)
	cmd.Env = cleanEnv()
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("recoup %s: %v", strings.Join(args, " "), err)
	}
	return answer{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed, and returns what it printed.
func (s *stack) must(t *testing.T, args ...string) string {
	t.Helper()
	a := s.run(t, args...)
	if a.code != 0 {
		t.Fatalf("recoup %s ended with %d:\n%s%s", strings.Join(args, " "), a.code, a.out, a.errs)
	}
	return a.out
}

// auditClean runs `recoup audit`: every invariant of the house must hold.
func (s *stack) auditClean(t *testing.T) {
	t.Helper()
	a := s.run(t, "audit")
	if a.code != 0 {
		t.Errorf("recoup audit ended with %d:\n%s%s", a.code, a.out, a.errs)
		return
	}
	if !strings.Contains(a.out, "Compared with the books of stripe") {
		t.Errorf("the audit did not read the gateway's books:\n%s", a.out)
	}
}
