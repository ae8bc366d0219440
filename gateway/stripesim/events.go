package stripesim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

type event struct {
	ID             string
	Seq            int64
	Type           string
	Object         json.RawMessage
	IdempotencyKey string
	Created        time.Time
	Tries          int
	NextTry        *time.Time
	DeliveredAt    *time.Time
	LastAnswer     string
}

func (e event) json() any {
	pending := 0
	if e.NextTry != nil {
		pending = 1
	}
	return eventJSON{ID: e.ID, Object: "event", APIVersion: apiVersion, Created: e.Created.Unix(), Data: map[string]any{"object": e.Object},
		PendingWebhooks: pending, Request: eventRequest{IdempotencyKey: orNull(e.IdempotencyKey)}, Type: e.Type}
}

// emit writes an event in the transaction of the fact it tells; the background loop delivers it.
func (s *Simulator) emit(ctx context.Context, tx pgx.Tx, kind string, object any, key string) error {
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("write event %s: %w", kind, err)
	}
	now := s.now()
	var due *time.Time
	if s.opt.WebhookURL != "" {
		due = &now
	}
	_, err = tx.Exec(ctx, `insert into stripesim.events (id, type, object, idempotency_key, created, next_try) values ($1, $2, $3, $4, $5, $6)`,
		newID("evt_1"), kind, body, key, now, due)
	if err != nil {
		return fmt.Errorf("write event %s: %w", kind, err)
	}
	return nil
}

func (s *Simulator) retrieveEvent(ctx context.Context, req request) (any, error) {
	e, err := one[event](ctx, s.pool, "event", req.id, `select * from stripesim.events where id = $1`, req.id)
	if err != nil {
		return nil, err
	}
	return e.json(), nil
}

func (s *Simulator) listEvents(ctx context.Context, req request) (any, error) {
	limit, bad := req.limit()
	if bad != nil {
		return nil, bad
	}
	from, before, bad := req.created()
	if bad != nil {
		return nil, bad
	}
	rows, err := many[event](ctx, s.pool, `
		select * from stripesim.events
		where ($1 = '' or type = $1) and created >= $2 and ($3 or created < $4)
		  and ($5 = '' or seq < (select seq from stripesim.events where id = $5))
		order by seq desc limit $6`, req.str("type"), from, before.IsZero(), before, req.str("starting_after"), limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf("list", "/v1/events", rows, limit, event.json), nil
}
