//go:build !canary_resolution_not_idempotent

package store

import "recoup/billing"

// keptUnder is the id that a decision and all it books are kept under: the asker's, so that asking again finds the first answer (R2).
func keptUnder(r billing.Resolution) string { return r.RequestID }
