package billing

import (
	"time"

	"recoup/money"
)

// NoticeData is what the transaction that causes a notice leaves with it: ids, amounts and codes (I18). It only points at what the
// notice is about; amounts due, sources, reasons and dates in the text are read again from the ledger when it is sent (N3, I11).
// Every field is optional. By kind:
//
//	receipt                Attempt when a method was charged
//	backup_charged         Attempt (the backup's), Round
//	payment_failed         Round
//	payment_processing, payment_returned, action_required   Attempt
//	final_notice, suspension_scheduled                      SuspendAt as promised then; a later true date wins
//	suspended, reinstated  Generation of the standing
//	funds_received         Amount
//	method_blocked         Method
type NoticeData struct {
	Attempt    AttemptID     `json:"attempt,omitempty"`
	Round      int           `json:"round,omitempty"`
	Method     MethodID      `json:"method,omitempty"`
	Amount     *money.Amount `json:"amount,omitempty"`
	SuspendAt  time.Time     `json:"suspend_at,omitzero"`
	Generation int64         `json:"generation,omitempty"`
}
