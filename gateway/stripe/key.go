//go:build !canary_key_with_run_id

package stripe

import "recoup/billing"

// keyOf is the attempt's id and nothing else, however often and by whomever the attempt is sent (PM5).
func keyOf(id billing.AttemptID) idempotencyKey { return idempotencyKey(id) }
