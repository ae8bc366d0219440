package devstack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"recoup/store/privatepg"
)

const testNamespace = "recoup"

// childEnv makes this test binary run a Temporal server on a data directory
// until it is killed.
const childEnv = "DEVSTACK_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		_, tp, err := startTemporalOn(context.Background(), dir)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(tp.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func startTemporalOn(ctx context.Context, dir string) (*privatepg.Server, *Temporal, error) {
	pg, err := privatepg.Start(ctx, privatepg.Options{DataDir: filepath.Join(dir, "postgres"), Disposable: true})
	if err != nil {
		return nil, nil, err
	}
	tp, err := StartTemporal(ctx, TemporalOptions{
		Postgres: pg, LogFile: filepath.Join(dir, "temporal.log"), Namespace: testNamespace,
	})
	if err != nil {
		pg.Stop()
	}
	return pg, tp, err
}

// temporalFor starts a server for one test; stop may be called early.
func temporalFor(t *testing.T, dir string) (tp *Temporal, stop func()) {
	t.Helper()
	began := time.Now()
	pg, tp, err := startTemporalOn(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Postgres and Temporal were up after %v", time.Since(began).Round(time.Millisecond))
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		began := time.Now()
		if err := tp.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
		t.Logf("and stopped within %v", time.Since(began).Round(time.Millisecond))
	}
	t.Cleanup(stop)
	return tp, stop
}

func dial(t *testing.T, addr string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: addr, Namespace: testNamespace, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// waiting sleeps on a timer, then waits for one signal.
func waiting(ctx workflow.Context, timer time.Duration) (string, error) {
	if err := workflow.Sleep(ctx, timer); err != nil {
		return "", err
	}
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
	return word, nil
}

func startWaiting(t *testing.T, c client.Client, id string, timer time.Duration) {
	t.Helper()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "test"}, waiting, timer)
	if err != nil {
		t.Fatal(err)
	}
}

func startWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, "test", worker.Options{})
	w.RegisterWorkflow(waiting)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

func finish(t *testing.T, c client.Client, id string) {
	t.Helper()
	if err := c.SignalWorkflow(t.Context(), id, "", "word", "on"); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &got); err != nil || got != "on" {
		t.Fatalf("the workflow answered %q, %v", got, err)
	}
}

func TestWorkflowContinuesAfterRestart(t *testing.T) {
	dir := t.TempDir()
	first, stop := temporalFor(t, dir)
	c := dial(t, first.Addr())
	w := startWorker(t, c)
	startWaiting(t, c, "restart", time.Second)
	w.Stop()
	stop()

	second, _ := temporalFor(t, dir)
	c = dial(t, second.Addr())
	w = startWorker(t, c)
	defer w.Stop()
	finish(t, c, "restart")
}

func TestWorkflowContinuesAfterKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, strings.TrimSpace(addr))
	w := startWorker(t, c)
	startWaiting(t, c, "kill", 2*time.Second)
	waitForTimer(t, c, "kill")
	child.Process.Signal(syscall.SIGKILL)
	child.Wait()
	w.Stop()

	tp, _ := temporalFor(t, dir)
	c = dial(t, tp.Addr())
	w = startWorker(t, c)
	defer w.Stop()
	finish(t, c, "kill")
}

// waitForTimer returns when the workflow's first task is done.
func waitForTimer(t *testing.T, c client.Client, id string) {
	t.Helper()
	history := c.GetWorkflowHistory(t.Context(), id, "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.EventType == enumspb.EVENT_TYPE_TIMER_STARTED {
			return
		}
	}
	t.Fatal("the workflow started no timer")
}

// The server takes new search attributes from a cache of its own: an app that
// registers them must wait until they are known, here for a moment only.
func TestSearchAttributeIsUsableSoon(t *testing.T) {
	tp, _ := temporalFor(t, t.TempDir())
	c := dial(t, tp.Addr())
	_, err := c.OperatorService().AddSearchAttributes(t.Context(), &operatorservice.AddSearchAttributesRequest{
		Namespace:        testNamespace,
		SearchAttributes: map[string]enumspb.IndexedValueType{"RecoupStage": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	})
	if err != nil {
		t.Fatal(err)
	}
	stage := temporal.NewSearchAttributeKeyKeyword("RecoupStage")
	began := time.Now()
	for {
		_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: "sa", TaskQueue: "test", TypedSearchAttributes: temporal.NewSearchAttributes(stage.ValueSet("collecting")),
		}, waiting, time.Hour)
		if err == nil {
			break
		}
		if time.Since(began) > 4*namespaceRefresh {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("usable after %v", time.Since(began).Round(time.Millisecond))
	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: testNamespace})
	if err != nil {
		t.Fatal(err)
	}
	if got := ns.Config.WorkflowExecutionRetentionTtl.AsDuration(); got != retention {
		t.Errorf("retention is %v, want %v", got, retention)
	}
}
