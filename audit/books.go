package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Books are a gateway's own record of what it charged: the ground truth for I1 and I2.
type Books interface {
	// Gateway is the adapter's name as stored with attempts: "stripe".
	Gateway() string
	// EachCharge calls f with every charge that took money or is about to, failed ones left out. A charge that the gateway had booked
	// before the call is among them. An error means that the books were not read to their end.
	EachCharge(ctx context.Context, f func(Charge) error) error
}

// ChargeStatus is what became of a charge.
type ChargeStatus string

// What can have become of a charge. Money was taken in all but pending.
const (
	ChargePending   ChargeStatus = "pending"
	ChargeSucceeded ChargeStatus = "succeeded"
	ChargeRefunded  ChargeStatus = "refunded" // in full
	ChargeReturned  ChargeStatus = "returned" // taken back by a bank or a dispute
)

// Charge is one line of a gateway's books. Amounts are in minor units as ISO 4217 counts them.
type Charge struct {
	ID            string // the gateway's
	Attempt       string // the attempt's id that we marked it with
	Invoice       string // the invoice's id that we marked it with
	Key           string // the idempotency key it was sent with; "" when the gateway doesn't tell
	Minor         int64
	RefundedMinor int64
	Currency      string // upper case
	Status        ChargeStatus
	CreatedAt     time.Time // by the gateway's clock
}

// loadBooks copies the books into a temporary table, so that millions of charges are compared by SQL and not in memory. It returns
// Postgres' time from before the first charge was read.
func loadBooks(ctx context.Context, tx pgx.Tx, books []Books) (at time.Time, gateways []string, err error) {
	const prepare = `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
		create temporary table audit_books (id text not null, gateway text not null, attempt uuid, mark text not null, invoice text not null,
			key text not null, minor bigint not null, refunded_minor bigint not null, currency text not null, status text not null,
			created_at timestamptz not null)`
	if _, err := tx.Exec(ctx, prepare); err != nil {
		return at, nil, fmt.Errorf("make room for the books: %w", err)
	}
	if err := tx.QueryRow(ctx, "select clock_timestamp()").Scan(&at); err != nil {
		return at, nil, fmt.Errorf("read the clock: %w", err)
	}
	for _, b := range books {
		gateways = append(gateways, b.Gateway())
		if err := copyBooks(ctx, tx, b); err != nil {
			return at, nil, fmt.Errorf("read the books of %s: %w", b.Gateway(), err)
		}
	}
	_, err = tx.Exec(ctx, "analyze pg_temp.audit_books")
	return at, gateways, err
}

var bookColumns = []string{"id", "gateway", "attempt", "mark", "invoice", "key", "minor", "refunded_minor", "currency", "status", "created_at"}

func copyBooks(ctx context.Context, tx pgx.Tx, b Books) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed := &chargeFeed{gateway: b.Gateway(), charges: make(chan Charge, 256), done: make(chan error, 1)}
	go func() {
		defer close(feed.charges)
		feed.done <- b.EachCharge(ctx, func(c Charge) error {
			select {
			case feed.charges <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "audit_books"}, bookColumns, feed); err != nil {
		return err
	}
	return nil
}

// chargeFeed gives COPY what EachCharge finds; it implements pgx.CopyFromSource.
type chargeFeed struct {
	gateway string
	charges chan Charge
	done    chan error
	current Charge
	err     error
}

func (f *chargeFeed) Next() bool {
	c, ok := <-f.charges
	if !ok {
		f.err = <-f.done
		return false
	}
	f.current = c
	return true
}

func (f *chargeFeed) Values() ([]any, error) {
	c := f.current
	var attempt *uuid.UUID
	if id, err := uuid.Parse(c.Attempt); err == nil {
		attempt = &id
	}
	return []any{c.ID, f.gateway, attempt, c.Attempt, c.Invoice, c.Key, c.Minor, c.RefundedMinor, c.Currency, string(c.Status), c.CreatedAt}, nil
}

func (f *chargeFeed) Err() error { return f.err }
