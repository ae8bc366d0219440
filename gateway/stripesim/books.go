package stripesim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// BookedCharge is one line of GET /books: money that moved, or is about to.
type BookedCharge struct {
	ID             string `json:"id"`
	PaymentIntent  string `json:"payment_intent"`
	Amount         int64  `json:"amount"` // minor units
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"` // ISO 4217, upper case
	// Status is succeeded, refunded (in full), returned (by the bank or a dispute) or pending; with ?failed=1 also failed.
	Status         string    `json:"status"`
	Attempt        string    `json:"attempt"` // metadata recoup_attempt
	Invoice        string    `json:"invoice"` // metadata recoup_invoice
	IdempotencyKey string    `json:"idempotency_key"`
	Created        time.Time `json:"created"`
	Seq            int64     `json:"seq"` // page with ?after=SEQ&limit=N
}

// BookedTotal is what was taken and kept in one currency.
type BookedTotal struct {
	Currency string `json:"currency"`
	Charges  int64  `json:"charges"`
	Taken    int64  `json:"taken"`    // succeeded, whatever became of it
	Refunded int64  `json:"refunded"` // given back by refunds
	Returned int64  `json:"returned"` // taken back by banks and disputes, less what was refunded before
	Pending  int64  `json:"pending"`  // not settled yet
	Kept     int64  `json:"kept"`     // taken − refunded − returned
}

const bookedStatus = `case when returned then 'returned' when status = 'succeeded' and amount_refunded = amount then 'refunded' else status end`

// books answers GET /books: {"charges":[…oldest first…],"totals":[…],"next":SEQ}. It streams, so that a million charges cost no
// memory; ?after and ?limit page through them, totals are always over everything. One snapshot serves both.
func (s *Simulator) books(w http.ResponseWriter, r *http.Request) {
	after, _ := strconv.ParseInt(r.FormValue("after"), 10, 64)
	limit, err := strconv.ParseInt(r.FormValue("limit"), 10, 64)
	if err != nil || limit < 1 {
		limit = 1 << 40
	}
	tx, err := s.pool.BeginTx(r.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		s.fail(w, "books", fmt.Errorf("open the books: %w", err))
		return
	}
	defer func() { _ = tx.Rollback(r.Context()) }()
	rows, err := tx.Query(r.Context(), `
		select id, payment_intent, amount, amount_refunded, upper(currency), `+bookedStatus+`,
		       coalesce(metadata->>'recoup_attempt', ''), coalesce(metadata->>'recoup_invoice', ''), idempotency_key, created, seq
		from stripesim.charges where seq > $1 and (status <> 'failed' or $2) order by seq limit $3`, after, r.FormValue("failed") == "1", limit)
	if err != nil {
		s.fail(w, "books", fmt.Errorf("read the books: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriter(w)
	defer out.Flush()
	fmt.Fprint(out, `{"charges":[`)
	var c BookedCharge
	n := int64(0)
	columns := []any{&c.ID, &c.PaymentIntent, &c.Amount, &c.AmountRefunded, &c.Currency, &c.Status, &c.Attempt, &c.Invoice,
		&c.IdempotencyKey, &c.Created, &c.Seq}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		comma := ","
		if n++; n == 1 {
			comma = ""
		}
		_, err = fmt.Fprintf(out, "%s\n%s", comma, line)
		return err
	})
	if err != nil { // too late for a status: cut the answer, so that nobody takes half the books for all
		s.log.Error("gateway simulator: read the books", "err", err)
		panic(http.ErrAbortHandler)
	}
	totals, err := many[BookedTotal](r.Context(), tx, `
		select upper(currency) currency, count(*) filter (where status <> 'failed') charges, sum(taken)::bigint taken,
		       sum(refunded)::bigint refunded, sum(returned_amount)::bigint returned, sum(pending)::bigint pending,
		       (sum(taken) - sum(refunded) - sum(returned_amount))::bigint kept
		from (select currency, status, case when status = 'succeeded' then amount else 0 end taken, amount_refunded refunded,
		             case when returned then amount - amount_refunded else 0 end returned_amount, case when status = 'pending' then amount else 0 end pending
		      from stripesim.charges) c group by currency order by currency`)
	if err != nil {
		s.log.Error("gateway simulator: total the books", "err", err)
		panic(http.ErrAbortHandler)
	}
	tail, err := json.Marshal(totals)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	next := "null"
	if n == limit {
		next = strconv.FormatInt(c.Seq, 10)
	}
	fmt.Fprintf(out, "\n],\"totals\":%s,\"next\":%s}\n", tail, next)
}
