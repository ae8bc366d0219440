package workers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/workers"
	"recoup/workers/metrics"
)

// watching is one worker's watch with what it tells.
type watching struct {
	t   *testing.T
	url string
}

func watch(t *testing.T, y *yard, every time.Duration) watching {
	t.Helper()
	m, err := metrics.New()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	w := &workers.Watch{Store: y.Store, Meter: m.Meter(), Log: slog.New(slog.DiscardHandler), AuditEvery: every, MeasureEvery: every}
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(m.Handler())
	t.Cleanup(server.Close)
	return watching{t, server.URL}
}

func (w watching) told() string {
	w.t.Helper()
	resp, err := http.Get(w.url + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %v", resp.Status, err)
	}
	return string(body)
}

// until waits for lines of the metrics.
func (w watching) until(lines ...string) {
	w.t.Helper()
	var told string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		told = w.told()
		missing := false
		for _, line := range lines {
			missing = missing || !strings.Contains(told, line+"\n")
		}
		if !missing {
			return
		}
	}
	var ours []string
	for line := range strings.Lines(told) {
		if strings.HasPrefix(line, "recoup_") {
			ours = append(ours, line)
		}
	}
	w.t.Fatalf("never told %q; but\n%s", lines, strings.Join(ours, ""))
}

func TestTheWatchTellsWhatHappensAndWhatIsBroken(t *testing.T) {
	y := newYard(t)
	w := watch(t, y, 100*time.Millisecond)
	w.until(`recoup_audit_breaches{invariant="I7"} 0`, `recoup_watch_leads 1`, `recoup_suspensions_stopped 0`)
	id, step := y.owes(billing.MethodCard, "pm_card_visa")
	w.until(`recoup_cases_live{stage="collecting"} 1`)
	y.charge(id, step)
	w.until(`recoup_attempts_total{class="",gateway="stripe",outcome="succeeded"} 1`, `recoup_journal_transactions_total{kind="receipt"} 1`,
		`recoup_audit_breaches{invariant="I15"} 0`)
	y.exec(`alter table journal_entries disable trigger all`)
	y.exec(`update journal_entries set amount_minor = amount_minor + 1 where id = (select min(id) from journal_entries)`)
	y.exec(`alter table journal_entries enable trigger all`)
	y.exec(`insert into case_events (case_id, kind, data) values ('inv-1', 'noted', '{"card": "4242 4242 4242 4242"}')`)
	w.until(`recoup_audit_breaches{invariant="I15"} 1`, `recoup_audit_breaches{invariant="I18"} 1`)
}

// TestOneWatchLeads: of two workers one tells, so that a sum over workers is right.
func TestOneWatchLeads(t *testing.T) {
	y := newYard(t)
	a := watch(t, y, 50*time.Millisecond)
	a.until(`recoup_watch_leads 1`)
	b := watch(t, y, 50*time.Millisecond)
	a.until(`recoup_audit_breaches{invariant="I7"} 0`)
	if told := b.told(); strings.Contains(told, "recoup_watch_leads") || strings.Contains(told, "recoup_cases") {
		t.Errorf("the other tells too:\n%s", told)
	}
}
