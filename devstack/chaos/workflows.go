package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"recoup/billing"
	"recoup/devstack/rig"
	"recoup/workflows"
)

// How long the run looks for something to do an act to, and how often.
const (
	lookFor   = 15 * time.Second
	pollEvery = 200 * time.Millisecond
	callWait  = 10 * time.Second
)

// within tries again until f is true, the time is over or ctx ends.
func within(ctx context.Context, d time.Duration, f func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		if f() {
			return true
		}
		if !sleep(ctx, pollEvery) {
			return false
		}
	}
}

// aCase picks a case by chance; condition is SQL over the case c, its invoice i and its account.
func aCase(ctx context.Context, r *rig.Rig, pick uint64, condition string) (billing.CaseID, error) {
	var id billing.CaseID
	query := `select c.id from cases c join invoices i on i.id = c.invoice_id where ` + condition + ` order by md5(c.id || $1) limit 1`
	err := r.Store.Pool().QueryRow(ctx, query, fmt.Sprint(pick)).Scan(&id)
	return id, err
}

// upset does to a case's workflow what an operator may do by mistake. One reset in five is of a case that has ended.
func (r *run) upset(ctx context.Context, a Act) bool {
	condition := `c.finished_at is null`
	if a.Kind == WorkflowReset && a.Pick%5 == 0 {
		condition = `c.finished_at is not null`
	}
	return within(ctx, lookFor, func() bool {
		id, err := aCase(ctx, r.rig, a.Pick, condition)
		if err != nil {
			return false
		}
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		workflow := workflows.CaseWorkflowID(id)
		switch a.Kind {
		case WorkflowTerminated:
			err = r.rig.Temporal.TerminateWorkflow(ctx, workflow, "", "chaos")
		case WorkflowCancelled:
			err = r.rig.Temporal.CancelWorkflow(ctx, workflow, "")
		default:
			err = r.reset(ctx, workflow, a.Pick)
		}
		if err != nil {
			a.Pick++ // it has just ended, or was terminated before
			return false
		}
		r.tally.did(a.Kind)
		return true
	})
}

// reset takes a workflow back to one of its completed tasks, by chance; one time in three the signals since are forgotten.
func (r *run) reset(ctx context.Context, workflow string, pick uint64) error {
	var tasks []int64
	var run string
	described, err := r.rig.Temporal.DescribeWorkflowExecution(ctx, workflow, "")
	if err != nil {
		return err
	}
	run = described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	events := r.rig.Temporal.GetWorkflowHistory(ctx, workflow, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks = append(tasks, e.GetEventId())
		}
	}
	if len(tasks) == 0 {
		return fmt.Errorf("%s has no completed task yet", workflow)
	}
	var forget []enums.ResetReapplyExcludeType
	if pick%3 == 0 {
		forget = []enums.ResetReapplyExcludeType{enums.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL}
	}
	_, err = r.rig.Temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: rig.Namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflow, RunId: run},
		Reason: "chaos", WorkflowTaskFinishEventId: tasks[pick%uint64(len(tasks))], RequestId: rand.Text(), ResetReapplyExcludeTypes: forget,
	})
	return err
}
