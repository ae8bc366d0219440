// Package metrics is how a process tells numbers: an OpenTelemetry meter, and an HTTP listener of its own on which Prometheus reads them.
//
// It owns the listener and what is true of every process (Go's runtime, connections to Postgres). What the numbers mean is their makers': the
// watch in workers, Temporal's SDK.
package metrics

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"recoup/serving"
)

// Config is where a process tells its metrics. Empty: nowhere.
type Config struct {
	Addr string `env:"RECOUP_METRICS_ADDR"` // where /metrics listens; keep it inside your network
}

// Metrics is one process's metrics.
type Metrics struct {
	registry *prometheus.Registry
	provider *sdk.MeterProvider
}

// New makes the meter. Without anybody who reads it costs next to nothing.
func New() (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &Metrics{registry: registry, provider: sdk.NewMeterProvider(sdk.WithReader(exporter))}, nil
}

// Meter makes instruments.
func (m *Metrics) Meter() metric.Meter { return m.provider.Meter("recoup") }

// Watch tells how many connections to Postgres the pool has, by what they do.
func (m *Metrics) Watch(pool *pgxpool.Pool) error {
	_, err := m.Meter().Int64ObservableGauge("recoup_db_connections", metric.WithDescription("Connections of this process to Postgres, by what they do."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			s := pool.Stat()
			for state, n := range map[string]int32{"busy": s.AcquiredConns(), "idle": s.IdleConns(), "opening": s.ConstructingConns()} {
				o.Observe(int64(n), metric.WithAttributes(attribute.String("state", state)))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// Handler answers GET /metrics in Prometheus' text format, and GET /healthz.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	return mux
}

const stopWait = 3 * time.Second

// Serve listens until ctx ends; with an empty address it only waits. ready, which may be nil, is called with the address.
func (m *Metrics) Serve(ctx context.Context, c Config, ready func(addr string)) error {
	if c.Addr == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := serving.Listen(ctx, c.Addr)
	if err != nil {
		return fmt.Errorf("metrics: RECOUP_METRICS_ADDR: %w", err)
	}
	server := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	if err := serving.Until(ctx, server, listener, stopWait, ready); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
