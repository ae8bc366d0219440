package workers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/activities"
	"recoup/billing"
	"recoup/dunning"
	"recoup/gateway/stripe"
	"recoup/gateway/stripesim"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
	"recoup/workers"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error {
		_, err := store.Migrate(ctx, url)
		return err
	}, store.MigrationFiles)
}

const secret = "whsec_of_the_test"

// yard is the store, the simulated gateway and the receiver of its webhooks, over HTTP as in production. The simulator's background
// work is done by the test's own steps, its clock is moved by the test.
type yard struct {
	*store.Store
	t       *testing.T
	sim     *stripesim.Simulator
	api     string
	charges *activities.Charging
	ahead   time.Duration
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{t: t}
	ctx := t.Context()
	s, err := store.Open(ctx, pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	y.Store = s
	cfg := stripe.Config{URL: "http://127.0.0.1:1", Key: "sk_test_yard", WebhookSecrets: []string{secret}, Timeout: 10 * time.Second,
		LookUpLag: 20 * time.Second, ChargesPerSecond: 25, OfflineMandates: true}
	receiver, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inbox := httptest.NewServer(workers.Webhooks(receiver, s, slog.New(slog.DiscardHandler)))
	t.Cleanup(inbox.Close)
	pool, err := pgxpool.New(ctx, pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	y.sim, err = stripesim.New(ctx, pool, stripesim.Options{WebhookURL: inbox.URL + workers.StripeWebhooks, WebhookSecret: secret,
		BankDelay: time.Hour, Now: func() time.Time { return time.Now().Add(y.ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(y.sim)
	t.Cleanup(api.Close)
	cfg.URL, y.api = api.URL, api.URL
	adapter, err := stripe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	y.charges = &activities.Charging{Store: s, Gateway: adapter}
	return y
}

func (y *yard) exec(query string, args ...any) {
	y.t.Helper()
	if _, err := y.Pool().Exec(y.t.Context(), query, args...); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) read(query string) (v string) {
	y.t.Helper()
	if err := y.Pool().QueryRow(y.t.Context(), query).Scan(&v); err != nil {
		y.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// owes opens the case of an invoice of USD 49.00 whose account has these methods, by token, and returns its first step.
func (y *yard) owes(kind billing.MethodKind, tokens ...string) (billing.CaseID, dunning.Step) {
	y.t.Helper()
	ctx, usd := y.t.Context(), money.MustCurrency("USD")
	y.exec(`insert into accounts (id, name, time_zone, policy) values ('acme', 'acme', 'UTC', 'standard')`)
	for i, token := range tokens {
		y.exec(`insert into payment_methods (id, account_id, gateway, token, kind, brand, position) values ($1, 'acme', 'stripe', $1, $2, 'visa', $3)`, token, kind, i+1)
	}
	amount := money.New(4900, usd)
	_, err := y.Import(ctx, store.ImportInput{File: "inv", Format: "test", Batch: billing.Batch{Invoices: []billing.BatchInvoice{{Line: 1, Invoice: billing.Invoice{
		ID: "inv-1", Number: "N-1", AccountID: "acme", State: billing.InvoiceOpen, DueDate: "2026-01-01", Total: amount, Allocated: money.Zero(usd),
		Lines: []billing.Line{{Position: 1, Service: "Compute", ChargeKind: billing.ChargeUsage, PeriodStart: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), Amount: amount}},
	}}}}})
	if err != nil {
		y.t.Fatal(err)
	}
	c, err := y.OpenCase(ctx, "inv-1")
	if err != nil {
		y.t.Fatal(err)
	}
	return c.ID, y.review(c.ID)
}

func (y *yard) review(id billing.CaseID) dunning.Step {
	y.t.Helper()
	step, err := y.Review(y.t.Context(), id)
	if err != nil {
		y.t.Fatal(err)
	}
	return step
}

func (y *yard) charge(id billing.CaseID, step dunning.Step) dunning.Step {
	y.t.Helper()
	out, err := y.charges.ChargeMethod(y.t.Context(), activities.ChargeInput{Case: id, Method: step.Method})
	if err != nil {
		y.t.Fatal(err)
	}
	return out.Next
}

func (y *yard) lookUp(id billing.CaseID, step dunning.Step) dunning.Step {
	y.t.Helper()
	if step.Do != dunning.DoLookUp {
		y.t.Fatalf("next is %s (%s), want a look-up", step.Do, step.Why)
	}
	out, err := y.charges.LookUpAttempt(y.t.Context(), activities.LookUpInput{Case: id, Attempt: step.Attempt})
	if err != nil {
		y.t.Fatal(err)
	}
	return out.Next
}

// pass lets so much time go by at the gateway, which does what fell due and delivers its webhooks.
func (y *yard) pass(d time.Duration) {
	y.t.Helper()
	y.ahead += d
	if err := y.sim.Step(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) script(fault, token string) {
	y.t.Helper()
	resp, err := http.Post(y.api+"/sim/faults", "application/json", strings.NewReader(`{"fault":"`+fault+`","endpoint":"webhook","token":"`+token+`","times":1}`))
	if err != nil || resp.StatusCode/100 != 2 {
		y.t.Fatalf("script %s: %v %v", fault, resp, err)
	}
	resp.Body.Close()
}

// TestU3WebhookSettlesAPendingDebit: a debit that would be looked up an hour later is settled as soon as the bank has.
func TestU3WebhookSettlesAPendingDebit(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
	if step = y.charge(id, step); step.Do != dunning.DoWait || time.Until(step.At) < 30*time.Minute {
		t.Fatalf("next is %s at %s (%s), want a long wait", step.Do, step.At, step.Why)
	}
	y.pass(0) // created and processing: nothing to look at
	if step = y.review(id); step.Do != dunning.DoWait {
		t.Fatalf("news of no consequence: next is %s", step.Do)
	}
	y.pass(2 * time.Hour) // the bank settles
	if got := y.read(`select coalesce(string_agg(case_id, ','), '') from pokes`); got != string(id) {
		t.Errorf("woken: %q", got)
	}
	if step = y.lookUp(id, y.review(id)); step.Do != dunning.DoFinish || step.Outcome != billing.InvoicePaid {
		t.Errorf("next is %s %s", step.Do, step.Outcome)
	}
	if got := y.read(`select string_agg(type, ' ' order by received_at, type) from gateway_events where about = 'capture'`); got != "payment_intent.succeeded" {
		t.Errorf("stored %q", got)
	}
}

// TestB4ForgedWebhookIsNotStored: a forged or old copy goes before the true one; only that is taken.
func TestB4ForgedWebhookIsNotStored(t *testing.T) {
	for _, fault := range []string{"webhook_forged", "webhook_old"} {
		t.Run(fault, func(t *testing.T) {
			y := newYard(t)
			forged := httptest.NewRecorder()
			receiver, err := stripe.New(stripe.Config{URL: "http://127.0.0.1:1", Key: "sk_test_yard", WebhookSecrets: []string{"whsec_another"},
				Timeout: time.Second, LookUpLag: time.Second, ChargesPerSecond: 1})
			if err != nil {
				t.Fatal(err)
			}
			workers.Webhooks(receiver, y, slog.New(slog.DiscardHandler)).ServeHTTP(forged, httptest.NewRequest(http.MethodPost, workers.StripeWebhooks, strings.NewReader("{}")))
			if forged.Code != http.StatusBadRequest {
				t.Errorf("an unsigned webhook was answered %d", forged.Code)
			}
			id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
			y.charge(id, step)
			y.pass(0)
			y.script(fault, "payment_intent.succeeded")
			y.pass(2 * time.Hour)
			if got := y.read(`select count(*)::text from gateway_events where about = 'capture'`); got != "1" {
				t.Errorf("%s events stored, want the true one", got)
			}
		})
	}
}

// TestB4UnsignedWebhookIsRefused: one that is right in all but its signature.
func TestB4UnsignedWebhookIsRefused(t *testing.T) {
	y := newYard(t)
	receiver, err := stripe.New(stripe.Config{URL: "http://127.0.0.1:1", Key: "sk_test_yard", WebhookSecrets: []string{secret},
		Timeout: time.Second, LookUpLag: time.Second, ChargesPerSecond: 1})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","created":1,"data":{"object":{"id":"pi_1","object":"payment_intent"}}}`
	for name, signature := range map[string]string{"none": "", "of nobody": "t=1,v1=00"} {
		request := httptest.NewRequest(http.MethodPost, workers.StripeWebhooks, strings.NewReader(body))
		request.Header.Set("Stripe-Signature", signature)
		answer := httptest.NewRecorder()
		workers.Webhooks(receiver, y, slog.New(slog.DiscardHandler)).ServeHTTP(answer, request)
		if got := y.read(`select count(*)::text from gateway_events`); answer.Code != http.StatusBadRequest || got != "0" {
			t.Errorf("signature %s: answered %d, %s events stored", name, answer.Code, got)
		}
	}
}

// TestB1B2DuplicatesAndReordering: the same end, whatever the deliveries do.
func TestB1B2DuplicatesAndReordering(t *testing.T) {
	for _, fault := range []string{"webhook_duplicate", "webhook_delayed", "webhook_lost"} {
		t.Run(fault, func(t *testing.T) {
			y := newYard(t)
			id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
			y.charge(id, step)
			y.script(fault, "payment_intent.processing")
			y.script(fault, "payment_intent.succeeded")
			y.pass(0)
			y.pass(2 * time.Hour)
			if fault == "webhook_lost" { // B5: only slower; its hour has come
				y.exec(`update attempts set next_at = now()`)
			}
			y.pass(2 * time.Hour)
			if step = y.lookUp(id, y.review(id)); step.Do != dunning.DoFinish {
				t.Errorf("next is %s (%s)", step.Do, step.Why)
			}
			if got := y.read(`select sum(amount_minor)::text from journal_entries where ledger_kind = 'gateway_clearing'`); got != "4900" {
				t.Errorf("booked %s", got)
			}
			y.pass(time.Hour)
			if got := y.read(`select count(*)::text from journal_transactions where kind = 'receipt'`); got != "1" {
				t.Errorf("%s receipts", got)
			}
		})
	}
}

// TestB7NotStoredIsSentAgain: while Postgres is away nothing is answered 200.
func TestB7NotStoredIsSentAgain(t *testing.T) {
	y := newYard(t)
	id, step := y.owes(billing.MethodUSBankAccount, "pm_usBankAccount_success")
	y.charge(id, step)
	y.pass(0)
	y.exec(`alter table gateway_events rename to gone`)
	y.pass(2 * time.Hour)
	y.exec(`alter table gone rename to gateway_events`)
	if step = y.review(id); step.Do != dunning.DoWait {
		t.Fatalf("an event that was not stored was acted on: %s", step.Do)
	}
	y.pass(time.Minute)
	y.lookUp(id, y.review(id))
}

// TestB6ForeignChargeIsATask: somebody charges at the gateway beside us.
func TestB6ForeignChargeIsATask(t *testing.T) {
	y := newYard(t)
	req, err := http.NewRequest(http.MethodPost, y.api+"/v1/payment_intents", strings.NewReader("amount=700&currency=usd&payment_method=pm_card_visa&confirm=true&payment_method_types[]=card"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_somebody")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	y.pass(0)
	if got := y.read(`select string_agg(kind, ' ') from tasks`); got != "gateway_event_unmatched" {
		t.Errorf("tasks: %s", got)
	}
}

func TestReceiverNeedsASecret(t *testing.T) {
	err := workers.ServeWebhooks(t.Context(), workers.WebhookConfig{}, stripe.Config{}, nil, slog.New(slog.DiscardHandler), nil)
	if !errors.Is(err, workers.ErrNoWebhookSecret) {
		t.Errorf("got %v", err)
	}
}
