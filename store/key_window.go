//go:build !canary_resend_after_window

package store

import "time"

// insideWindow lets attempt a go at the instant $2 only while its key lives, $3 seconds from the first send: after that the gateway would
// take the same key for a new one and charge again (U1, I13).
const insideWindow = `(a.first_sent_at is null or $2 < a.first_sent_at + make_interval(secs => $3))`

// keyOutlived is the opposite of insideWindow, for what is read before a send.
func keyOutlived(row attemptRow, now time.Time, window time.Duration) bool {
	return row.FirstSentAt != nil && now.Sub(*row.FirstSentAt) >= window
}
