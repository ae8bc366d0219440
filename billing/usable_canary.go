//go:build canary_expiry_by_sweeper

package billing

import "time"

// UsableAt is believed in review because a nightly sweep disables what has expired.
func (c Credit) UsableAt(now time.Time) bool {
	return c.Enabled && c.Remaining.IsPositive() && !now.Before(c.StartsOn)
}
