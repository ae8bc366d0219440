package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"recoup/money"
)

// SimulatorBooks are the books of the simulated gateway, read over HTTP from GET /books in one answer, so in one snapshot.
type SimulatorBooks struct {
	URL    string       // the simulator's base URL, "http://127.0.0.1:8090"
	Client *http.Client // nil: http.DefaultClient
}

// Gateway is "stripe": the simulator stands in for it.
func (b SimulatorBooks) Gateway() string { return "stripe" }

// EachCharge streams the books. An answer that was cut off is an error.
func (b SimulatorBooks) EachCharge(ctx context.Context, f func(Charge) error) error {
	address, err := url.JoinPath(b.URL, "books")
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := b.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("is the simulator up? %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answered %s: only the simulated gateway has books", address, resp.Status)
	}
	return decodeBooks(resp.Body, f)
}

// bookedCharge is one element of "charges" in GET /books.
type bookedCharge struct {
	ID             string    `json:"id"`
	Amount         int64     `json:"amount"` // as Stripe counts minor units
	AmountRefunded int64     `json:"amount_refunded"`
	Currency       string    `json:"currency"`
	Status         string    `json:"status"`
	Attempt        string    `json:"attempt"`
	Invoice        string    `json:"invoice"`
	IdempotencyKey string    `json:"idempotency_key"`
	Created        time.Time `json:"created"`
}

// decodeBooks reads {"charges":[…],…} element by element, to the closing brace.
func decodeBooks(body io.Reader, f func(Charge) error) error {
	d := json.NewDecoder(body)
	if err := want(d, json.Delim('{')); err != nil {
		return err
	}
	seen := false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name != "charges" {
			var rest json.RawMessage
			if err := d.Decode(&rest); err != nil {
				return err
			}
			continue
		}
		seen = true
		if err := decodeCharges(d, f); err != nil {
			return err
		}
	}
	if err := want(d, json.Delim('}')); err != nil {
		return err
	}
	if !seen {
		return errors.New("the answer has no charges: only the simulated gateway has books")
	}
	return nil
}

func decodeCharges(d *json.Decoder, f func(Charge) error) error {
	if err := want(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		var b bookedCharge
		if err := d.Decode(&b); err != nil {
			return err
		}
		c, err := b.charge()
		if err != nil {
			return fmt.Errorf("charge %s: %w", b.ID, err)
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return want(d, json.Delim(']'))
}

func want(d *json.Decoder, delimiter json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != delimiter {
		return fmt.Errorf("want %s, got %v", delimiter, t)
	}
	return nil
}

// stripeDecimals are Stripe's decimals where they differ from ISO 4217's (docs.stripe.com/currencies, seen November 2026).
var stripeDecimals = map[string]int{"ISK": 2, "UGX": 2, "MGA": 0, "IQD": 2, "LYD": 2}

func (b bookedCharge) charge() (Charge, error) {
	c := Charge{ID: b.ID, Attempt: b.Attempt, Invoice: b.Invoice, Key: b.IdempotencyKey, Minor: b.Amount, RefundedMinor: b.AmountRefunded,
		Currency: b.Currency, Status: ChargeStatus(b.Status), CreatedAt: b.Created}
	switch c.Status {
	case ChargePending, ChargeSucceeded, ChargeRefunded, ChargeReturned:
	default:
		return c, fmt.Errorf("unknown status %q", b.Status)
	}
	theirs, differs := stripeDecimals[b.Currency]
	if !differs {
		return c, nil
	}
	currency, err := money.ParseCurrency(b.Currency)
	if err != nil {
		return c, err
	}
	for ; theirs > currency.Exponent(); theirs-- {
		if c.Minor%10 != 0 || c.RefundedMinor%10 != 0 {
			return c, fmt.Errorf("%d has more decimals than %s", b.Amount, b.Currency)
		}
		c.Minor, c.RefundedMinor = c.Minor/10, c.RefundedMinor/10
	}
	for ; theirs < currency.Exponent(); theirs++ {
		c.Minor, c.RefundedMinor = c.Minor*10, c.RefundedMinor*10
	}
	return c, nil
}
