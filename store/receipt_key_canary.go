//go:build canary_receipt_not_unique

package store

import "github.com/google/uuid"

// Believed in review: money that comes after the end is another payment, so it needs a key of its own.
func receiptKey(row attemptRow) string {
	if row.State.Final() {
		return "receipt/" + row.ID.String() + "/" + uuid.NewString()
	}
	return "receipt/" + row.ID.String()
}
