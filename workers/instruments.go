package workers

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"recoup/store"
)

// instrument is one metric of the watch: its name in store.Measures and the names of its labels. docs/metrics.md lists them.
type instrument struct {
	name, says string
	labels     []string
}

var watchedGauges = []instrument{
	{"cases_live", "Cases that are not finished, by stage.", []string{"stage"}},
	{"attempts_open", "Attempts without a final outcome.", []string{"gateway", "state"}},
	{"tasks_open", "Tasks that wait for a person.", []string{"kind"}},
	{"notices_waiting", "Notices not handed over yet: for the first time, or again after a failure.", []string{"try"}},
	{"charging_stopped", "1 while a person has stopped charging at the gateway; * is every gateway.", []string{"gateway"}},
	{"suspensions_stopped", "1 while the breaker stops suspensions (S4).", nil},
	{"outbox_oldest_seconds", "How long the oldest entry of an outbox is overdue.", []string{"outbox"}},
}

var watchedCounts = []instrument{
	{"attempts", "Outcomes of attempts, with the class of what was declined (D1).", []string{"gateway", "outcome", "class"}},
	{"journal_transactions", "Journal transactions: receipt, out_of_band, credit_applied, funds_used, receipt_reversed …", []string{"kind"}},
	{"gateway_events", "Webhooks taken in, by what they are about.", []string{"gateway", "about"}},
}

// instruments registers all metrics of the watch. Only who leads observes anything.
func (w *Watch) instruments() error {
	for _, i := range watchedGauges {
		_, err := w.Meter.Float64ObservableGauge("recoup_"+i.name, metric.WithDescription(i.says),
			metric.WithFloat64Callback(w.observe(func(o metric.Float64Observer) { each(o, i, w.gauges) })))
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	for _, i := range watchedCounts {
		_, err := w.Meter.Float64ObservableCounter("recoup_"+i.name, metric.WithDescription(i.says),
			metric.WithFloat64Callback(w.observe(func(o metric.Float64Observer) {
				for s, n := range w.counts {
					each(o, i, []store.Measure{{Name: s.name, Labels: s.labels, Value: n}})
				}
			})))
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return w.auditInstruments()
}

func (w *Watch) auditInstruments() error {
	for _, i := range []struct {
		name, says string
		observe    func(metric.Float64Observer)
	}{
		{"recoup_audit_breaches", "Breaches of an invariant that the last audit found.", func(o metric.Float64Observer) {
			for id, n := range w.broken {
				o.Observe(float64(n), metric.WithAttributes(attribute.String("invariant", id)))
			}
		}},
		{"recoup_audit_last_run_timestamp_seconds", "When the last audit ended, full or since_last.", func(o metric.Float64Observer) {
			for kind, a := range w.audits {
				o.Observe(float64(a.at.Unix()), metric.WithAttributes(attribute.String("kind", kind)))
			}
		}},
		{"recoup_audit_duration_seconds", "How long the last audit took, full or since_last.", func(o metric.Float64Observer) {
			for kind, a := range w.audits {
				o.Observe(a.took.Seconds(), metric.WithAttributes(attribute.String("kind", kind)))
			}
		}},
		{"recoup_watch_leads", "1 in the worker that measures and audits for all.", func(o metric.Float64Observer) { o.Observe(1) }},
	} {
		if _, err := w.Meter.Float64ObservableGauge(i.name, metric.WithDescription(i.says), metric.WithFloat64Callback(w.observe(i.observe))); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}

func (w *Watch) observe(f func(metric.Float64Observer)) metric.Float64Callback {
	return func(_ context.Context, o metric.Float64Observer) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.leads {
			f(o)
		}
		return nil
	}
}

func each(o metric.Float64Observer, i instrument, all []store.Measure) {
	for _, m := range all {
		if m.Name != i.name {
			continue
		}
		labels := make([]attribute.KeyValue, len(i.labels))
		for n, name := range i.labels {
			labels[n] = attribute.String(name, m.Labels[n])
		}
		o.Observe(m.Value, metric.WithAttributes(labels...))
	}
}
