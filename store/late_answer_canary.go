//go:build canary_late_success_dropped

package store

import (
	"context"

	"recoup/billing"
)

// Believed in review: the attempt has ended, and what is said of it afterwards is an echo.
func (e *episode) recordLate(context.Context, attemptRow, billing.Answer) error { return nil }
