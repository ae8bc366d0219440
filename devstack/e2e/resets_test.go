package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"recoup/billing"
	"recoup/money"
)

// resetsEnv set to "all" adds every case of the sample story to TestResetToEveryTask: `make resets`.
const resetsEnv = "RECOUP_RESETS"

// TestResetToEveryTask resets the workflows of finished and of waiting cases to each workflow task they ever completed, once with the
// messages that came after it and once without. Nobody is charged again, nothing is booked, decided or told again, and no decision is lost.
func TestResetToEveryTask(t *testing.T) {
	t.Parallel()
	s := storyStack(t)
	var resets, tasks atomic.Int64
	stories := map[string]func(*testing.T) string{
		"paid at once": func(t *testing.T) string {
			id := s.owe(t, "resets-paid", "standard", "pm_card_visa")
			s.endsPaidOnce(t, id, 1, actDue)
			return id
		},
		"by a backup": func(t *testing.T) string {
			id := s.owe(t, "resets-backup", "standard", noMoney, "pm_card_visa")
			s.endsPaidOnce(t, id, 2, actDue)
			return id
		},
		"unheard": func(t *testing.T) string {
			id := s.owe(t, "resets-unheard", "demo", paysUnheard)
			s.endsPaidOnce(t, id, 1, actDue)
			return id
		},
		"settled by the bank": func(t *testing.T) string {
			id := s.owe(t, "resets-bank", "standard", "pm_sim_bank_settles_after_2s")
			s.endsPaidOnce(t, id, 1, actDue)
			return id
		},
		"held, released, paid in part, tried again": func(t *testing.T) string {
			id := s.open(t, "resets-decided", "standard", paysSecond)
			s.decides(t, id)
			s.retry(t, id)
			s.endsPaidOnce(t, id, 2, actDue-2000)
			return id
		},
		"waiting and held": func(t *testing.T) string {
			id := s.open(t, "resets-waiting", "standard", noMoney)
			s.decides(t, id)
			s.accepts(t, bySignal, s.hold("resets-again-"+id, id))
			s.until(t, 20*time.Second, id, "is held again", func(c shownCase) bool { return c.HeldUntil != nil })
			return id
		},
	}
	if os.Getenv(resetsEnv) == "all" {
		s.waitForStory(t)
		ids, err := column[string](t, s, `select id from cases where account_id not like 'resets-%' order by id`)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			stories[id] = func(*testing.T) string { return id }
		}
	}
	t.Run("stories", func(t *testing.T) {
		for name, story := range stories {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				n, did := s.resetToEveryTask(t, story(t))
				tasks.Add(int64(n))
				resets.Add(int64(did))
			})
		}
	})
	t.Logf("resets: %d stories, %d workflow tasks, %d resets, 0 charges more", len(stories), tasks.Load(), resets.Load())
	if tasks.Load() < 20 {
		t.Errorf("only %d tasks: the stories are too short to prove anything", tasks.Load())
	}
	s.booksEqualLedger(t)
	s.auditClean(t)
}

// hold is a hold until tomorrow.
func (s *stack) hold(request, id string) billing.Resolution {
	return billing.Resolution{RequestID: request, Kind: billing.Hold, Case: billing.CaseID(id), Actor: "ada", Reason: "waits for a call",
		Until: time.Now().UTC().Truncate(time.Minute).Add(24 * time.Hour)}
}

// decides takes three decisions, two of them in messages that a reset can play again.
func (s *stack) decides(t *testing.T, id string) {
	t.Helper()
	s.accepts(t, bySignal, s.hold("resets-hold-"+id, id))
	s.accepts(t, byUpdate, billing.Resolution{RequestID: "resets-release-" + id, Kind: billing.Release, Case: billing.CaseID(id), Actor: "ada", Reason: "they called"})
	part := money.New(2000, currency(t, "USD"))
	s.accepts(t, bySignal, billing.Resolution{RequestID: "resets-part-" + id, Kind: billing.PaidOutOfBand, Case: billing.CaseID(id), Actor: "ada",
		Reason: "part came by cheque", Amount: &part, Reference: "CHQ " + id, ReceivedOn: "2026-11-20"})
}

// known is all that a reset must leave as it is.
type known struct {
	Attempts, Decisions, Journal, Notices, Suspensions int
	Stage, State, Held                                 string
	Charged                                            int64
}

func (s *stack) known(t *testing.T, id string) known {
	t.Helper()
	found, err := tryRows[known](t, s, `
		select (select count(*) from attempts where case_id = c.id), (select count(*) from resolutions where case_id = c.id),
		       (select count(*) from journal_entries where invoice_id = c.invoice_id), (select count(*) from notices where case_id = c.id),
		       (select count(*) from suspensions where account_id = c.account_id), c.stage, i.state, coalesce(c.held_until::text, ''), 0::bigint
		  from cases c join invoices i on i.id = c.invoice_id where c.id = $1`, id)
	if err != nil || len(found) != 1 {
		t.Fatalf("case %s: %v %v", id, found, err)
	}
	theirs, err := getJSON[books](s.env["RECOUP_STRIPE_URL"] + "/books")
	if err != nil {
		t.Fatal(err)
	}
	invoice := one[string](t, s, `select invoice_id from cases where id = $1`, id)
	for _, b := range theirs.Charges {
		if b.Invoice == invoice {
			found[0].Charged += b.Amount
		}
	}
	return found[0]
}

// resetToEveryTask resets one case to every workflow task that its run completed, newest first, and compares what is known after each.
func (s *stack) resetToEveryTask(t *testing.T, id string) (tasks, resets int) {
	t.Helper()
	s.rests(t, id)
	run, _ := s.runOf(t, id)
	var ends []int64
	for _, e := range s.historyOf(t, "case/"+id, run) {
		if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			ends = append(ends, e.GetEventId())
		}
	}
	before := s.known(t, id)
	none := []enums.ResetReapplyExcludeType{enums.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, enums.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE}
	for n := len(ends) - 1; n >= 0; n-- {
		for with, exclude := range map[string][]enums.ResetReapplyExcludeType{"with": nil, "without": none} {
			_, err := s.temporal.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
				Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "case/" + id, RunId: run},
				Reason: "e2e", WorkflowTaskFinishEventId: ends[n], RequestId: rand.Text(), ResetReapplyExcludeTypes: exclude,
			})
			if err != nil {
				t.Fatalf("%s to event %d: %v", id, ends[n], err)
			}
			resets++
			s.rests(t, id)
			if after := s.known(t, id); after != before {
				t.Fatalf("%s, reset to event %d %s messages:\nbefore %+v\nafter  %+v", id, ends[n], with, before, after)
			}
		}
	}
	return len(ends), resets
}

// rests waits until the newest run of a case has ended or has nothing to do until a date or a message.
func (s *stack) rests(t *testing.T, id string) {
	t.Helper()
	eventually(t, 30*time.Second, "the workflow of "+id+" rests", func() error {
		d, err := s.temporal.DescribeWorkflowExecution(t.Context(), "case/"+id, "")
		if err != nil {
			return err
		}
		status := d.GetWorkflowExecutionInfo().GetStatus()
		switch {
		case status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
			return nil
		case status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
			return fmt.Errorf("it is %s", status)
		case d.GetPendingWorkflowTask() != nil || len(d.GetPendingActivities()) > 0:
			return errors.New("it is at work")
		}
		return nil
	})
}
