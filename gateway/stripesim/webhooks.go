package stripesim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// webhookPauses are the waits between tries of one event, shorter than Stripe's so that a demo shows them; then it is given up.
var webhookPauses = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// deliverDue sends the events that are due, oldest first, a few at a time. Order is not promised, as at Stripe.
func (s *Simulator) deliverDue(ctx context.Context) error {
	if s.opt.WebhookURL == "" {
		return nil
	}
	for {
		due, err := many[event](ctx, s.pool, `select * from stripesim.events where next_try <= $1 order by seq limit 50`, s.now())
		if err != nil {
			return err
		}
		var group errgroup.Group
		group.SetLimit(8)
		for _, e := range due {
			group.Go(func() error { return s.deliver(ctx, e) })
		}
		if err := group.Wait(); err != nil || len(due) < 50 {
			return err
		}
	}
}

// deliver sends one event, with the fault a script asks for, and notes the answer. A crash in between delivers it again.
func (s *Simulator) deliver(ctx context.Context, e event) error {
	body, err := json.Marshal(e.json())
	if err != nil {
		return fmt.Errorf("write webhook %s: %w", e.ID, err)
	}
	hit, err := s.scriptedFault(ctx, "webhook", e.Type, e.IdempotencyKey, false)
	if err != nil {
		return err
	}
	switch hit.fault {
	case WebhookLost:
		return s.noteDelivery(ctx, e, true, "lost by a script")
	case WebhookDelayed:
		later := s.now().Add(hit.fault.length(hit.delay))
		_, err := s.pool.Exec(ctx, `update stripesim.events set next_try = $2 where id = $1`, e.ID, later)
		return err
	case WebhookDuplicate:
		s.post(ctx, body, s.now(), s.opt.WebhookSecret)
	case WebhookForged:
		s.post(ctx, body, s.now(), "whsec_somebody_elses")
	case WebhookOld:
		s.post(ctx, body, s.now().Add(-time.Hour), s.opt.WebhookSecret)
	default: // no fault, or one that deliveries don't know
	}
	ok, answer := s.post(ctx, body, s.now(), s.opt.WebhookSecret)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.noteDelivery(ctx, e, ok, answer)
}

func (s *Simulator) noteDelivery(ctx context.Context, e event, ok bool, answer string) error {
	var next, delivered *time.Time
	now := s.now()
	switch {
	case ok:
		delivered = &now
	case e.Tries < len(webhookPauses):
		at := now.Add(webhookPauses[e.Tries])
		next = &at
	default:
		s.log.Warn("gateway simulator: webhook given up", "event", e.ID, "type", e.Type, "answer", answer)
	}
	_, err := s.pool.Exec(ctx, `
		update stripesim.events set tries = tries + 1, next_try = $2, delivered_at = $3, last_answer = $4 where id = $1`,
		e.ID, next, delivered, answer)
	if err != nil {
		return fmt.Errorf("note a delivery: %w", err)
	}
	return nil
}

// post sends a signed body and reports whether it was taken (2xx), with a short text of the answer.
func (s *Simulator) post(ctx context.Context, body []byte, at time.Time, secret string) (bool, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opt.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return false, err.Error()
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (simulated)")
	req.Header.Set("Stripe-Signature", sign(body, at, secret))
	resp, err := s.hooks.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode/100 == 2, resp.Status
}

// sign makes a Stripe-Signature header: HMAC-SHA256 over "timestamp.body", scheme v1 (docs.stripe.com/webhooks/signature).
func sign(body []byte, at time.Time, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.", at.Unix())
	mac.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}
