package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/boundary"
)

// TakeGatewayEvent stores a gateway's webhook and, in the same transaction, has the attempt it is about looked up now: the next look-up
// is brought forward and the case is woken. Nothing it says is believed (faults.md B2); the answer of the look-up goes the one way that
// every answer goes, RecordAnswer. A second copy changes nothing (B1). Money that is no attempt of ours becomes a task (B6).
func (s *Store) TakeGatewayEvent(ctx context.Context, event billing.GatewayEvent) error {
	if event.Gateway == "" || event.ID == "" || event.About == "" {
		return billing.Refuse(billing.RefusedInvalid, "event", "a gateway's event must name its gateway, its id and what it is about")
	}
	var invoice billing.InvoiceID
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		now, err := s.now(ctx, tx)
		if err != nil {
			return err
		}
		attempt, about, err := attemptOfEvent(ctx, tx, event)
		if err == nil && attempt == nil && event.Reference != "" {
			// The answer that tells whose payment it is may be being booked at this moment.
			if err = lockPayment(ctx, tx, event.Gateway, event.Reference); err == nil {
				attempt, about, err = attemptOfEvent(ctx, tx, event)
			}
		}
		if invoice = about; err != nil {
			return err
		}
		boundary.At(boundary.BeforeEvent, invoice)
		fresh, err := storeEvent(ctx, tx, event, attempt, now)
		if err != nil || !fresh {
			return err
		}
		if attempt == nil {
			return unmatchedEvent(ctx, tx, event, now)
		}
		switch event.About {
		case billing.EventReversal:
			// Of an attempt that is not settled here yet both are asked; neither answer is believed before the other's.
			if err := askForReversal(ctx, tx, *attempt, now); err != nil {
				return err
			}
		case billing.EventProgress, billing.EventOther:
			return nil
		case billing.EventCapture:
			if err := askWhetherLate(ctx, tx, *attempt, now); err != nil {
				return err
			}
		case billing.EventOutcome:
		}
		return lookUpNow(ctx, tx, *attempt, now, event.Type)
	})
	if err != nil {
		return fmt.Errorf("take event %s of %s: %w", event.ID, event.Gateway, err)
	}
	boundary.At(boundary.AfterEvent, invoice)
	return nil
}

// attemptOfEvent finds the attempt and its invoice by our metadata, else by the gateway's reference; nil when there is none of ours.
func attemptOfEvent(ctx context.Context, tx pgx.Tx, event billing.GatewayEvent) (*uuid.UUID, billing.InvoiceID, error) {
	var named *uuid.UUID
	if id, err := uuid.Parse(string(event.Attempt)); err == nil {
		named = &id
	}
	const query = `
		select id, invoice_id from attempts where id = $1 and gateway = $2
		union all
		select id, invoice_id from attempts where $1::uuid is null and gateway = $2 and gateway_reference = $3 and $3 <> '' limit 1`
	var id uuid.UUID
	var invoice billing.InvoiceID
	err := tx.QueryRow(ctx, query, named, event.Gateway, event.Reference).Scan(&id, &invoice)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "", nil
	}
	return &id, invoice, err
}

// storeEvent reports whether the event is the first of its id.
func storeEvent(ctx context.Context, tx pgx.Tx, event billing.GatewayEvent, attempt *uuid.UUID, now time.Time) (bool, error) {
	const insert = `insert into gateway_events (gateway, event_id, type, about, attempt_id, reference, happened_at, received_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`
	tag, err := tx.Exec(ctx, insert, event.Gateway, event.ID, event.Type, event.About, attempt, event.Reference, timeOrNull(event.At), now)
	return firstOfItsID(tag), err
}

// unmatchedEvent asks a person about money that no attempt of ours explains, once per payment.
func unmatchedEvent(ctx context.Context, tx pgx.Tx, event billing.GatewayEvent, now time.Time) error {
	if !event.About.IsMoney() {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	payment := event.Reference
	if payment == "" {
		payment = event.ID
	}
	const insert = `insert into tasks (id, key, kind, detail, opened_at) values ($1, $2, 'gateway_event_unmatched', $3, $4) on conflict (key) do nothing`
	detail := map[string]any{"gateway": event.Gateway, "event": event.ID, "type": event.Type, "reference": event.Reference}
	_, err = tx.Exec(ctx, insert, id, unmatchedKey(event.Gateway, payment), detail, now)
	return err
}

func unmatchedKey(gateway, payment string) string {
	return "gateway_event_unmatched/" + gateway + "/" + payment
}

// lockPayment makes an event about a payment that nobody claims and the answer that claims it come one after the other: else each could
// miss what the other writes.
func lockPayment(ctx context.Context, tx pgx.Tx, gateway, reference string) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('recoup payment ' || $1 || '/' || $2, 0))`, gateway, reference)
	return err
}

// heardOfReversal has the gateway asked again about a success of which it told that money was taken back before the success was known
// here: while the attempt was open nothing was believed, and a dispute that names the payment only may have matched no attempt (U5,
// faults.md B3). A task for a person about such a payment is closed.
func (e *episode) heardOfReversal(ctx context.Context, row attemptRow, reference string) error {
	if err := lockPayment(ctx, e.tx, row.Gateway, reference); err != nil {
		return fmt.Errorf("look for events of attempt %s: %w", row.ID, err)
	}
	const explained = `update tasks set closed_at = coalesce(closed_at, $2), closed_by = case when closed_at is null then 'recoup' else closed_by end
		where key = $1`
	tag, err := e.tx.Exec(ctx, explained, unmatchedKey(row.Gateway, reference), e.now)
	if err != nil {
		return fmt.Errorf("look for events of attempt %s: %w", row.ID, err)
	}
	var told bool
	const events = `select exists (select 1 from gateway_events where attempt_id = $1 and about = 'reversal')`
	if err := e.tx.QueryRow(ctx, events, row.ID).Scan(&told); err != nil {
		return fmt.Errorf("look for events of attempt %s: %w", row.ID, err)
	}
	if tag.RowsAffected() == 0 && !told {
		return nil
	}
	return askForReversal(ctx, e.tx, row.ID, e.now)
}

// heardMeanwhile reports whether the gateway told of an attempt while its call was under way (faults.md B3).
func (e *episode) heardMeanwhile(ctx context.Context, row attemptRow) (bool, error) {
	if row.State != billing.AttemptSent {
		return false, nil
	}
	const query = `select exists (select 1 from gateway_events where attempt_id = $1 and about in ('outcome', 'capture'))`
	var heard bool
	if err := e.tx.QueryRow(ctx, query, row.ID).Scan(&heard); err != nil {
		return false, fmt.Errorf("read events of attempt %s: %w", row.ID, err)
	}
	return heard, nil
}
