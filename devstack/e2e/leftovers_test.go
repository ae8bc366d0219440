package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftovers reports processes that outlived the tests, and ends them.
func leftovers(dir string) error {
	left := processesOn(dir)
	if len(left) == 0 {
		return nil
	}
	return errors.Join(fmt.Errorf("processes outlived the tests: %s", strings.Join(left, ", ")), killLeftovers(dir))
}

// killLeftovers ends every process that runs on dir and waits until they are gone.
func killLeftovers(dir string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := processesOn(dir)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("can't end %s", strings.Join(left, ", "))
		}
		for _, p := range left {
			number, _, _ := strings.Cut(p, " ")
			if pid, err := strconv.Atoi(number); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// processesOn lists "PID COMMAND" of the processes that name dir in their command line, as the stack and Postgres do, or work in it, as
// the children of Postgres do. Where there is no /proc it knows the ones that left their number in a file.
func processesOn(dir string) []string {
	var found []string
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return numbersLeft(dir)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		raw, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		line := strings.ReplaceAll(string(raw), "\x00", " ")
		at, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if strings.Contains(line, dir) || strings.HasPrefix(at, dir) {
			found = append(found, fmt.Sprintf("%d %s", pid, line))
		}
	}
	return found
}

func numbersLeft(dir string) []string {
	var found []string
	for _, pattern := range []string{"*/lock", "*/postgres/postmaster.pid"} {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range paths {
			raw, _ := os.ReadFile(path)
			first, _, _ := strings.Cut(string(raw), "\n")
			if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil && syscall.Kill(pid, 0) == nil {
				found = append(found, fmt.Sprintf("%d of %s", pid, path))
			}
		}
	}
	return found
}
