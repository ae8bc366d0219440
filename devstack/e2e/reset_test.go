package e2e

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"recoup/billing"
)

// TestTerminatedCaseGoesOn: a waiting case whose workflow was terminated is found by the check of live cases and runs again; nobody is
// charged for it, and it goes on where Postgres says (I20).
func TestTerminatedCaseGoesOn(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	id := s.open(t, "terminated", "standard", paysSecond)
	run, _ := s.runOf(t, id)
	if err := s.temporal.TerminateWorkflow(t.Context(), "case/"+id, "", "e2e"); err != nil {
		t.Fatal(err)
	}
	s.runsAgain(t, id, run)
	s.stillWaits(t, id, 1)
	s.retry(t, id)
	s.endsPaidOnce(t, id, 2, actDue)
}

// TestResetCaseGoesOn: a case's workflow is reset to its very first task, with and without its signals played again. Nobody is charged
// again, no decision is carried out again, and the case goes on.
func TestResetCaseGoesOn(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	none := []enums.ResetReapplyExcludeType{enums.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, enums.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE}
	for name, exclude := range map[string][]enums.ResetReapplyExcludeType{"with-signals": nil, "without-signals": none} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := s.open(t, "reset-"+name, "standard", paysSecond)
			hold := billing.Resolution{RequestID: "e2e-hold-" + name, Kind: billing.Hold, Case: billing.CaseID(id), Actor: "ada", Reason: "waits for a call",
				Until: time.Now().UTC().Truncate(time.Minute).Add(24 * time.Hour)}
			s.accepts(t, bySignal, hold)
			s.until(t, 20*time.Second, id, "is held", func(c shownCase) bool { return c.HeldUntil != nil })
			s.accepts(t, byUpdate, billing.Resolution{RequestID: "e2e-release-" + name, Kind: billing.Release, Case: billing.CaseID(id), Actor: "ada", Reason: "they called"})
			s.resetToFirstTask(t, id, exclude)
			s.stillWaits(t, id, 1)
			if c := s.showCase(t, id); c.HeldUntil != nil || len(c.Resolutions) != 2 {
				t.Errorf("after the reset the case is held until %v after %d decisions; want it released after 2", c.HeldUntil, len(c.Resolutions))
			}
			s.retry(t, id)
			s.endsPaidOnce(t, id, 2, actDue)
		})
	}
	t.Run("while charging", func(t *testing.T) {
		t.Parallel()
		id := s.owe(t, "reset-charging", "demo", paysUnheard)
		s.until(t, time.Minute, id, "is being charged", func(c shownCase) bool { return len(c.Attempts) == 1 && c.Attempts[0].State == "sent" })
		s.resetToFirstTask(t, id, none)
		s.endsPaidOnce(t, id, 1, actDue)
	})
	t.Run("after its end", func(t *testing.T) {
		t.Parallel()
		id := s.owe(t, "reset-finished", "standard", "pm_card_visa")
		s.endsPaidOnce(t, id, 1, actDue)
		s.resetToFirstTask(t, id, nil)
		s.endsPaidOnce(t, id, 1, actDue)
	})
}

// resetToFirstTask starts a case's workflow again from its first task, as an operator can in the Temporal UI, and waits for the new run.
func (s *stack) resetToFirstTask(t *testing.T, id string, exclude []enums.ResetReapplyExcludeType) {
	t.Helper()
	run, _ := s.runOf(t, id)
	var first int64
	for _, e := range s.historyOf(t, "case/"+id, run) {
		if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			first = e.GetEventId()
			break
		}
	}
	if first == 0 {
		// A charge is a workflow task of its own: the first one has not ended while it waits for local activities.
		t.Fatalf("%s has no completed task yet", id)
	}
	_, err := s.temporal.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "case/" + id, RunId: run},
		Reason: "e2e", WorkflowTaskFinishEventId: first, RequestId: rand.Text(), ResetReapplyExcludeTypes: exclude,
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the new run of "+id, func() error {
		if now, _ := s.runOf(t, id); now == run {
			return errors.New("it is not there")
		}
		return nil
	})
}

// stillWaits: the workflow runs, has caught up with Postgres, and made no attempt of its own.
func (s *stack) stillWaits(t *testing.T, id string, attempts int) {
	t.Helper()
	eventually(t, 20*time.Second, id+" waits for its next date", func() error {
		events := s.history(t, id)
		for _, e := range events {
			if e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED && e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "ChargeMethod" {
				return errors.New("it charges")
			}
		}
		if last := events[len(events)-1].GetEventType(); last != enums.EVENT_TYPE_TIMER_STARTED && last != enums.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES {
			return errors.New("its last event is " + last.String())
		}
		return nil
	})
	if c := s.showCase(t, id); !waitsAfter(attempts)(c) {
		t.Errorf("%s made %d attempts and is to %s; want %d and to wait", id, len(c.Attempts), c.Next.Do, attempts)
	}
}

// retry asks for a round now.
func (s *stack) retry(t *testing.T, id string) {
	t.Helper()
	s.accepts(t, byCommand, billing.Resolution{RequestID: "e2e-retry-" + id, Kind: billing.RetryNow, Case: billing.CaseID(id), Actor: "ada", Reason: "card works again"})
}
