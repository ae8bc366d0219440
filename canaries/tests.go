package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
)

// testTimeout bounds one package's tests. They take seconds; a machine under load must not make a catch of its slowness.
const testTimeout = 5 * time.Minute

// seen is what became of the tests of a run, by "package.Test" with the package relative to the module's root.
type seen struct{ passed, broken map[string]bool }

// failed returns which of a layer's tests failed.
func (s seen) failed(l layer) []string {
	var all []string
	for _, test := range l.tests {
		if s.broken[l.pkg+"."+test] {
			all = append(all, test)
		}
	}
	return all
}

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, FailedBuild string
}

// compile builds the packages that a canary lies in: what does not compile catches nothing.
func compile(ctx context.Context, dir string, c canary) error {
	args := []string{"build", "-tags", c.tag()}
	for _, file := range c.files {
		args = append(args, "./"+path.Dir(file))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not compile: %s", firstLine(said))
	}
	return nil
}

// runTests runs the tests of some layers with a build tag, or with none, in one go command. An error is no failing test: something did
// not compile, or a package failed without one of its tests failing.
func runTests(ctx context.Context, dir, tag string, layers []layer) (seen, error) {
	var pkgs, tests []string
	for _, l := range layers {
		pkgs = append(pkgs, "./"+l.pkg)
		tests = append(tests, l.tests...)
	}
	slices.Sort(pkgs)
	slices.Sort(tests)
	pkgs, tests = slices.Compact(pkgs), slices.Compact(tests)
	args := []string{"test", "-json", "-count=1", "-timeout", testTimeout.String(), "-tags", tag, "-run", "^(" + strings.Join(tests, "|") + ")$"}
	cmd := exec.CommandContext(ctx, "go", append(args, pkgs...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "RAPID_NOFAILFILE=true") // what a canary fails with is no regression to keep
	said, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return seen{}, err
	}
	return readEvents(said)
}

// readEvents reads what `go test -json` wrote. A parent test fails with its subtests, so only the parents are kept.
func readEvents(said []byte) (seen, error) {
	s := seen{map[string]bool{}, map[string]bool{}}
	silent := map[string]bool{} // packages that failed, until one of their tests has
	lines := bufio.NewScanner(bytes.NewReader(said))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the go command's own words
		}
		pkg := strings.TrimPrefix(e.Package, "recoup/")
		switch {
		case e.FailedBuild != "":
			return s, fmt.Errorf("the tests of %s do not compile with it", pkg)
		case strings.HasPrefix(e.Output, "panic: test timed out"):
			return s, fmt.Errorf("the tests of %s did not end within %s", pkg, testTimeout)
		case e.Action == "pass" && e.Test != "" && !strings.Contains(e.Test, "/"):
			s.passed[pkg+"."+e.Test] = true
		case e.Action == "fail" && e.Test != "" && !strings.Contains(e.Test, "/"):
			s.broken[pkg+"."+e.Test] = true
		case e.Action == "fail" && e.Test == "":
			silent[pkg] = true
		}
	}
	for test := range s.broken {
		delete(silent, test[:strings.LastIndex(test, ".")])
	}
	for pkg := range silent {
		return s, fmt.Errorf("%s failed, and none of its tests did", pkg)
	}
	if err := lines.Err(); err != nil {
		return s, fmt.Errorf("read the tests' events: %w", err)
	}
	return s, nil
}

func firstLine(text []byte) string {
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			return strings.TrimSpace(line)
		}
	}
	return "no reason told"
}
