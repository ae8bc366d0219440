// Package stripe is the adapter to Stripe (and to gateway/stripesim, which speaks the same wire format), on the official stripe-go.
//
// It charges saved cards and US bank accounts off-session with one PaymentIntent per attempt, looks attempts up, cancels them and
// reads webhooks. It decides what is known of an attempt (the six outcomes of billing.AttemptState), conservatively: whatever is not
// proved is unknown (D2). What a decline code means for a case is not its business (package dunning).
//
// Two choices worth knowing:
//   - error_on_requires_action is not sent. off_session=true already makes Stripe refuse what needs the customer
//     (authentication_required); where an intent still ends in requires_action it is better left open, so that the customer can finish
//     it, than refused: the case cancels it before it goes on (faults.md R5).
//   - The SDK never retries and never invents a key: a send is one HTTP request with our key, or none.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"recoup/billing"
	"recoup/gateway"
)

// Name is the adapter's name as stored with payment methods.
const Name = "stripe"

// Names of our metadata on every PaymentIntent, by which it is found again.
const (
	MetaAttempt = "recoup_attempt"
	MetaInvoice = "recoup_invoice"
	MetaCase    = "recoup_case"
)

// Config is the adapter's configuration from the environment (go-envconfig). Secrets are never logged.
type Config struct {
	// URL is Stripe's API or a simulator.
	URL string `env:"RECOUP_STRIPE_URL, default=https://api.stripe.com"`
	// Key is a secret or restricted API key.
	Key string `env:"RECOUP_STRIPE_KEY, required"`
	// WebhookSecrets sign webhooks; two while a secret is being rolled.
	WebhookSecrets []string `env:"RECOUP_STRIPE_WEBHOOK_SECRETS"`
	// Timeout bounds one call.
	Timeout time.Duration `env:"RECOUP_STRIPE_TIMEOUT, default=20s"`
	// LookUpLag is how long after the first send a miss proves nothing: Stripe's search is usually behind by less than a minute. It
	// must lie above Timeout plus the longest time a request may linger on the way.
	LookUpLag time.Duration `env:"RECOUP_STRIPE_LOOKUP_LAG, default=15m"`
	// ChargesPerSecond bounds the rate of charges over all workers; Stripe allows 100 requests a second.
	ChargesPerSecond float64 `env:"RECOUP_STRIPE_CHARGES_PER_SECOND, default=25"`
	// OfflineMandates says that the authorisations of bank debits were collected outside Stripe (on paper, by telephone): each debit
	// then carries a mandate accepted offline. Without it the mandate saved with the method at Stripe is used.
	OfflineMandates bool `env:"RECOUP_STRIPE_OFFLINE_MANDATES, default=false"`
	// SharedAccount says that others take payments through the same Stripe account: a reconciliation leaves out what carries no mark of
	// ours.
	SharedAccount bool `env:"RECOUP_STRIPE_SHARED_ACCOUNT, default=false"`
}

// keyWindow is Stripe's promise for idempotency keys, 24 h (docs.stripe.com/api/idempotent_requests), less a margin of one hour for
// clocks that differ and requests on the way (U1, I13).
const keyWindow = 24*time.Hour - time.Hour

// Adapter implements gateway.Gateway. It is safe for concurrent use.
type Adapter struct {
	cfg    Config
	client *stripe.Client
	now    func() time.Time
	// listings are shared by look-ups.
	listings listings
}

var (
	_ gateway.Gateway    = (*Adapter)(nil)
	_ gateway.SelfTester = (*Adapter)(nil)
)

// Option changes an Adapter for tests.
type Option func(*Adapter)

// WithClock replaces the clock that measures how old attempts and webhooks are.
func WithClock(now func() time.Time) Option { return func(a *Adapter) { a.now = now } }

// New checks the configuration and returns an adapter. It sends nothing; SelfTest does.
func New(cfg Config, options ...Option) (*Adapter, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("stripe: %w", err)
	}
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL:               stripe.String(strings.TrimRight(cfg.URL, "/")),
		HTTPClient:        newHTTPClient(cfg.Timeout),
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull}, // it would log answers with customers' data (I18)
	})
	a := &Adapter{cfg: cfg, now: time.Now,
		client: stripe.NewClient(cfg.Key, stripe.WithBackends(&stripe.Backends{API: backend, Connect: backend, Uploads: backend, MeterEvents: backend}))}
	for _, o := range options {
		o(a)
	}
	return a, nil
}

func (c Config) check() error {
	u, err := url.Parse(c.URL)
	live := strings.HasPrefix(c.Key, "sk_live_") || strings.HasPrefix(c.Key, "rk_live_")
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("RECOUP_STRIPE_URL %q is not a URL such as https://api.stripe.com", c.URL)
	case c.Key == "":
		return errors.New("RECOUP_STRIPE_KEY is missing: set a secret key such as sk_test_…")
	case !live && !strings.HasPrefix(c.Key, "sk_test_") && !strings.HasPrefix(c.Key, "rk_test_"):
		return errors.New("RECOUP_STRIPE_KEY is not a secret key: it must begin with sk_ or rk_ and test_ or live_")
	case live && u.Scheme != "https":
		return errors.New("RECOUP_STRIPE_KEY is a live key, which may only be sent over https")
	case c.Timeout <= 0:
		return errors.New("RECOUP_STRIPE_TIMEOUT must be above zero")
	case c.LookUpLag < c.Timeout:
		return fmt.Errorf("RECOUP_STRIPE_LOOKUP_LAG (%s) must not be below RECOUP_STRIPE_TIMEOUT (%s): a request could still be on its way", c.LookUpLag, c.Timeout)
	case c.ChargesPerSecond <= 0:
		return errors.New("RECOUP_STRIPE_CHARGES_PER_SECOND must be above zero")
	}
	return nil
}

// Name returns "stripe".
func (a *Adapter) Name() string { return Name }

// Contract returns Stripe's idempotency contract (U6).
func (a *Adapter) Contract() gateway.Contract {
	return gateway.Contract{
		KeyWindow:         keyWindow,
		LookUpByReference: true,
		LookUpLag:         a.cfg.LookUpLag,
		CancelByReference: true,
		ProvesNegative:    true,
		ChargesPerSecond:  a.cfg.ChargesPerSecond,
		Timeout:           a.cfg.Timeout,
	}
}

// SelfTest makes one read-only call, so that a wrong URL, a refused key or a key of the wrong mode is found at boot and not by the
// first charge (faults.md A22). What only a person can mend is gateway.ErrRefused.
func (a *Adapter) SelfTest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	balance, err := a.client.V1Balance.Retrieve(ctx, nil)
	var refused *stripe.Error
	switch live := strings.Contains(a.cfg.Key[:8], "_live_"); {
	case errors.As(err, &refused) && refused.HTTPStatusCode == http.StatusUnauthorized:
		return fmt.Errorf("stripe: %w: RECOUP_STRIPE_KEY was not accepted by %s: %s; set a secret key of that account", gateway.ErrRefused, a.cfg.URL, explain(err))
	case err != nil:
		return fmt.Errorf("stripe: self-test against %s: %s", a.cfg.URL, explain(err))
	case balance.Object != "balance":
		return fmt.Errorf("stripe: self-test against %s: the answer is no balance", a.cfg.URL)
	case balance.Livemode != live:
		return fmt.Errorf("stripe: %w: RECOUP_STRIPE_KEY is of another mode (test or live) than the account at %s", gateway.ErrRefused, a.cfg.URL)
	}
	return nil
}

// unknown is the answer when nothing is proved (D2).
func unknown(reference, message string) gateway.Answer {
	return gateway.Answer{State: billing.AttemptUnknown, Reference: reference, Message: message}
}
