package workflows_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

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
