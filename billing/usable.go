//go:build !canary_expiry_by_sweeper

package billing

import "time"

// UsableAt reports whether a credit can pay anything at an instant: enabled, begun, not expired and not used up. Expiry is read here,
// never from a mark some sweeper left (CR3).
func (c Credit) UsableAt(now time.Time) bool {
	return c.Enabled && c.Remaining.IsPositive() && !now.Before(c.StartsOn) && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt))
}
