package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// BatchOrder is what a person asks to be done to many cases.
type BatchOrder struct {
	Order `json:"-"`
	Kind  billing.BatchKind `json:"kind"`
	// hold
	Until time.Time `json:"until,omitzero"`
	Scope []string  `json:"scope,omitempty"`
	// move_policy: where to; version 0 is the newest at this moment, for every item the same.
	Policy  string `json:"policy,omitempty"`
	Version int    `json:"version,omitempty"`
	// PerMinute bounds how many items are carried out a minute; 0 is billing.BatchPace.
	PerMinute int            `json:"per_minute"`
	Of        BatchSelection `json:"of"`
}

// complete fills in what was left out and refuses what can't be right whatever the cases are, naming the field.
func (o BatchOrder) complete() (BatchOrder, error) {
	if err := o.check(); err != nil {
		return o, err
	}
	if !requestIDShape.MatchString(o.RequestID) {
		return o, billing.Refuse(billing.RefusedInvalid, "request_id", "must be 1 to 128 letters, digits, \".\", \"_\", \":\", \"/\" or \"-\"")
	}
	if o.PerMinute == 0 {
		o.PerMinute = billing.BatchPace
	}
	o.Until = o.Until.UTC()
	switch {
	case !slices.Contains(billing.BatchKinds(), o.Kind):
		return o, billing.Refuse(billing.RefusedInvalid, "kind", "%q is none of %v", string(o.Kind), billing.BatchKinds())
	case o.PerMinute < 1 || o.PerMinute > billing.BatchPaceMax:
		return o, billing.Refuse(billing.RefusedInvalid, "per_minute", "must be 1 to %d items a minute", billing.BatchPaceMax)
	case (o.Kind == billing.BatchMove) != (o.Policy != ""):
		return o, billing.Refuse(billing.RefusedInvalid, "policy", "must be given for %s, and for nothing else", billing.BatchMove)
	case o.Kind != billing.BatchHold && (!o.Until.IsZero() || len(o.Scope) > 0):
		return o, billing.Refuse(billing.RefusedInvalid, "until", "only a hold has an end and a scope")
	}
	r := o.resolution("any", billing.BatchRequest("any", 1))
	if o.Kind == billing.BatchMove {
		r.Kind = billing.Release // it has no fields: who and why are held to the same bounds
		if err := dunning.CheckPolicyName(o.Policy); err != nil {
			return o, billing.Refuse(billing.RefusedInvalid, "policy", "%v", err)
		}
	}
	if err := r.Check(); err != nil {
		return o, err
	}
	return o, o.Of.check()
}

// resolution is what the order decides about one case.
func (o BatchOrder) resolution(id billing.CaseID, request string) billing.Resolution {
	return billing.Resolution{RequestID: request, Kind: o.Kind.Resolution(), Case: id, Actor: o.Actor, Reason: o.Reason, Until: o.Until, Scope: o.Scope}
}

// RecordBatch records an act over many cases with the list of its items as it is now; a workflow carries them out (R1). The same request
// id returns the first batch, and is not fresh (R2). Nothing is recorded when the list names an invoice that isn't there, or nothing.
func (s *Store) RecordBatch(ctx context.Context, o BatchOrder) (b Batch, fresh bool, err error) {
	if o, err = o.complete(); err != nil {
		return Batch{}, false, err
	}
	var id billing.BatchID
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		first, err := firstBatch(ctx, tx, o)
		if id, fresh = first, first == ""; err != nil || !fresh {
			return err
		}
		id, err = s.recordBatch(ctx, tx, o)
		return err
	})
	if err != nil {
		return Batch{}, false, fmt.Errorf("record a batch: %w", err)
	}
	b, err = s.FindBatch(ctx, id)
	return b, fresh, err
}

// firstBatch returns the batch of a request id, "" for none; another content under the same id is refused.
func firstBatch(ctx context.Context, tx pgx.Tx, o BatchOrder) (billing.BatchID, error) {
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('recoup batch ' || $1, 0))`, o.RequestID); err != nil {
		return "", err
	}
	var id billing.BatchID
	var before BatchOrder
	var asked []byte
	err := tx.QueryRow(ctx, `select id, actor, reason, asked from batches where request_id = $1`, o.RequestID).Scan(&id, &before.Actor, &before.Reason, &asked)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(asked, &before)
	}
	if err != nil {
		return "", err
	}
	was, errA := json.Marshal(before)
	is, errB := json.Marshal(o.asked())
	if err := errors.Join(errA, errB); err != nil {
		return "", err
	}
	if string(was) != string(is) || before.Actor != o.Actor || before.Reason != o.Reason {
		return "", billing.Refuse(billing.RefusedConflict, "request_id", "%s was used for another batch, %s", o.RequestID, id)
	}
	return id, nil
}

// asked is the order as it is kept: a list by its digest, because its items have rows of their own.
func (o BatchOrder) asked() BatchOrder {
	o.Of.List, o.Of.Invoices = o.Of.digest(), nil
	return o
}

func (s *Store) recordBatch(ctx context.Context, tx pgx.Tx, o BatchOrder) (billing.BatchID, error) {
	var version *int
	if o.Kind == billing.BatchMove {
		to, err := s.policy(ctx, tx, o.Policy, o.Version)
		if err != nil {
			return "", err
		}
		version = &to.Version
	}
	chosen, err := s.choose(ctx, tx, o.Of)
	if err != nil {
		return "", err
	}
	now, err := s.now(ctx, tx)
	if err != nil {
		return "", err
	}
	id := billing.BatchID(now.Format("20060102") + "-" + strings.ToLower(rand.Text()[:6]))
	const insert = `insert into batches (id, request_id, kind, actor, reason, asked, policy_version, per_minute, items, recorded_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	if _, err := tx.Exec(ctx, insert, id, o.RequestID, o.Kind, o.Actor, o.Reason, o.asked(), version, o.PerMinute, len(chosen), now); err != nil {
		return "", err
	}
	const items = `insert into batch_items (batch_id, number, invoice_id) select $1, n, i from unnest($2::text[]) with ordinality as t (i, n)`
	if _, err := tx.Exec(ctx, items, id, chosen); err != nil {
		return "", err
	}
	after := map[string]any{"batch": id, "asked": o.asked(), "items": len(chosen)}
	if err := logOrder(ctx, tx, now, "batch_recorded", o.Order, nil, after); err != nil {
		return "", err
	}
	return id, tellBatch(ctx, tx, id, true)
}

// tellBatch tells the pages that a batch changed, and the poker when its workflow should hear of it too.
func tellBatch(ctx context.Context, tx pgx.Tx, id billing.BatchID, wake bool) error {
	if _, err := tx.Exec(ctx, `select pg_notify('`+ChangesChannel+`', 'batch-' || $1)`, id); err != nil || !wake {
		return err
	}
	const ask = `with asked as (update batches set wake_asked_at = clock_timestamp(), wake_not_before = now(), wake_tries = 0 where id = $1)
		select pg_notify('` + PokesChannel + `', '')`
	_, err := tx.Exec(ctx, ask, id)
	return err
}
