package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// pidFile is what a running server writes about itself into its data directory.
type pidFile struct {
	pid, port int
	ready     bool
}

func readPidFile(dataDir string) (pidFile, error) {
	raw, err := os.ReadFile(pidPath(dataDir))
	if err != nil {
		return pidFile{}, err
	}
	// pid, data directory, start time, port, socket directory, listen address, shared memory, status
	lines := strings.Split(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return pidFile{}, fmt.Errorf("%s names no process", pidPath(dataDir))
	}
	p := pidFile{pid: pid}
	if len(lines) > 3 {
		p.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	p.ready = len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
	return p, nil
}

func pidPath(dataDir string) string { return filepath.Join(dataDir, "postmaster.pid") }

// stopLeftover ends a server that a killed process of ours left behind in
// dataDir, and removes a pid file whose number now belongs to someone else:
// Postgres itself would refuse to start because that process is alive.
func stopLeftover(ctx context.Context, dataDir string) error {
	p, err := readPidFile(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && alive(p.pid) && servesDir(ctx, p.pid, dataDir) {
		old := &Server{pid: p.pid, dataDir: dataDir}
		if err := old.end(); err != nil {
			return fmt.Errorf("a server from an earlier run is in the way: %w", err)
		}
	}
	if err := os.Remove(pidPath(dataDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// alive is false for a zombie too: in a container whose first process does
// not reap, a dead server stays in the process table for ever.
func alive(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ") // pid (name) state …
	return !strings.HasPrefix(after, "Z")
}

// servesDir tells by its command line whether a process is the server that we
// started on dataDir. Process ids are used again, above all in containers.
func servesDir(ctx context.Context, pid int, dataDir string) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	line := strings.ReplaceAll(string(raw), "\x00", " ")
	if err != nil { // no /proc on macOS
		out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			return false
		}
		line = string(out)
	}
	return strings.Contains(line, "postgres") && strings.Contains(line, " -D "+dataDir+" ")
}

// Find returns the server that a process started with [Options.Detached] on
// dataDir and that still answers, or an error when there is none.
func Find(ctx context.Context, dataDir string) (*Server, error) {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, err
	}
	p, err := readPidFile(dataDir)
	if err != nil {
		return nil, fmt.Errorf("find the server of %s: %w", dataDir, err)
	}
	if !p.ready || !alive(p.pid) || !servesDir(ctx, p.pid, dataDir) {
		return nil, fmt.Errorf("find the server of %s: process %d is not it or not ready", dataDir, p.pid)
	}
	password, err := readPassword(dataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{port: p.port, pid: p.pid, password: password, dataDir: dataDir}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return nil, fmt.Errorf("find the server of %s: %w", dataDir, err)
	}
	return s, conn.Close(ctx)
}
