//go:build !canary_outage_counts

package store

import "time"

// lateBy is how much later than planned a dated step runs; the stage clock makes up for it (T1).
func lateBy(planned, now time.Time) time.Duration { return now.Sub(planned) }
