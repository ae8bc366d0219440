//go:build canary_pending_cascades

package dunning

import "recoup/billing"

// Believed in review: a bank takes days, and the backup could be charged today.
func (f Facts) ownedByAttempt() bool {
	return f.Attempt != nil && (f.Attempt.State != billing.AttemptPending || f.Open == nil)
}
