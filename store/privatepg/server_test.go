package privatepg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childEnvName makes this test binary start a server, print its pid and wait
// to be killed.
const childEnvName = "PRIVATEPG_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnvName); dir != "" {
		s, err := Start(context.Background(), Options{DataDir: dir, Disposable: true, Detached: os.Getenv("DETACHED") != ""})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Pid())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	o.Disposable = true
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func exec1(t *testing.T, s *Server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// killedChild starts a server in another process and kills that process.
func killedChild(t *testing.T, dir string, env ...string) (serverPid int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), append(env, childEnvName+"="+dir)...)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	serverPid, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the child said: %s", line)
	}
	child.Process.Signal(syscall.SIGKILL)
	child.Wait()
	return serverPid
}

func TestDataSurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	first := start(t, Options{DataDir: dir, Settings: map[string]string{"application_name": "it's ours"}})
	if err := first.EnsureDatabase(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	if got := exec1(t, first, "show application_name"); got != "it's ours" {
		t.Errorf("application_name is %q", got)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if alive(first.Pid()) {
		t.Error("the server is alive after Stop")
	}
	second := start(t, Options{DataDir: dir})
	if err := second.EnsureDatabase(t.Context(), "kept"); err != nil {
		t.Errorf("EnsureDatabase again: %v", err)
	}
	if got := exec1(t, second, "select datname from pg_database where datname = 'kept'"); got != "kept" {
		t.Error("the database is gone after a restart")
	}
}

func TestServerEndsWhenItsProcessIsKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	pid := killedChild(t, dir)
	// Elsewhere the kernel sends no parent-death signal; the next Start stops the server.
	for deadline := time.Now().Add(startWait); runtime.GOOS == "linux" && alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("server %d of the killed process still runs", pid)
		}
	}
	if s := start(t, Options{DataDir: dir}); s.Pid() == pid {
		t.Error("the old server was taken over")
	}
}

func TestLeftoverServerIsStoppedAndFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	pid := killedChild(t, dir, "DETACHED=1")
	found, err := Find(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if found.Pid() != pid || exec1(t, found, "show data_directory") != dir {
		t.Errorf("found %d, want %d", found.Pid(), pid)
	}
	s := start(t, Options{DataDir: dir})
	if s.Pid() == pid || alive(pid) {
		t.Errorf("the leftover server %d still runs", pid)
	}
}

func TestStartAfterServerWasKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	first := start(t, Options{DataDir: dir})
	if err := first.EnsureDatabase(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(first.Pid(), syscall.SIGKILL)
	<-first.Done()
	if err := first.Stop(); err != nil {
		t.Errorf("Stop of a dead server: %v", err)
	}
	second := start(t, Options{DataDir: dir})
	if got := exec1(t, second, "select datname from pg_database where datname = 'kept'"); got != "kept" {
		t.Error("the database is gone after the server was killed")
	}
}

// In a container the number in a stale pid file soon belongs to another process.
func TestStalePidFileOfAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	if err := start(t, Options{DataDir: dir}).Stop(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("%d\n%s\n1\n5432\n\n127.0.0.1\n0 0\nready\n", os.Getpid(), dir)
	if err := os.WriteFile(pidPath(dir), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), dir); err == nil {
		t.Error("Find took this test for a server")
	}
	start(t, Options{DataDir: dir})
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Options{DataDir: filepath.Join(t.TempDir(), "pg"), Port: port})
	if !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("got %v, want a taken port named", err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	s := start(t, Options{DataDir: dir})
	if _, err := Start(t.Context(), Options{DataDir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want %v", err, ErrInUse)
	}
	if !alive(s.Pid()) {
		t.Error("the second Start stopped the first server")
	}
}

func TestForeignDirectoryIsNotTouched(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{DataDir: dir, Disposable: true}); err == nil {
		t.Error("a directory with other files was taken")
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.txt")); err != nil {
		t.Error(err)
	}
}

func TestInterruptedInitIsBegunAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	if err := os.MkdirAll(filepath.Join(dir+".new", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, Options{DataDir: dir})
}

func TestDamagedDisposableClusterIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pg")
	if err := start(t, Options{DataDir: dir}).Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "global", "pg_control")); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "pg_control") {
		t.Errorf("lasting data: got %v, want the reason from the log", err)
	}
	start(t, Options{DataDir: dir})
}

func TestNoBinaries(t *testing.T) {
	t.Setenv(BinEnv, t.TempDir())
	_, err := Start(t.Context(), Options{DataDir: filepath.Join(t.TempDir(), "pg")})
	if !errors.Is(err, ErrNoBinaries) || !strings.Contains(err.Error(), BinEnv) {
		t.Errorf("got %v, want %v naming %s", err, ErrNoBinaries, BinEnv)
	}
}

// Root's data is often below a directory that only root may enter.
func TestClosedParentDirectory(t *testing.T) {
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, Options{DataDir: filepath.Join(closed, "a", "pg")})
	st, err := os.Stat(closed)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the parent's mode became %v: %v", st.Mode(), err)
	}
	who := account{name: "stranger", uid: 4242, gid: 4242}
	if got, err := who.closedParent(filepath.Join(closed, "a")); err != nil || got != closed {
		t.Errorf("closedParent says %q, %v; want %q", got, err, closed)
	}
}

func TestStopIsFast(t *testing.T) {
	s := start(t, Options{DataDir: filepath.Join(t.TempDir(), "pg")})
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "begin"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > fastStopWait {
		t.Errorf("an open connection held Stop up for %v", took)
	}
}
