package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"

	"recoup/billing"
	"recoup/devstack/rig"
	"recoup/workflows"
)

// restFor is how far away the next date of a case must be for it to be at rest.
const restFor = 20 * time.Second

// calm ends the faults: nothing is asked for any more, what was stopped is started.
func (r *run) calm(ctx context.Context) error {
	r.relay.heal()
	if err := r.noScripts(ctx); err != nil {
		return err
	}
	if !r.startCharging(ctx) {
		return fmt.Errorf("charging could not be started again")
	}
	return r.kept()
}

// awaitQuiet waits until nothing moves (I17) and every live case has its workflow (I20). It returns what still moves when the time is over.
func (r *run) awaitQuiet(ctx context.Context) (moving []string, err error) {
	deadline := time.Now().Add(r.QuietWithin)
	for {
		if moving, err = r.moving(ctx); err != nil || len(moving) == 0 || time.Now().After(deadline) {
			return moving, err
		}
		if !sleep(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
}

func (r *run) moving(ctx context.Context) ([]string, error) {
	moving, err := query[string1](ctx, r, fmt.Sprintf(stillMoving, restFor.Seconds()))
	if err != nil {
		return nil, fmt.Errorf("look for what moves: %w", err)
	}
	var lines []string
	for _, m := range moving {
		lines = append(lines, m.Text)
	}
	if len(lines) > 0 {
		return lines, nil
	}
	if n, err := r.webhooksUnderWay(ctx); err != nil || n > 0 {
		return []string{fmt.Sprintf("%d webhooks are on their way (%v)", n, err)}, nil
	}
	return r.withoutWorkflow(ctx)
}

// webhooksUnderWay are those that the gateway still tries to deliver.
func (r *run) webhooksUnderWay(ctx context.Context) (n int, err error) {
	conn, err := pgx.Connect(ctx, r.rig.Env()["RECOUP_SIMULATOR_DATABASE_URL"])
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `select count(*) from stripesim.events where next_try is not null`).Scan(&n)
	return n, err
}

type string1 struct{ Text string }

// stillMoving lists cases that are neither finished, nor parked, nor waiting for a person or for a date farther away than restFor (I17),
// due invoices without a case, and outboxes that are not empty. A suspension that is put off, because a mailbox takes no mail or too little is
// due, is looked at again and again: that is at rest.
const stillMoving = `
	select format('case %%s in %%s: %%s %%s, %%s', id, stage, coalesce(next_step ->> 'do', 'not started'), next_at, next_step ->> 'why') from cases c
	 where finished_at is null and not (coalesce(next_step ->> 'do', '') = 'wait' and (next_at is null
	       or next_at > now() + make_interval(secs => %[1]f)
	       or next_at > now() - interval '10s' and postponed_until is not null and stage = 'suspension_scheduled'))
	union all
	select format('case %%s is asked to re-read', case_id) from pokes
	union all
	select format('invoice %%s is due and has no case', i.id) from invoices i
	 where i.state = 'open' and i.collect_at <= now() and not exists (select 1 from cases c where c.invoice_id = i.id and c.finished_at is null)
	union all
	select format('notice %%s (%%s) of account %%s is %%s', n.id, n.kind, n.account_id, n.state) from notices n
	  left join contacts k on k.account_id = n.account_id and k.position = n.recipient and n.channel = 'email'
	 where n.state in ('queued', 'sending') and n.send_after < now() + make_interval(secs => %[1]f) and coalesce(k.email, '') not like 'defer+%%'
	union all
	select format('money of attempt %%s may have been taken back', attempt_id) from reversal_checks
	 where tries > 0 or not_before < now() + make_interval(secs => %[1]f)
	union all
	select format('the hook is not called for account %%s, generation %%s', account_id, generation) from standing_calls where accepted_at is null`

// withoutWorkflow lists the live cases that no workflow drives.
func (r *run) withoutWorkflow(ctx context.Context) ([]string, error) {
	rows, _ := r.rig.Store.Pool().Query(ctx, `select id from cases where finished_at is null order by id`)
	live, err := pgx.CollectRows(rows, pgx.RowTo[billing.CaseID])
	if err != nil {
		return nil, fmt.Errorf("read the live cases: %w", err)
	}
	driven := map[string]bool{}
	for page := []byte(nil); ; {
		list, err := r.rig.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: rig.Namespace, Query: `WorkflowType = 'Case' and ExecutionStatus = 'Running'`, PageSize: 1000, NextPageToken: page,
		})
		if err != nil {
			return nil, fmt.Errorf("list the running workflows: %w", err)
		}
		for _, e := range list.GetExecutions() {
			driven[e.GetExecution().GetWorkflowId()] = true
		}
		if page = list.GetNextPageToken(); len(page) == 0 {
			break
		}
	}
	var missing []string
	for _, id := range live {
		if !driven[workflows.CaseWorkflowID(id)] {
			missing = append(missing, fmt.Sprintf("case %s is live and has no workflow", id))
		}
	}
	return slices.Clip(missing), nil
}
