package races

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// gate counts the statements of one operation and holds it before one of them. It travels in the operation's context.
type gate struct {
	at      int // hold before this statement, counted from 1; 0: never
	n       int
	pid     atomic.Uint32 // of the backend that ran the last statement
	reached chan struct{}
	open    chan struct{}
	before  string // the statement it was held before
}

func newGate(at int) *gate {
	return &gate{at: at, reached: make(chan struct{}), open: make(chan struct{})}
}

type gateKey struct{}

func (g *gate) on(ctx context.Context) context.Context { return context.WithValue(ctx, gateKey{}, g) }

// tracer leads every statement of a pool through the gate of its context.
type tracer struct{}

func step(ctx context.Context, conn *pgx.Conn, sql string) context.Context {
	g, ok := ctx.Value(gateKey{}).(*gate)
	if !ok || sql == ";" || sql == "-- ping" { // the pool's own
		return ctx
	}
	g.pid.Store(conn.PgConn().PID())
	g.n++
	if g.n == g.at {
		g.before = sql
		close(g.reached)
		<-g.open
	}
	return ctx
}

func (tracer) TraceQueryStart(ctx context.Context, c *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return step(ctx, c, d.SQL)
}
func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (tracer) TraceBatchStart(ctx context.Context, c *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return step(ctx, c, "a batch")
}
func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (tracer) TraceCopyFromStart(ctx context.Context, c *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	return step(ctx, c, "copy "+d.TableName.Sanitize())
}
func (tracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}
