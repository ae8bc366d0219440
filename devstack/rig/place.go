package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"recoup/devstack"
)

const tempPrefix = "recoup-rig-"

// sweep removes the directories of stacks whose process was killed before it could do so itself. The lock of one that lives is held.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	for _, dir := range dirs {
		lock, err := os.Open(filepath.Join(dir, "stack", "lock"))
		if err != nil {
			continue // it is being made
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		lock.Close()
	}
}

// freePorts finds a range of ports that nobody uses now.
func freePorts() (devstack.Ports, error) {
	const first, last, step = 22000, 31980, 10
	for n := range (last - first) / step {
		base := first + (os.Getpid()*7+n)%((last-first)/step)*step
		if allFree(base, step) {
			return devstack.PortsFrom(base)
		}
	}
	return devstack.Ports{}, fmt.Errorf("no %d free ports in a row between %d and %d", step, first, last)
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// Build builds the recoup binary with build tags, "" for none.
func Build(ctx context.Context, to, tags string, race bool) error {
	dir, err := projectDir()
	if err != nil {
		return err
	}
	args := []string{"build", "-o", to, "-tags", tags}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/recoup")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build recoup: %w\n%s", err, out)
	}
	return nil
}

// projectDir looks upwards for the folder of the whole project.
func projectDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "recoup")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("cmd/recoup is not here: run from the project's folder")
		}
		dir = up
	}
}
