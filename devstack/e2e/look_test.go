package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// httpWait bounds one request to a part of the stack.
var web = &http.Client{Timeout: 20 * time.Second}

// getJSON reads one JSON answer.
func getJSON[T any](url string) (T, error) {
	var v T
	res, err := web.Get(url)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return v, fmt.Errorf("GET %s: %w", url, err)
	}
	if res.StatusCode != http.StatusOK {
		return v, fmt.Errorf("GET %s: %s: %s", url, res.Status, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("GET %s: %w: %.300s", url, err, body)
	}
	return v, nil
}

// rows reads a query's rows into structs by position.
func rows[T any](t *testing.T, s *stack, sql string, args ...any) []T {
	t.Helper()
	found, err := tryRows[T](t, s, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// tryRows is rows for a database that may be away.
func tryRows[T any](t *testing.T, s *stack, sql string, args ...any) ([]T, error) {
	t.Helper()
	r, err := s.db.Query(t.Context(), sql, args...)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(r, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return found, nil
}

// column reads a query's only column.
func column[T any](t *testing.T, s *stack, sql string, args ...any) ([]T, error) {
	t.Helper()
	r, err := s.db.Query(t.Context(), sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(r, pgx.RowTo[T])
}

// one reads a single value.
func one[T any](t *testing.T, s *stack, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := s.db.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// amount is money on the console's wire.
type amount struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

// shownCase is a case as the console's JSON shows it.
type shownCase struct {
	ID           string     `json:"id"`
	Account      string     `json:"account"`
	Stage        string     `json:"stage"`
	InvoiceState string     `json:"invoice_state"`
	Total        amount     `json:"total"`
	Due          amount     `json:"due"`
	HeldUntil    *time.Time `json:"held_until"`
	FinishedAt   *time.Time `json:"finished_at"`
	Outcome      string     `json:"outcome"`
	Next         struct {
		Do  string `json:"do"`
		Why string `json:"why"`
	} `json:"next"`
	Sources []struct {
		Kind   string `json:"kind"`
		Amount amount `json:"amount"`
	} `json:"sources"`
	Attempts []struct {
		ID     string `json:"id"`
		Method string `json:"method"`
		Masked string `json:"masked"`
		Round  int    `json:"round"`
		State  string `json:"state"`
		Amount amount `json:"amount"`
	} `json:"attempts"`
	Resolutions []struct {
		RequestID string `json:"request_id"`
		Kind      string `json:"kind"`
		Actor     string `json:"actor"`
	} `json:"resolutions"`
}

// paid sums what one kind of source paid.
func (c shownCase) paid(kind string) int64 {
	var sum int64
	for _, s := range c.Sources {
		if s.Kind == kind {
			sum += s.Amount.Minor
		}
	}
	return sum
}

// Kinds of sources (the ledger's kinds of postings).
const (
	fromCredits = "credit_applied"
	fromFunds   = "funds_used"
	fromGateway = "receipt"
	fromOutside = "out_of_band"
)

func (s *stack) tryCase(id string) (shownCase, error) {
	return api[shownCase](s, "/api/cases/"+id)
}

// showCase reads one case from the console.
func (s *stack) showCase(t *testing.T, id string) shownCase {
	t.Helper()
	c, err := s.tryCase(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// until waits until a case is as wanted; says objects to it.
func (s *stack) until(t *testing.T, within time.Duration, id, what string, says func(shownCase) bool) shownCase {
	t.Helper()
	var c shownCase
	eventually(t, within, "case "+id+" "+what, func() (err error) {
		if c, err = s.tryCase(id); err != nil {
			return err
		}
		if !says(c) {
			return fmt.Errorf("stage %s, invoice %s, next %s: %s, %d attempts", c.Stage, c.InvoiceState, c.Next.Do, c.Next.Why, len(c.Attempts))
		}
		return nil
	})
	return c
}

func isPaid(c shownCase) bool { return c.Stage == "finished" && c.Outcome == "paid" }

// waitsAfter is a case that has made so many attempts and sleeps until the next round.
func waitsAfter(attempts int) func(shownCase) bool {
	return func(c shownCase) bool {
		return len(c.Attempts) == attempts && c.Next.Do == "wait" && c.FinishedAt == nil
	}
}

// shownAccount is an account as the console's JSON shows it.
type shownAccount struct {
	Standing   string `json:"standing"`
	Generation int64  `json:"generation"`
	Invoices   []struct {
		ID    string `json:"id"`
		State string `json:"state"`
		Case  string `json:"case"`
	} `json:"invoices"`
	Methods []struct {
		ID    string `json:"id"`
		State string `json:"state"`
	} `json:"payment_methods"`
	Credits []struct {
		ID        string `json:"id"`
		Remaining amount `json:"remaining"`
	} `json:"credits"`
	Deposits []struct {
		ID        string `json:"id"`
		State     string `json:"state"`
		Remaining amount `json:"remaining"`
	} `json:"deposits"`
	Unapplied []amount `json:"unapplied_funds"`
}

func (s *stack) showAccount(t *testing.T, id string) shownAccount {
	t.Helper()
	a, err := api[shownAccount](s, "/api/accounts/"+id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func unbase64(text string) string {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	return string(raw)
}
