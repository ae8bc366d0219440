package e2e

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"recoup/workflows"
)

var batchNamed = regexp.MustCompile(`Batch ([0-9]{8}-[a-z0-9]{6}) is recorded`)

// TestBatches: three cases are held, released and tried again, each time as one act over all of them. Its workflow is terminated in the middle
// and goes on; every case is decided about once, and charged once.
func TestBatches(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	var ids []string
	for n := range 3 {
		ids = append(ids, s.owe(t, fmt.Sprint("many-", n+1), "standard", paysSecond))
	}
	for _, id := range ids {
		s.until(t, 2*time.Minute, id, "waits after its first attempt", waitsAfter(1))
	}
	list := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte(strings.Join(ids, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := func(args ...string) string {
		t.Helper()
		out := s.must(t, append(append([]string{"batch"}, args...), "--actor", "otto", "--reason", "their bank was down")...)
		named := batchNamed.FindStringSubmatch(out)
		if named == nil {
			t.Fatalf("no batch: %s", out)
		}
		return named[1]
	}
	ended := func(id, want string) {
		t.Helper()
		if out := s.must(t, "batch", "show", id, "--wait"); !strings.Contains(out, want) {
			t.Errorf("batch %s: want %q: %s", id, want, out)
		}
	}
	until := time.Now().UTC().Add(48 * time.Hour).Format(time.RFC3339)
	if out := s.must(t, "batch", "hold", list, "--until", until, "--dry-run"); !strings.Contains(out, "Would be done 3,") {
		t.Errorf("the preview: %s", out)
	}
	hold := begin("hold", list, "--until", until, "--per-minute", "600")
	ended(hold, "3 items: 3 done")
	for _, id := range ids {
		s.until(t, 20*time.Second, id, "is held", func(c shownCase) bool { return c.HeldUntil != nil })
	}

	// One every five seconds: it is paused after the first, and its workflow terminated meanwhile.
	release := begin("release", list, "--per-minute", "12")
	eventually(t, 30*time.Second, "the first of batch "+release, func() error { return s.outcomes(t, release, "done", 1) })
	s.must(t, "batch", "pause", release, "--reason", "wait")
	if err := s.temporal.TerminateWorkflow(t.Context(), "batch-"+release, "", "e2e"); err != nil {
		t.Fatal(err)
	}
	s.must(t, "batch", "resume", release, "--reason", "on")
	ended(release, "3 items: 3 done")
	retry := begin("retry", list, "--per-minute", "600")
	ended(retry, "3 items: 3 done")
	for _, id := range ids {
		s.endsPaidOnce(t, id, 2, actDue)
		if c := s.showCase(t, id); len(c.Resolutions) != 3 {
			t.Errorf("%s: %d decisions, want 3", id, len(c.Resolutions))
		}
	}
	rows, err := csv.NewReader(strings.NewReader(s.must(t, "batch", "report", retry))).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][1] != ids[0] || rows[1][4] != "done" {
		t.Errorf("the report: %v, %v", rows, err)
	}
	eventually(t, 20*time.Second, "the batches in a search", func() error {
		found, err := s.query(t, "WorkflowType = 'Batch' and RecoupStage = 'done'")
		if err == nil && len(found) < 3 {
			err = fmt.Errorf("found %v", found)
		}
		return err
	})
	for _, id := range []string{hold, release, retry} {
		s.replaysBatch(t, id)
	}
}

// outcomes says whether a batch has at least n items with an outcome.
func (s *stack) outcomes(t *testing.T, batch, outcome string, n int) error {
	t.Helper()
	var got int
	err := s.db.QueryRow(t.Context(), `select count(*)::int from batch_items where batch_id = $1 and state = $2`, batch, outcome).Scan(&got)
	if err == nil && got < n {
		err = fmt.Errorf("%d of %d are %s", got, n, outcome)
	}
	return err
}

// replaysBatch holds that this code follows what it wrote, that a batch costs Temporal little, and that nothing in it is personal (I18). With
// RECOUP_RECORD the history is written there, for the replay test of package workflows.
func (s *stack) replaysBatch(t *testing.T, id string) {
	t.Helper()
	events := s.historyOf(t, "batch-"+id, "")
	if last := events[len(events)-1].GetEventType(); last != enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
		t.Errorf("batch %s ended with %s", id, last)
	}
	told := &history.History{Events: events}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflow(workflows.Batch)
	if err := replayer.ReplayWorkflowHistory(quiet{}, told); err != nil {
		t.Errorf("batch %s: %v", id, err)
	}
	text, err := protojson.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"otto", "their bank was down", "someone@"} {
		if strings.Contains(string(text), personal) {
			err = errors.Join(err, fmt.Errorf("the history of batch %s holds %q", id, personal))
		}
	}
	if dir := os.Getenv("RECOUP_RECORD"); dir != "" {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "batch-"+id+".json"), text, 0o600))
	}
	if err != nil {
		t.Error(err)
	}
}
