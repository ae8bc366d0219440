package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Charge is one charge as the gateway's own books have it: the ground truth.
type Charge struct {
	ID             string `json:"id"`
	PaymentIntent  string `json:"payment_intent"`
	Amount         int64  `json:"amount"` // as Stripe counts minor units
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"`
	Status         string `json:"status"` // succeeded, refunded, returned or pending
	Attempt        string `json:"attempt"`
	Invoice        string `json:"invoice"`
	IdempotencyKey string `json:"idempotency_key"`
}

// Books reads the gateway's books.
func (r *Rig) Books(ctx context.Context) ([]Charge, error) {
	var books struct {
		Charges []Charge `json:"charges"`
	}
	return books.Charges, r.get(ctx, r.gateway+"/books", &books)
}

// Mail is one mail as the mailbox got it.
type Mail struct {
	ID        int      `json:"id"`
	To        []string `json:"to"`
	Subject   string   `json:"subject"`
	MessageID string   `json:"message_id"`
	Problem   string   `json:"problem"`
}

// Mails lists everything that was handed over, oldest first, without the texts.
func (r *Rig) Mails(ctx context.Context) ([]Mail, error) {
	const page = 500
	var all []Mail
	for before := ""; ; {
		var list struct {
			Messages []Mail `json:"messages"`
		}
		if err := r.get(ctx, fmt.Sprintf("%s/api/messages?limit=%d%s", r.mailbox, page, before), &list); err != nil {
			return nil, err
		}
		all = append(all, list.Messages...)
		if len(list.Messages) < page {
			slices.Reverse(all)
			return all, nil
		}
		before = fmt.Sprintf("&before=%d", list.Messages[page-1].ID)
	}
}

// Simulate posts to one of the gateway's own controls, "/sim/payment_intents/pi_…/settle" for one, with a body or nil.
func (r *Rig) Simulate(ctx context.Context, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.gateway+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return do(req, nil)
}

func (r *Rig) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return do(req, into)
}

func do(req *http.Request, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s %s answered %s: %s", req.Method, req.URL, resp.Status, tail(string(raw)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// ImportFile writes lines of docs/import.md to a file of that name and returns its path. The same name again is another file's content.
func (r *Rig) ImportFile(name string, lines []string) (string, error) {
	path := filepath.Join(r.Dir, name)
	return path, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// Import takes lines in with `recoup import`, as a person does.
func (r *Rig) Import(ctx context.Context, name string, lines []string) error {
	path, err := r.ImportFile(name, lines)
	if err != nil {
		return err
	}
	_, err = r.Must(ctx, "import", path)
	return err
}
