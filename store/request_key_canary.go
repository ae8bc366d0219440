//go:build canary_resolution_not_idempotent

package store

import (
	"github.com/google/uuid"

	"recoup/billing"
)

// Believed in review: doors may choose the same id by chance, so each delivery gets one of its own.
func keptUnder(r billing.Resolution) string { return r.RequestID + "." + uuid.NewString() }
