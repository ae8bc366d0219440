// Package audit checks the invariants of rules.md §11 against what is stored: Postgres, the gateways' own books and the notices that
// went out. It only reads. Tests, chaos runs and `recoup audit` in production run the same checks.
//
// It owns what "broken" means, not how to mend it. Three halves lie elsewhere: that no read crosses accounts (I19) is the API's tests',
// that no process log holds personal data (I18) the log tests', and that Temporal runs what Postgres says is live (I17, I20) the
// starter's nightly check.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/store"
)

// Options say what to compare with and how patient to be. The zero value is right for a live system without books.
type Options struct {
	// Books are the gateways' own records. Without any, I1 and I2 are checked against our attempts only, and the report says so.
	Books []Books
	// Now is the instant to judge by; zero: Postgres' clock. For tests that move the clock.
	Now time.Time
	// Grace is how long after its date something may be left undone before I17 and I20 call it broken. Default 10 minutes.
	Grace time.Duration
	// Skew is how far the clocks of machines may differ, and how long a mail may be on its way to the server. Default 1 minute.
	Skew time.Duration
	// KeyWindow is how long after an attempt's first send its key may be used (I13). Default 24 hours, Stripe's promise.
	KeyWindow time.Duration
	// SinceLast reads only accounts of which something was committed since each invariant's watermark; those without one are read whole.
	// What changes only by time passing (I17, I20) is always looked at. No books may be given then: they hold every account.
	SinceLast bool
	// Checkpoints are those kept outside the database, to compare the journal's chains with.
	Checkpoints []store.Checkpoint
	// MaxBreaches bounds the breaches listed per invariant; all are counted. Default 50.
	MaxBreaches int
}

// Defaults of Options.
const (
	DefaultGrace       = 10 * time.Minute
	defaultSkew        = time.Minute
	defaultKeyWindow   = 24 * time.Hour
	defaultMaxBreaches = 50
)

func (o Options) withDefaults() Options {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.Skew <= 0 {
		o.Skew = defaultSkew
	}
	if o.KeyWindow <= 0 {
		o.KeyWindow = defaultKeyWindow
	}
	if o.MaxBreaches <= 0 {
		o.MaxBreaches = defaultMaxBreaches
	}
	return o
}

// check is one invariant: what it says, what to do when it is broken, and how it is looked at.
type check struct {
	id, says, next string
	run            func(context.Context, *finding)
	// always: time alone can break it, so also an incremental audit looks at everything.
	always bool
}

// checks are all invariants that stored facts can show, in the order of rules.md §11.
var checks = []check{
	chargesHaveAttempts, successesAreReceipts, oneOpenAttempt, oneNetSuccess, balancesInRange, spendsAddUp, journalBalanced,
	suspensionsWereDue, suspensionsAreLifted, noticesOnce, noticesTrue, budgetsKept, keysInWindow, changesAreEdges, appendOnly,
	actsAreSigned, casesGoOn, noPersonalData, accountsApart, casesFitInvoices,
}

// Run checks every invariant and returns what it found. A broken invariant is in the report; an error means that the audit could not
// be carried out. It must run on the primary: a replica that lags would make fresh charges look like nobody's.
//
// A live system audits consistently: the books are read first, then all else in one snapshot. So every charge in the books has its
// attempt in the snapshot (PM5), and a receipt that the books don't know yet is told by its time (see successesAreReceipts).
func Run(ctx context.Context, pool *pgxpool.Pool, opts Options) (Report, error) {
	began := time.Now()
	opts = opts.withDefaults()
	if opts.SinceLast && len(opts.Books) > 0 {
		return Report{}, errors.New("audit: a gateway's books hold every account: compare them in a full audit")
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	defer conn.Release()
	read := reader{opts: opts}
	defer forget(ctx, conn.Conn())
	if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return read.prepare(ctx, tx) }); err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	var report Report
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		read.tx = tx
		report, err = read.all(ctx)
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	report.Took = time.Since(began)
	return report, nil
}

// prepare makes room in the session for what is not in the database: the books, and the views of an incremental audit.
func (r *reader) prepare(ctx context.Context, tx pgx.Tx) (err error) {
	if err := tx.QueryRow(ctx, "select quote_ident(current_schema())").Scan(&r.schema); err != nil {
		return err
	}
	if r.opts.SinceLast {
		return prepareScope(ctx, tx, r.schema)
	}
	if len(r.opts.Books) > 0 {
		r.booksAt, r.gateways, err = loadBooks(ctx, tx, r.opts.Books)
	}
	return err
}

// all runs the checks in the snapshot of its transaction.
func (r *reader) all(ctx context.Context) (Report, error) {
	// An audit of a large database takes longer than any transaction that holds locks may; this one holds none.
	const limits = `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; set local jit = off;
		set local work_mem = '64MB'`
	if _, err := r.tx.Exec(ctx, limits); err != nil {
		return Report{}, err
	}
	if r.now = r.opts.Now; r.now.IsZero() {
		if err := r.tx.QueryRow(ctx, "select clock_timestamp()").Scan(&r.now); err != nil {
			return Report{}, err
		}
	}
	if err := r.readWatermarks(ctx); err != nil {
		return Report{}, err
	}
	report := Report{At: r.now.UTC(), Books: r.gateways, SinceLast: r.opts.SinceLast, Watermark: r.xmin, Counter: r.counter}
	for _, c := range checks {
		if err := r.look(ctx, c); err != nil {
			return Report{}, fmt.Errorf("check %s: %w", c.id, err)
		}
		f := finding{reader: r, Invariant: Invariant{ID: c.id, Says: c.says, Next: c.next}}
		if c.run(ctx, &f); f.err != nil {
			return Report{}, fmt.Errorf("check %s: %w", c.id, f.err)
		}
		report.Invariants = append(report.Invariants, f.Invariant)
	}
	report.Touched = r.accounts
	return report, nil
}
