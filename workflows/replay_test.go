package workflows_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"recoup/workflows"
)

// histories are the recorded stories; make record renews them.
func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 25 {
		t.Fatalf("%d histories in testdata/histories: make record", len(files))
	}
	return files
}

var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// TestReplay replays every recorded story: a change that open cases could not follow fails here and not in production.
func TestReplay(t *testing.T) {
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflow(workflows.Case)
	for _, file := range histories(t) {
		if err := replayer.ReplayWorkflowHistoryFromJSONFile(quiet, file); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

// TestReplayCatchesAnIncompatibleChange replays the stories with a case that waits before it does anything: every one must fail.
func TestReplayCatchesAnIncompatibleChange(t *testing.T) {
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.CaseInput) (workflows.CaseResult, error) {
		if err := workflow.Sleep(ctx, 1); err != nil {
			return workflows.CaseResult{}, err
		}
		return workflows.Case(ctx, in)
	}, workflow.RegisterOptions{Name: "Case"})
	for _, file := range histories(t) {
		err := replayer.ReplayWorkflowHistoryFromJSONFile(quiet, file)
		if err == nil || !strings.Contains(err.Error(), "TMPRL1100") {
			t.Errorf("%s: an incompatible change went unnoticed: %v", filepath.Base(file), err)
		}
	}
}

// TestFullFailureHistorySize counts the events of a full failure of policy standard over two methods, from the start to the suspension on
// day 30: what the case asks of Temporal, with the three events of each workflow task that an answer brings.
func TestFullFailureHistorySize(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", no)
	var timers, locals, activities int
	p.env.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	p.env.SetOnLocalActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { locals++ })
	p.env.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { activities++ })
	events := 0
	p.after(30*day+12*time.Hour, func() {
		if got := read[string](p, `select stage from cases`); got != "suspended" {
			t.Errorf("stage is %s", got)
		}
		tasks := 1 + activities + timers // the start's, one for each activity's answer and for each timer
		upserts := timers + 1            // at most one before each wait, and the last one
		events = 1 + 3*tasks + locals + 3*activities + 2*timers + upserts
		p.resolve(t, paid("r-1", 4900))
	})
	p.run()
	if activities < 12 || timers < 8 || events > 150 {
		t.Errorf("%d events (%d timers, %d local activities, %d activities), at most 150 are allowed", events, timers, locals, activities)
	}
}
