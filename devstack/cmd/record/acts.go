package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
	"recoup/workflows"
)

// act is one thing that happens to a case, or that is waited for.
type act func(ctx context.Context, id billing.CaseID) error

func (s stage) steps(ctx context.Context, id billing.CaseID, acts ...act) error {
	for n, do := range acts {
		if err := do(ctx, id); err != nil {
			return fmt.Errorf("case %s, step %d: %w", id, n+1, err)
		}
	}
	return nil
}

// until waits for a condition on the case.
func (s stage) until(query string) act {
	return func(ctx context.Context, id billing.CaseID) error {
		ctx, cancel := context.WithTimeout(ctx, sceneTime)
		defer cancel()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			var is bool
			if err := s.db.Pool().QueryRow(ctx, query, id).Scan(&is); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
			if is {
				return nil
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("it never came true: %s", query)
			}
		}
	}
}

// sceneTime bounds one wait; the longest is the deadline of a confirmation.
const sceneTime = 3 * time.Minute

func (s stage) attempt(state string) act {
	return s.until(`select count(*) > 0 from attempts a join cases c on c.id = a.case_id where c.id = $1 and c.next_step->>'do' in ('wait', 'look_up') and a.state = '` + state + `'`)
}

// ended waits until the case is finished and its workflow has completed.
func (s stage) ended() act {
	return func(ctx context.Context, id billing.CaseID) error {
		if err := s.until(`select count(*) > 0 from cases where id = $1 and finished_at is not null`)(ctx, id); err != nil {
			return err
		}
		return s.temporal.GetWorkflow(ctx, workflows.CaseWorkflowID(id), "").Get(ctx, nil)
	}
}

// running waits until the case is open and its workflow answers: a case that is paid before its workflow began needs none.
func (s stage) running(ctx context.Context, id billing.CaseID) error {
	if err := s.until(`select count(*) > 0 from cases where id = $1 and next_step->>'do' = 'wait'`)(ctx, id); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.temporal.DescribeWorkflowExecution(ctx, workflows.CaseWorkflowID(id), "")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// bank moves the case's last payment at the gateway.
func (s stage) bank(step string) act {
	return func(ctx context.Context, id billing.CaseID) error {
		var reference string
		if err := s.db.Pool().QueryRow(ctx, `select gateway_reference from attempts where case_id = $1 order by created_at desc limit 1`, id).Scan(&reference); err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway+"/sim/payment_intents/"+reference+"/"+step, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s of %s: %s", step, reference, resp.Status)
		}
		return nil
	}
}

// decide takes a decision through a door: signal, update, or the store itself as the command line does.
func (s stage) decide(kind billing.ResolutionKind, door string) act {
	return func(ctx context.Context, id billing.CaseID) error {
		r := billing.Resolution{RequestID: "scene-" + rand.Text(), Kind: kind, Case: id, Actor: "Edda", Reason: "a scene"}
		amount := money.New(due, usd)
		switch kind {
		case billing.PaidOutOfBand:
			r.Amount, r.Reference, r.ReceivedOn = &amount, "CHQ 7", time.Now().UTC().Format(time.DateOnly)
		case billing.Hold:
			r.Until = time.Now().UTC().Truncate(time.Minute).Add(24 * time.Hour)
		case billing.ResolveUnknown:
			r.Verdict, r.Reference = billing.Captured, "pi_found"
		}
		recorded := s.until(`select count(*) > 0 from resolutions where case_id = $1 and request_id = '` + r.RequestID + `'`)
		switch door {
		case "signal":
			if err := s.temporal.SignalWorkflow(ctx, workflows.CaseWorkflowID(id), "", workflows.MessageResolve, r); err != nil {
				return err
			}
		case "update":
			handle, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{UpdateID: r.RequestID, WorkflowID: workflows.CaseWorkflowID(id),
				UpdateName: workflows.MessageResolve, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted})
			if err == nil {
				err = handle.Get(ctx, nil)
			}
			if err != nil {
				return err
			}
		default:
			if _, err := s.db.Resolve(ctx, r); err != nil {
				return err
			}
		}
		return recorded(ctx, id)
	}
}

// refused sends a signal that no transaction would accept.
func (s stage) refused(ctx context.Context, id billing.CaseID) error {
	return s.temporal.SignalWorkflow(ctx, workflows.CaseWorkflowID(id), "", workflows.MessageResolve,
		billing.Resolution{RequestID: "scene-" + rand.Text(), Kind: billing.Release, Case: id, Actor: "Edda", Reason: "it is not held"})
}

// flood pokes the case until it has gone on as a new run.
func (s stage) flood(ctx context.Context, id billing.CaseID) error {
	first, err := s.temporal.DescribeWorkflowExecution(ctx, workflows.CaseWorkflowID(id), "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sceneTime)
	defer cancel()
	for {
		for range 20 {
			if err := s.temporal.SignalWorkflow(ctx, workflows.CaseWorkflowID(id), "", workflows.SignalPoke, nil); err != nil {
				return err
			}
		}
		now, err := s.temporal.DescribeWorkflowExecution(ctx, workflows.CaseWorkflowID(id), "")
		if err != nil {
			return err
		}
		if now.GetWorkflowExecutionInfo().GetExecution().GetRunId() != first.GetWorkflowExecutionInfo().GetExecution().GetRunId() {
			return nil
		}
	}
}

func (s stage) switchOn(ctx context.Context, _ billing.CaseID) error {
	_, _, err := s.db.StartCharging(ctx, dunning.AnyGateway, store.Order{Actor: "Edda", Reason: "a scene", RequestID: rand.Text()})
	return err
}
