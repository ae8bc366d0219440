package rig

import (
	"fmt"
	"testing"
	"time"
)

// TestKilledProcessesComeBack: a worker and Postgres are killed in the middle of a case; what is kept comes back by itself, the case ends
// paid, and the audit has nothing to say.
func TestKilledProcessesComeBack(t *testing.T) {
	r, err := Start(t.Context(), Options{Tags: "crash"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	deaths := make(chan Death, 1)
	worker, err := r.Keep(t.Context(), "worker", nil, func(d Death) {
		select {
		case deaths <- d:
		default: // only the first is asked for
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	first := worker.Current()
	if err := r.Import(t.Context(), "one.jsonl", []string{
		`{"kind":"account","id":"one","name":"One","policy":"demo","contacts":[{"name":"Someone","email":"someone@one.example.com"}]}`,
		`{"kind":"payment_method","id":"one.pm","account":"one","token":"pm_sim_decline_then_ok_1","method_kind":"card","brand":"visa","last4":"4242","expiry":"2031-08"}`,
		`{"kind":"invoice","id":"one.1","account":"one","due_date":"2025-11-14","currency":"USD","lines":[{"service":"Compute","period_start":"2025-10-01","amount":"50.00"}]}`,
	}); err != nil {
		t.Fatal(err)
	}
	declined := func() error {
		var n int
		if err := r.Store.Pool().QueryRow(t.Context(), `select count(*) from attempts where state = 'declined'`).Scan(&n); err != nil || n == 0 {
			return fmt.Errorf("%d attempts are declined: %w", n, err)
		}
		return nil
	}
	if err := Eventually(t.Context(), 2*time.Minute, "the first attempt is declined", declined); err != nil {
		t.Fatal(err)
	}
	first.Kill9()
	if d := <-deaths; d.Process != first || d.Code != 137 {
		t.Errorf("process %d ended with %d, want process %d with 137", d.Process.Pid(), d.Code, first.Pid())
	}
	if err := r.KillPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.AwaitQuiet(t.Context(), 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := r.MustAudit(t.Context()); err != nil {
		t.Error(err)
	}
	books, err := r.Books(t.Context())
	if err != nil || len(books) != 1 || books[0].Amount != 5000 {
		t.Errorf("the gateway took %+v (%v), want 50.00 once", books, err)
	}
	mails, err := r.Mails(t.Context())
	if err != nil || len(mails) == 0 {
		t.Errorf("%d mails came (%v), want some", len(mails), err)
	}
	if err := worker.Err(); err != nil {
		t.Error(err)
	}
	worker.Stop()
}
