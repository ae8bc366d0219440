package e2e

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// janitorEnv makes this test binary the janitor of a directory: it cleans up when the tests died without doing so themselves.
const janitorEnv = "RECOUP_E2E_JANITOR"

// root is the directory that everything of this run lives in. Its name is in the command line of every process started on it.
var root string

func TestMain(m *testing.M) {
	if dir := os.Getenv(janitorEnv); dir != "" {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the tests do, however they end
		_ = errors.Join(killLeftovers(dir), os.RemoveAll(dir))
		os.Exit(0)
	}
	// The tests mostly wait for the story: all at once, whatever the number of processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if root, err = os.MkdirTemp("", "recoup-e2e-"); err != nil {
		return 1, err
	}
	// Postgres may run as another user than these tests.
	if err := os.Chmod(root, 0o755); err != nil {
		return 1, err
	}
	janitor := exec.Command(os.Args[0])
	janitor.Env = append(os.Environ(), janitorEnv+"="+root)
	hold, err := janitor.StdinPipe()
	if err != nil {
		return 1, err
	}
	if err := janitor.Start(); err != nil {
		return 1, fmt.Errorf("start the janitor: %w", err)
	}
	code = m.Run()
	err = errors.Join(stopShared(), leftovers(root), hold.Close(), janitor.Wait())
	return code, err
}

// binaries are the two commands under test.
type binaries struct{ recoup, devstack string }

// build builds both once, in the project's own way.
var build = sync.OnceValues(func() (binaries, error) {
	b := binaries{recoup: filepath.Join(root, "recoup"), devstack: filepath.Join(root, "devstack")}
	project, err := projectDir()
	if err != nil {
		return b, err
	}
	for _, target := range []struct{ dir, out, pkg string }{
		{project, b.recoup, "./cmd/recoup"}, {filepath.Join(project, "devstack"), b.devstack, "./cmd/devstack"},
	} {
		build := exec.Command("go", "build", "-o", target.out, target.pkg)
		build.Dir = target.dir
		if out, err := build.CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w\n%s", target.pkg, err, out)
		}
	}
	return b, nil
})

// projectDir is the folder of the whole project, two above this package.
func projectDir() (string, error) { return filepath.Abs(filepath.Join("..", "..")) }

// projectFile is the path of a file of the project.
func projectFile(t *testing.T, elements ...string) string {
	t.Helper()
	dir, err := projectDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{dir}, elements...)...)
}

// readEnvFile reads the file that the stack writes for shells.
func readEnvFile(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		if ok {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env, nil
}
