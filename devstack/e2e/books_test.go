package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// booked is one charge as the gateway's own books have it: the ground truth.
type booked struct {
	ID             string `json:"id"`
	PaymentIntent  string `json:"payment_intent"`
	Amount         int64  `json:"amount"`
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"`
	Status         string `json:"status"`
	Attempt        string `json:"attempt"`
	Invoice        string `json:"invoice"`
	IdempotencyKey string `json:"idempotency_key"`
}

type books struct {
	Charges []booked `json:"charges"`
	Totals  []struct {
		Currency string `json:"currency"`
		Kept     int64  `json:"kept"`
	} `json:"totals"`
}

// receipt is one attempt that succeeded, as our ledger has it.
type receipt struct {
	Attempt, Invoice, Currency, Reference string
	Minor                                 int64
}

// readReceipts reads the journal's receipts with their attempts: what we say that the gateway gave us. The money's side of a receipt is
// the entry on the gateway's clearing account.
func (s *stack) readReceipts(t *testing.T) ([]receipt, error) {
	t.Helper()
	return tryRows[receipt](t, s, `
		select a.id::text, a.invoice_id, e.currency, a.gateway_reference, sum(e.amount_minor)::bigint
		  from journal_transactions t
		  join journal_entries e on e.transaction_id = t.id and e.ledger_kind = 'gateway_clearing'
		  join attempts a on t.key = 'receipt/' || a.id
		 where t.kind = 'receipt' group by a.id, a.invoice_id, e.currency, a.gateway_reference`)
}

// booksEqualLedger holds the gateway's books against our ledger, per attempt, invoice, amount and currency, in both directions (I1, I2,
// I4). Charges may be on their way while it looks, so it looks again for a moment.
func (s *stack) booksEqualLedger(t *testing.T) {
	t.Helper()
	eventually(t, 15*time.Second, "the gateway's books equal the ledger", func() error { return s.compareBooks(t) })
}

func (s *stack) compareBooks(t *testing.T) error {
	t.Helper()
	theirs, err := getJSON[books](s.env["RECOUP_STRIPE_URL"] + "/books")
	if err != nil {
		return err
	}
	ours, err := s.readReceipts(t)
	if err != nil {
		return err
	}
	reversals, err := tryRows[receipt](t, s, `select attempt_id::text, '', currency, reference, amount_minor from reversals`)
	if err != nil {
		return err
	}
	returned := map[string]receipt{}
	for _, r := range reversals {
		returned[r.Attempt] = r
	}
	if len(ours) == 0 {
		return errors.New("there is no receipt at all")
	}
	var problems []error
	objectTo := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	byAttempt, perInvoice, sums := map[string]booked{}, map[string]int{}, map[string]int64{}
	for _, c := range theirs.Charges {
		if c.Status == "pending" {
			continue // a bank debit that has not settled: not money yet
		}
		if other, twice := byAttempt[c.Attempt]; twice {
			objectTo("attempt %s was charged twice: %s and %s", c.Attempt, c.ID, other.ID)
		}
		back, reversed := returned[c.Attempt]
		if (c.Status != "succeeded" && c.Status != "returned") || c.AmountRefunded != 0 || (c.Status == "returned") != reversed || reversed && back.Minor != c.Amount {
			objectTo("charge %s of invoice %s is %s, %d refunded; the ledger took back %d", c.ID, c.Invoice, c.Status, c.AmountRefunded, back.Minor)
		}
		if c.IdempotencyKey != c.Attempt {
			objectTo("charge %s came under key %s, not its attempt's %s", c.ID, c.IdempotencyKey, c.Attempt)
		}
		byAttempt[c.Attempt] = c
		if reversed {
			sums[c.Currency] -= back.Minor
			continue
		}
		if perInvoice[c.Invoice]++; perInvoice[c.Invoice] > 1 {
			objectTo("invoice %s was charged %d times", c.Invoice, perInvoice[c.Invoice])
		}
	}
	for _, r := range ours {
		c, ok := byAttempt[r.Attempt]
		if !ok {
			objectTo("the ledger has a receipt of attempt %s that the gateway knows nothing of", r.Attempt)
			continue
		}
		delete(byAttempt, r.Attempt)
		sums[r.Currency] += r.Minor
		if c.Amount != r.Minor || c.Currency != r.Currency || c.Invoice != r.Invoice || c.PaymentIntent != r.Reference {
			objectTo("attempt %s: the gateway has %d %s for %s (%s), the ledger %d %s for %s (%s)",
				r.Attempt, c.Amount, c.Currency, c.Invoice, c.PaymentIntent, r.Minor, r.Currency, r.Invoice, r.Reference)
		}
	}
	for _, c := range byAttempt {
		objectTo("the gateway took %d %s for %s under attempt %s; the ledger has no receipt", c.Amount, c.Currency, c.Invoice, c.Attempt)
	}
	for _, total := range theirs.Totals {
		if total.Kept != sums[total.Currency] {
			objectTo("the gateway keeps %d %s, the ledger has receipts of %d", total.Kept, total.Currency, sums[total.Currency])
		}
	}
	return errors.Join(problems...)
}
