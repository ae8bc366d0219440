package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// freePorts finds a range that nobody uses now.
func freePorts(t *testing.T) Ports {
	t.Helper()
	for base := 21000 + os.Getpid()%1000*10; base < 60000; base += 10 {
		p, err := PortsFrom(base)
		if err != nil {
			t.Fatal(err)
		}
		if p.check() == nil && portUsable(p.Postgres) == nil {
			return p
		}
	}
	t.Fatal("no free range of ports")
	return Ports{}
}

// recorder makes parts that write down what happens to them.
type recorder struct{ events []string }

func (r *recorder) part(name string, startErr error, running Running) Part {
	return Part{name, func(context.Context, *Stack) (Running, error) {
		if startErr != nil {
			return Running{}, startErr
		}
		r.events = append(r.events, "+"+name)
		running.Stop = func(context.Context) error {
			r.events = append(r.events, "-"+name)
			return nil
		}
		return running, nil
	}}
}

func (r *recorder) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(r.events, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func runParts(t *testing.T, ctx context.Context, parts []Part, ready func(*Stack)) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(ctx, Options{DataDir: t.TempDir(), Ports: freePorts(t), Out: &out}, parts, ready)
	return out.String(), err
}

func TestPartsStopInReverseOrder(t *testing.T) {
	var r recorder
	ctx, cancel := context.WithCancel(t.Context())
	parts := []Part{r.part("one", nil, Running{Addr: "127.0.0.1:1"}), r.part("two", nil, Running{}), r.part("three", nil, Running{})}
	out, err := runParts(t, ctx, parts, func(*Stack) { cancel() })
	if err != nil {
		t.Fatal(err)
	}
	r.want(t, "+one +two +three -three -two -one")
	if !strings.Contains(out, "one") || !strings.Contains(out, "127.0.0.1:1") {
		t.Errorf("the output names no address: %s", out)
	}
}

func TestFailingPartStopsTheOthers(t *testing.T) {
	var r recorder
	broken := errors.New("no luck")
	_, err := runParts(t, t.Context(), []Part{r.part("one", nil, Running{}), r.part("two", broken, Running{}), r.part("three", nil, Running{})}, nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "two") {
		t.Errorf("got %v, want it to name the part", err)
	}
	r.want(t, "+one -one")
}

func TestPartThatEndsByItselfStopsTheStack(t *testing.T) {
	var r recorder
	died := make(chan error, 1)
	died <- errors.New("out of luck")
	_, err := runParts(t, t.Context(), []Part{r.part("one", nil, Running{}), r.part("two", nil, Running{Died: died})}, nil)
	if err == nil || !strings.Contains(err.Error(), "two: out of luck") {
		t.Errorf("got %v", err)
	}
	r.want(t, "+one +two -two -one")
}

func TestInterruptedStartIsNoError(t *testing.T) {
	var r recorder
	ctx, cancel := context.WithCancel(t.Context())
	slow := Part{"slow", func(ctx context.Context, _ *Stack) (Running, error) {
		cancel()
		<-ctx.Done()
		return Running{}, errors.New("some library's words for a context that ended")
	}}
	if _, err := runParts(t, ctx, []Part{r.part("one", nil, Running{}), slow}, nil); err != nil {
		t.Errorf("got %v", err)
	}
	r.want(t, "+one -one")
}

func TestStuckPartIsNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	never := Running{Stop: func(context.Context) error { select {} }}
	if err := stopPart(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestUntilStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running, err := untilStopped(ctx, func(ctx context.Context, ready func(string)) error {
		ready("here")
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil || running.Addr != "here" {
		t.Fatalf("got %q, %v", running.Addr, err)
	}
	cancel() // the start's context; the part runs on
	select {
	case err := <-running.Died:
		t.Fatalf("the part ended with its start: %v", err)
	default:
	}
	if err := running.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}

	_, err = untilStopped(t.Context(), func(context.Context, func(string)) error { return errors.New("no port") })
	if err == nil || err.Error() != "no port" {
		t.Errorf("a failed start gave %v", err)
	}

	running, err = untilStopped(t.Context(), func(_ context.Context, ready func(string)) error {
		ready("")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-running.Died; err == nil {
		t.Error("a part that ended told nobody")
	}
}

func TestPortsAreCheckedBeforeAnythingStarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ports := freePorts(t)
	ports.Gateway = l.Addr().(*net.TCPAddr).Port
	err = Run(t.Context(), Options{DataDir: t.TempDir(), Ports: ports}, nil, nil)
	if err == nil {
		t.Fatal("a taken port was no error")
	}
	for _, want := range []string{fmt.Sprint(ports.Gateway), "gateway", "--port-base"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), fmt.Sprint(ports.Console)) {
		t.Errorf("the error names a free port: %v", err)
	}
}

func TestTakenPostgresPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ports := freePorts(t)
	ports.Postgres = l.Addr().(*net.TCPAddr).Port
	err = Run(t.Context(), Options{DataDir: t.TempDir(), Ports: ports}, Parts(), nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d, for Postgres", ports.Postgres)) || !strings.Contains(err.Error(), "--port-base") {
		t.Errorf("got %v", err)
	}
}

func TestPortBase(t *testing.T) {
	got, err := PortsFrom(9100)
	want := Ports{Console: 9100, Mailbox: 9101, SMTP: 9102, Temporal: 9103, TemporalUI: 9104, Gateway: 9105, Postgres: 9106, Webhooks: 9107, Identity: 9108}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, base := range []int{-1, 80, 65530, 70000} {
		if _, err := PortsFrom(base); err == nil {
			t.Errorf("base %d was accepted", base)
		}
	}
}

func TestDataDirectoryHasOneStack(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	err := Run(ctx, Options{DataDir: dir, Ports: freePorts(t)}, nil, func(*Stack) {
		err := Run(ctx, Options{DataDir: dir, Ports: freePorts(t)}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), "--data") {
			t.Errorf("got %v, want the process named", err)
		}
		cancel()
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEnvFileIsReadByAShell(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	awkward := `it's $HOME "quoted" \ & co`
	part := Part{"one", func(_ context.Context, s *Stack) (Running, error) {
		s.Export("RECOUP_AWKWARD", awkward)
		return Running{}, nil
	}}
	_, err := runParts(t, ctx, []Part{part}, func(s *Stack) {
		defer cancel()
		out, err := exec.Command("sh", "-c", `. "$1"; printf %s "$RECOUP_AWKWARD"`, "sh", s.EnvFile()).Output()
		if err != nil || string(out) != awkward {
			t.Errorf("the shell read %q, %v", out, err)
		}
		if st, err := os.Stat(s.EnvFile()); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v; others may read the password", st.Mode(), err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// The real parts, twice on the same data.
func TestStackStartsAgainWhereItStopped(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t)
	for round := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		began := time.Now()
		var up time.Duration
		err := Run(ctx, Options{DataDir: dir, Ports: ports, Out: &out}, Parts(), func(s *Stack) {
			defer cancel()
			up = time.Since(began)
			body := get(t, "http://"+local(ports.TemporalUI)+"/api/v1/namespaces/"+namespace)
			if !strings.Contains(body, "NAMESPACE_STATE_REGISTERED") {
				t.Errorf("the UI does not reach Temporal: %s", body)
			}
			mail := fmt.Sprintf("Subject: round %d\r\n\r\nhello\r\n", round)
			if err := smtp.SendMail(local(ports.SMTP), nil, "a@example.com", []string{"b@example.com"}, []byte(mail)); err != nil {
				t.Error(err)
			}
			if body := get(t, "http://"+local(ports.Mailbox)+"/api/messages"); !strings.Contains(body, fmt.Sprintf(`"total":%d`, round+1)) {
				t.Errorf("round %d: the mailbox has %s", round, body)
			}
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		t.Logf("round %d: up after %v\n%s", round, up.Round(time.Millisecond), out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "env")); err != nil {
		t.Error(err)
	}
}

// Postgres is killed under the running stack, with a workflow in it.
func TestStackOutlivesPostgres(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := Run(ctx, Options{DataDir: t.TempDir(), Ports: freePorts(t), Out: &out}, Parts()[:2], func(s *Stack) {
		defer cancel()
		c := dial(t, local(s.Ports.Temporal))
		w := startWorker(t, c)
		defer w.Stop()
		startWaiting(t, c, "outlive", time.Second)
		waitForTimer(t, c, "outlive")
		before := s.Postgres.Pid()
		syscall.Kill(before, syscall.SIGKILL)
		<-s.Postgres.Done()
		// The first tries may meet the dead server.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			err := c.SignalWorkflow(t.Context(), "outlive", "", "word", "on")
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
		var got string
		if err := c.GetWorkflow(t.Context(), "outlive", "").Get(t.Context(), &got); err != nil || got != "on" {
			t.Errorf("the workflow answered %q, %v", got, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "up again") {
		t.Errorf("the person was not told: %s", out.String())
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s, %v", url, res.Status, err)
	}
	return body.String()
}
