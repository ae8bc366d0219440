package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
	"recoup/dunning"
)

// outcome is what became of an item.
type outcome struct {
	State   billing.ItemState
	Case    billing.CaseID
	Says    string
	Next    string
	Request string
}

// CarryOutItem carries out one item of a running batch: as the very transaction that a single decision is, with the item's outcome in it,
// so that whoever dies, and whoever asks again, does it once (R1, R2). A refusal is an outcome; an error means that nothing was changed.
// An item that has its outcome, or a batch that doesn't run, is left alone.
func (s *Store) CarryOutItem(ctx context.Context, id billing.BatchID, number int) error {
	// Locks: the batch and the item before the account. Who pauses or cancels waits for the item under way and takes no account.
	err := s.inTx(WithOrigin(ctx, Origin{Door: "batch", Session: string(id)}), func(tx pgx.Tx) error {
		o, state, err := orderOf(ctx, tx, id, "for share")
		if err != nil || state != billing.BatchRunning {
			return err
		}
		invoice, waits, err := lockItem(ctx, tx, id, number)
		if err != nil || !waits {
			return err
		}
		done, err := s.carryOutItem(ctx, tx, o, invoice, billing.BatchRequest(id, number))
		if err != nil {
			return err
		}
		return s.endItem(ctx, tx, id, number, done)
	})
	if err != nil {
		return fmt.Errorf("batch %s, item %d: %w", id, number, err)
	}
	boundary.At(boundary.AfterResolve, billing.CaseID("batch-"+string(id)))
	return nil
}

// FailItem gives an item up that could not be carried out, over and over, for a reason of ours: the others must not wait for it for ever.
// Nothing of it was changed.
func (s *Store) FailItem(ctx context.Context, id billing.BatchID, number int) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, waits, err := lockItem(ctx, tx, id, number); err != nil || !waits {
			return err
		}
		return s.endItem(ctx, tx, id, number, outcome{State: billing.ItemFailed,
			Says: "not carried out, tried several times: the worker's log says why. Nothing was changed; decide about the case by itself"})
	})
	if err != nil {
		return fmt.Errorf("batch %s, item %d: %w", id, number, err)
	}
	return nil
}

// orderOf reads what a batch does, under a lock of the caller's.
func orderOf(ctx context.Context, tx pgx.Tx, id billing.BatchID, lock string) (o BatchOrder, state billing.BatchState, err error) {
	if !batchIDShape.MatchString(string(id)) {
		return o, "", noBatch(id)
	}
	var asked []byte
	var version *int
	err = tx.QueryRow(ctx, `select state, actor, reason, request_id, asked, policy_version from batches where id = $1 `+lock, id).Scan(
		&state, &o.Actor, &o.Reason, &o.RequestID, &asked, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, "", noBatch(id)
	}
	if err != nil {
		return o, "", err
	}
	if err := json.Unmarshal(asked, &o); err != nil {
		return o, "", err
	}
	if version != nil {
		o.Version = *version
	}
	return o, state, nil
}

var batchIDShape = regexp.MustCompile(`^[0-9]{8}-[a-z0-9]{6}$`)

func noBatch(id billing.BatchID) error {
	return billing.Refuse(billing.RefusedNotFound, "batch", "there is no batch %s", id)
}

func lockItem(ctx context.Context, tx pgx.Tx, id billing.BatchID, number int) (invoice billing.InvoiceID, waits bool, err error) {
	const query = `select invoice_id, state = 'waiting' from batch_items where batch_id = $1 and number = $2 for update`
	err = tx.QueryRow(ctx, query, id, number).Scan(&invoice, &waits)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, billing.Refuse(billing.RefusedNotFound, "item", "there is no such item")
	}
	return invoice, waits, err
}

func (s *Store) endItem(ctx context.Context, tx pgx.Tx, id billing.BatchID, number int, o outcome) error {
	now, err := s.now(ctx, tx)
	if err != nil {
		return err
	}
	const update = `update batch_items set state = $3, case_id = $4, says = $5, next = $6, request_id = $7, ended_at = $8 where batch_id = $1 and number = $2`
	if _, err := tx.Exec(ctx, update, id, number, o.State, nilIfZero(string(o.Case)), o.Says, o.Next, o.Request, now); err != nil {
		return err
	}
	return tellBatch(ctx, tx, id, false)
}

// carryOutItem does what the order says to the live case of an invoice. A refusal undoes what the item had begun, and nothing else.
func (s *Store) carryOutItem(ctx context.Context, tx pgx.Tx, o BatchOrder, invoice billing.InvoiceID, request string) (outcome, error) {
	var id billing.CaseID
	err := tx.QueryRow(ctx, `select id from cases where invoice_id = $1 and finished_at is null`, invoice).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return notThere(ctx, tx, invoice)
	}
	if err != nil {
		return outcome{}, err
	}
	var done outcome
	err = pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error {
		var err error
		done, err = s.actOn(ctx, nested, o, id, request)
		return err
	})
	var refusal *billing.Refusal
	if errors.As(err, &refusal) {
		return outcome{State: billing.ItemRefused, Case: id, Says: refusedSays(refusal)}, nil
	}
	return done, err
}

// refusedSays names the field only where a person gave it.
func refusedSays(r *billing.Refusal) string {
	if r.Field == "kind" || r.Field == "case" {
		return r.Message
	}
	return r.Error()
}

func notThere(ctx context.Context, tx pgx.Tx, invoice billing.InvoiceID) (outcome, error) {
	var state billing.InvoiceState
	if err := tx.QueryRow(ctx, `select state from invoices where id = $1`, invoice).Scan(&state); err != nil {
		return outcome{}, err
	}
	says := "no case is open: the invoice is " + string(state)
	if state == billing.InvoiceOpen {
		says = "no case is open yet: the invoice is not collected before it is due"
	}
	return outcome{State: billing.ItemNotThere, Says: says}, nil
}

func (s *Store) actOn(ctx context.Context, tx pgx.Tx, o BatchOrder, id billing.CaseID, request string) (outcome, error) {
	done := outcome{State: billing.ItemDone, Case: id, Request: request}
	if o.Kind == billing.BatchMove {
		e, err := s.lockCase(ctx, tx, id)
		if err != nil {
			return done, err
		}
		moved, err := e.moveOnce(ctx, o.Policy, o.Version, Order{Actor: o.Actor, Reason: o.Reason, RequestID: request})
		done.Says = moved.Says()
		if moved.Unchanged {
			done.Request = "" // nothing was recorded
		}
		return done, err
	}
	r := o.resolution(id, request)
	if err := r.Check(); err != nil {
		return done, err
	}
	answer, err := s.resolveIn(ctx, tx, r)
	if answer.State == billing.ResolutionProposed {
		done.State = billing.ItemProposed
	}
	done.Says, done.Next = answer.Changed, answer.Next
	return done, err
}

// Says is the move in one line: from where to where, and each date that changes.
func (a PolicyMoveAnswer) Says() string {
	to := PolicyVersion{a.ToPolicy, a.ToVersion}
	if a.Unchanged {
		return "nothing: it follows " + to.String() + " already"
	}
	parts := []string{PolicyVersion{a.FromPolicy, a.FromVersion}.String() + " → " + to.String()}
	for _, d := range a.Move.Next {
		if !d.Was.Equal(d.Is) {
			parts = append(parts, movedDate(d))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "no date changes")
	}
	return strings.Join(parts, "; ")
}

var stepNames = map[dunning.Do]string{dunning.DoBeginRound: "round", dunning.DoFinalNotice: "final notice", dunning.DoScheduleSuspension: "notice of suspension",
	dunning.DoSuspend: "suspension", dunning.DoCloseAccount: "closing"}

func movedDate(d dunning.MovedDate) string {
	what := stepNames[d.Do]
	if d.Round > 0 {
		what = fmt.Sprintf("%s %d", what, d.Round)
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return "none"
		}
		return t.UTC().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%s %s → %s UTC", what, at(d.Was), at(d.Is))
}
