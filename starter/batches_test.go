package starter

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"recoup/billing"
	"recoup/store"
	"recoup/workflows"
)

// fakeTemporal is Temporal as batches see it: down, or with these workflows running.
type fakeTemporal struct {
	client.Client
	down    bool
	running map[string]workflows.BatchInput
	told    []string
}

var errDown = errors.New("connection refused")

func (f *fakeTemporal) SignalWithStartWorkflow(_ context.Context, id, signal string, _ any, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	if f.down {
		return nil, errDown
	}
	f.running[id], f.told = args[0].(workflows.BatchInput), append(f.told, id+" "+signal)
	return nil, nil
}

func (f *fakeTemporal) SignalWorkflow(_ context.Context, id, _, signal string, _ any) error {
	if f.down {
		return errDown
	}
	if _, ok := f.running[id]; !ok {
		return serviceerror.NewNotFound("no such workflow")
	}
	f.told = append(f.told, id+" "+signal)
	return nil
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	if f.down {
		return nil, errDown
	}
	if _, ok := f.running[o.ID]; ok {
		if !o.WorkflowExecutionErrorWhenAlreadyStarted {
			return nil, errors.New("another's run would have been taken for ours")
		}
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it runs", "", "")
	}
	f.running[o.ID] = args[0].(workflows.BatchInput)
	return nil, nil
}

// recorded is a store with batches.
type recorded struct {
	Store
	waking, live []store.WakingBatch
	putOff       int
}

func (r *recorded) DueBatchWakes(context.Context, int) ([]store.WakingBatch, error) {
	return slices.Clone(r.waking), nil
}

func (r *recorded) BatchWoken(_ context.Context, b store.WakingBatch) error {
	r.waking = slices.DeleteFunc(r.waking, func(w store.WakingBatch) bool { return w == b })
	return nil
}

func (r *recorded) BatchNotWoken(context.Context, store.WakingBatch) error { r.putOff++; return nil }

func (r *recorded) LiveBatches(context.Context) ([]store.WakingBatch, error) { return r.live, nil }

func (r *recorded) DueInvoices(context.Context, store.DueInvoice, int) ([]store.DueInvoice, error) {
	return nil, nil
}

// TestR1BatchRecordedWhileTemporalIsDownBeginsLater: nothing is forgotten until the workflow runs; one that ended meanwhile is not started.
func TestR1BatchRecordedWhileTemporalIsDownBeginsLater(t *testing.T) {
	begun := store.WakingBatch{ID: "20261122-aaaaaa", Kind: billing.BatchHold, Items: 3, Live: true, AskedAt: time.Unix(1, 0)}
	cancelled := store.WakingBatch{ID: "20261122-bbbbbb", Kind: billing.BatchHold, Items: 3, AskedAt: time.Unix(2, 0)}
	books := &recorded{waking: []store.WakingBatch{begun, cancelled}}
	there := &fakeTemporal{down: true, running: map[string]workflows.BatchInput{}}
	s := &Starter{Store: books, Temporal: there, Log: slog.New(slog.DiscardHandler)}
	s.wakeBatches(t.Context())
	if books.putOff != 2 || len(books.waking) != 2 {
		t.Fatalf("%d put off, %d kept while Temporal is down, want 2 and 2", books.putOff, len(books.waking))
	}
	there.down = false
	s.wakeBatches(t.Context())
	if len(books.waking) != 0 || len(there.running) != 1 || there.running["batch-20261122-aaaaaa"].Batch != begun.ID {
		t.Errorf("kept %v, running %v", books.waking, there.running)
	}
}

// TestScanStartsMissingBatches: one whose workflow was terminated is started by the next scan, and one that runs is left alone.
func TestScanStartsMissingBatches(t *testing.T) {
	books := &recorded{live: []store.WakingBatch{{ID: "20261122-aaaaaa", Live: true}, {ID: "20261122-bbbbbb", Live: true}}}
	there := &fakeTemporal{running: map[string]workflows.BatchInput{"batch-20261122-aaaaaa": {Batch: "20261122-aaaaaa", Next: 7}}}
	s := &Starter{Store: books, Temporal: there, Log: slog.New(slog.DiscardHandler)}
	if _, err := s.Scan(t.Context(), store.DueInvoice{}, func(store.DueInvoice) {}); err != nil {
		t.Fatal(err)
	}
	if len(there.running) != 2 || there.running["batch-20261122-aaaaaa"].Next != 7 || len(there.told) != 0 {
		t.Errorf("running %v, told %v", there.running, there.told)
	}
}
