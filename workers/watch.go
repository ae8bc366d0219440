package workers

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"recoup/audit"
	"recoup/store"
)

// Watch looks at the whole database for dashboards and alerts: it measures, and audits on an interval. One worker of all does it at a
// time, so that nothing is counted or audited twice; the others tell nothing of it.
type Watch struct {
	Store *store.Store
	Meter metric.Meter
	Log   *slog.Logger
	// AuditEvery is the interval of incremental audits; a full one runs once a day, and records a checkpoint when all is well. 0: none.
	AuditEvery time.Duration
	// MeasureEvery is the interval of measurings; zero: 15 s.
	MeasureEvery time.Duration

	mu     sync.Mutex
	leads  bool
	gauges []store.Measure
	counts map[series]float64
	upto   int64
	audits map[string]audited
	broken map[string]int64
	full   time.Time
}

// series is one labelled number.
type series struct {
	name   string
	labels [3]string
}

// audited is the last audit of a kind, full or incremental.
type audited struct {
	at   time.Time
	took time.Duration
}

const (
	measureEvery = 15 * time.Second
	fullEvery    = 24 * time.Hour
)

// Run watches until ctx ends. A measuring or an audit that fails is logged and made again.
func (w *Watch) Run(ctx context.Context) error {
	if err := w.instruments(); err != nil {
		return err
	}
	return w.Store.Lead(ctx, "watch", func(ctx context.Context) error {
		w.begin()
		defer w.end()
		loops, ctx := errgroup.WithContext(ctx)
		loops.Go(func() error { return every(ctx, cmp.Or(w.MeasureEvery, measureEvery), w.measure) })
		if w.AuditEvery > 0 {
			loops.Go(func() error { return every(ctx, w.AuditEvery, w.audit) })
		}
		return loops.Wait()
	})
}

func every(ctx context.Context, interval time.Duration, f func(context.Context)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f(ctx)
		}
	}
}

// begin forgets what an earlier time of leading knew: another worker counted since.
func (w *Watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leads, w.gauges, w.counts, w.upto = true, nil, map[series]float64{}, 0
	w.audits, w.broken = map[string]audited{}, map[string]int64{}
}

func (w *Watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leads = false
}

func (w *Watch) measure(ctx context.Context) {
	w.mu.Lock()
	since := w.upto
	w.mu.Unlock()
	m, err := w.Store.Measure(ctx, since)
	if err != nil {
		if ctx.Err() == nil {
			w.Log.Warn("nothing measured", "error", err)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gauges, w.upto = m.Gauges, m.Upto
	for _, c := range m.Counts {
		w.counts[series{c.Name, c.Labels}] += c.Value
	}
}

func (w *Watch) audit(ctx context.Context) {
	full, err := w.fullIsDue(ctx)
	if err != nil {
		w.Log.Warn("the audit could not be carried out", "error", err)
		return
	}
	report, err := audit.Run(ctx, w.Store.Pool(), audit.Options{SinceLast: !full})
	if err == nil {
		err = w.Store.KeepWatermarks(ctx, report.Watermark, report.Counter, report.Held())
	}
	if err == nil && full && report.OK() {
		_, err = w.Store.RecordCheckpoint(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.Log.Error("the audit could not be carried out", "full", full, "error", err)
		}
		return
	}
	for _, i := range report.Broken() {
		first := i.Breaches[0]
		w.Log.Error("an invariant is broken: recoup audit lists every breach and says what to do", "invariant", i.ID, "breaches", i.Total,
			"first_kind", first.Kind, "first_id", first.ID)
	}
	w.note(report, full)
}

// note keeps what an audit found. An incremental one says nothing of invariants that an earlier one found broken and it did not look at
// whole, but their watermarks stay, so it does look at those.
func (w *Watch) note(report audit.Report, full bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kind := "since_last"
	if full {
		kind, w.full = "full", report.At
	}
	w.audits[kind] = audited{at: time.Now(), took: report.Took}
	for _, i := range report.Invariants {
		w.broken[i.ID] = i.Total
	}
}

// fullIsDue: once a day over all workers, by the checkpoints; one that found something is not made again before tomorrow.
func (w *Watch) fullIsDue(ctx context.Context) (bool, error) {
	last, err := w.Store.LastCheckpoint(ctx)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(last) > fullEvery && time.Since(w.full) > fullEvery, nil
}
