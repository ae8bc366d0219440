//go:build canary_key_with_run_id

package stripe

import (
	"fmt"
	"time"

	"recoup/billing"
)

// Believed in review: each try should be told apart at the gateway, and the attempt's id is still in the key.
func keyOf(id billing.AttemptID) idempotencyKey {
	return idempotencyKey(fmt.Sprintf("%s-%d", id, time.Now().UnixNano()))
}
