package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"recoup/billing"
	"recoup/boundary"
)

// HookConfig names the user's own service that suspends and reinstates accounts.
type HookConfig struct {
	// URL takes a POST for every change of an account's standing; empty: there is no such service.
	URL string `env:"RECOUP_SUSPENSION_HOOK_URL"`
	// Secret signs the calls by Standard Webhooks: "whsec_" and base64 of 24 to 64 bytes.
	Secret string `env:"RECOUP_SUSPENSION_HOOK_SECRET"`
	// Timeout bounds one call.
	Timeout time.Duration `env:"RECOUP_SUSPENSION_HOOK_TIMEOUT, default=10s"`
}

// StandingCalls is what the hook needs of the queued calls. Claims give only the newest generation of an account, and none while an older
// one is under way (S3).
type StandingCalls interface {
	ClaimStandingCalls(ctx context.Context, limit int, lease time.Duration) ([]billing.StandingCall, error)
	StandingCallAccepted(ctx context.Context, c billing.StandingCall, note string) error
	StandingCallFailed(ctx context.Context, c billing.StandingCall, wait time.Duration, problem string) error
}

// Hook calls the user's own service, each call until it is accepted.
type Hook struct {
	calls  StandingCalls
	url    string
	signer *standardwebhooks.Webhook
	client *http.Client
	log    *slog.Logger
	poll   time.Duration
}

const (
	hookParallel = 4
	hookLease    = time.Minute
	// noHook is recorded for calls that nobody asked for.
	noHook = "no hook configured"
)

// HookPayload is the body of a call. Keep the highest generation seen per account and ignore lower ones: then a late suspend can never
// undo a newer reinstate (S3).
type HookPayload struct {
	Type       string            `json:"type"` // "account.standing"
	Account    billing.AccountID `json:"account"`
	Standing   billing.Standing  `json:"standing"`
	Generation int64             `json:"generation"`
	Reason     string            `json:"reason"`
	At         time.Time         `json:"at"`
}

// NewHook checks the configuration. Log nil: the default one.
func NewHook(c HookConfig, calls StandingCalls, log *slog.Logger) (*Hook, error) {
	if log == nil {
		log = slog.Default()
	}
	h := &Hook{calls: calls, url: c.URL, log: log, poll: time.Second}
	if c.URL == "" {
		return h, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("RECOUP_SUSPENSION_HOOK_URL: must be an http or https address")
	}
	if c.Secret == "" {
		return nil, fmt.Errorf("RECOUP_SUSPENSION_HOOK_SECRET: must be set with the URL, so that your service can check who calls")
	}
	if h.signer, err = standardwebhooks.NewWebhook(c.Secret); err != nil {
		return nil, fmt.Errorf("RECOUP_SUSPENSION_HOOK_SECRET: must be whsec_ and base64 of 24 to 64 bytes")
	}
	h.client = &http.Client{
		Timeout: or(c.Timeout, 10*time.Second),
		// A redirect would send the signed call elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h, nil
}

// Run makes calls until ctx ends; those in hand are finished first.
func (h *Hook) Run(ctx context.Context) error {
	work, cancel := finishing(ctx, stopGrace)
	defer cancel()
	tick := time.NewTicker(h.poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		taken, err := h.once(ctx, work)
		if err != nil && ctx.Err() == nil {
			h.log.ErrorContext(ctx, "suspension hook", "error", err)
		}
		if err == nil && taken == hookParallel {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// Once makes one batch of calls and returns how many.
func (h *Hook) Once(ctx context.Context) (int, error) { return h.once(ctx, ctx) }

func (h *Hook) once(ctx, work context.Context) (int, error) {
	calls, err := h.calls.ClaimStandingCalls(ctx, hookParallel, boundary.Patience(hookLease))
	if err != nil {
		return 0, err
	}
	problems := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() { problems[i] = h.deliver(work, c) })
	}
	wg.Wait()
	return len(calls), errors.Join(problems...)
}

func (h *Hook) deliver(ctx context.Context, c billing.StandingCall) error {
	if h.url == "" {
		return h.calls.StandingCallAccepted(ctx, c, noHook)
	}
	boundary.At(boundary.BeforeHook, c.Account)
	if problem := h.post(ctx, c); problem != "" {
		h.log.WarnContext(ctx, "suspension hook not accepted", "account", c.Account, "generation", c.Generation, "try", c.Try, "problem", problem)
		return h.calls.StandingCallFailed(ctx, c, backoff(c.Try), problem)
	}
	boundary.At(boundary.AfterHook, c.Account)
	h.log.InfoContext(ctx, "suspension hook accepted", "account", c.Account, "generation", c.Generation, "standing", c.Standing)
	err := h.calls.StandingCallAccepted(ctx, c, "")
	boundary.At(boundary.AfterAccepted, c.Account)
	return err
}

// webhookSpace makes a call's webhook-id from its account and generation: the same at every try, so that the receiver can tell a
// repetition.
var webhookSpace = uuid.MustParse("5f8f8a4e-2a67-4a57-9d2f-6f0d0c6f7b11")

// post makes one signed call and returns what went wrong, or "" when any 2xx accepted it.
func (h *Hook) post(ctx context.Context, c billing.StandingCall) string {
	body, err := json.Marshal(HookPayload{
		Type: "account.standing", Account: c.Account, Standing: c.Standing, Generation: c.Generation, Reason: c.Reason, At: c.At.UTC(),
	})
	if err != nil {
		return "the call could not be written"
	}
	id := "msg_" + uuid.NewSHA1(webhookSpace, []byte(string(c.Account)+"/"+strconv.FormatInt(c.Generation, 10))).String()
	now := time.Now() // the receiver checks the signature's age against its clock, so it is made anew for every try
	signature, err := h.signer.Sign(id, now, body)
	if err != nil {
		return "the call could not be signed"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return "the call could not be written"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Recoup")
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := h.client.Do(req)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) && e.Timeout() {
			return "no answer in time"
		}
		return "no connection, or it broke" // the address may hold a secret: it stays out of problems and logs (I18)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Sprintf("answered %d", res.StatusCode)
	}
	return ""
}
