package stripe_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"recoup/billing"
)

// BenchmarkCharge is one successful charge over HTTP, the simulator's transaction included.
func BenchmarkCharge(b *testing.B) {
	s := newStand(b)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := tenDollars
			req.CustomerToken, req.Attempt = "", billing.AttemptID(fmt.Sprintf("bench-%d", n.Add(1)))
			if got := s.adapter.Charge(b.Context(), req); got.State != billing.AttemptSucceeded {
				b.Errorf("%s: %s", got.State, got.Message)
			}
		}
	})
	b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "charges/s")
}
