package console

import (
	"context"
	"errors"
	"strings"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/store"
)

// BatchRunner records acts over many cases and says what they would do; the store is one.
type BatchRunner interface {
	PreviewBatch(ctx context.Context, o store.BatchOrder, after, limit int) (store.BatchPreview, error)
	RecordBatch(ctx context.Context, o store.BatchOrder) (b store.Batch, fresh bool, err error)
	PauseBatch(ctx context.Context, id billing.BatchID, o store.Order) (fresh bool, err error)
	ResumeBatch(ctx context.Context, id billing.BatchID, o store.Order) (fresh bool, err error)
	CancelBatch(ctx context.Context, id billing.BatchID, o store.Order) (fresh bool, err error)
}

// batchAction is what acting on many asks for beyond batches.run: who may not do it to one case may not do it to a hundred.
func batchAction(kind billing.BatchKind) access.Action {
	if kind == billing.BatchMove {
		return access.AssignPolicies
	}
	return access.Resolve(kind.Resolution())
}

// mayBatch asks the table for both.
func (c *console) mayBatch(ctx context.Context, kind billing.BatchKind) error {
	if err := c.may(ctx, access.RunBatches, ""); err != nil {
		return err
	}
	return c.may(ctx, batchAction(kind), "")
}

// What is done to a batch as a whole, as addresses name it.
const (
	actPause  = "pause"
	actResume = "resume"
	actCancel = "cancel"
)

// moveBatch pauses, resumes or cancels. Letting a batch go on is doing what it does, and asks for the same; stopping one is anybody's who
// may run batches.
func (c *console) moveBatch(ctx context.Context, act string, id billing.BatchID, o store.Order) (store.Batch, error) {
	b, err := c.Store.FindBatch(ctx, id)
	if err != nil {
		return b, err
	}
	do := map[string]func(context.Context, billing.BatchID, store.Order) (bool, error){
		actPause: c.Batches.PauseBatch, actResume: c.Batches.ResumeBatch, actCancel: c.Batches.CancelBatch}[act]
	if do == nil {
		return b, errNoPage
	}
	err = c.may(ctx, access.RunBatches, "")
	if err == nil && act == actResume {
		err = c.mayBatch(ctx, b.Kind)
	}
	if err != nil {
		return b, err
	}
	if _, err := do(ctx, id, o); err != nil {
		return b, err
	}
	return c.Store.FindBatch(ctx, id)
}

// readPolicyVersion reads NAME@VERSION, or NAME for the newest.
func readPolicyVersion(field, text string) (store.PolicyVersion, error) {
	name, number, pinned := strings.Cut(strings.TrimSpace(text), "@")
	p := store.PolicyVersion{Name: name}
	if !pinned {
		return p, nil
	}
	for _, digit := range number {
		if digit < '0' || digit > '9' || p.Version > 1_000_000 {
			return p, billing.Refuse(billing.RefusedInvalid, field, "%q: want NAME@VERSION, such as standard@2", text)
		}
		p.Version = p.Version*10 + int(digit-'0')
	}
	return p, nil
}

// previewTimeout bounds a preview: each item is tried and undone.
const previewTimeout = 15 * time.Second

// previewShown bounds the items of one preview on a page.
const previewShown = 100

func (c *console) previewBatch(ctx context.Context, o store.BatchOrder, after, limit int) (store.BatchPreview, error) {
	ctx, cancel := context.WithTimeout(ctx, previewTimeout)
	defer cancel()
	if o.Reason == "" {
		o.Reason = "a preview, which is not kept"
	}
	if o.Actor == "" {
		o.Actor = "preview"
	}
	p, err := c.Batches.PreviewBatch(ctx, o, after, limit)
	if errors.Is(err, context.DeadlineExceeded) {
		return p, billing.Refuse(billing.RefusedNotNow, "", "The preview took too long. Ask for fewer items at a time.")
	}
	return p, err
}
