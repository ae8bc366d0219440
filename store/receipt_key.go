//go:build !canary_receipt_not_unique

package store

// receiptKey names an attempt's receipt in the journal. Whoever reports its money, the call, a look-up or a webhook, it is one fact (I2).
func receiptKey(row attemptRow) string { return "receipt/" + row.ID.String() }
