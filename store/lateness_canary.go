//go:build canary_outage_counts

package store

import "time"

// Believed in review: the customer was told these dates, and whose fault the delay was does not move them.
func lateBy(time.Time, time.Time) time.Duration { return 0 }
