//go:build !canary_missing_leg

package billing

// legs are the places where money that was taken back is missing now; what nobody holds any more is a loss, and booked as one (M2).
func (s ReversalSplit) legs(i Invoice) []Entry {
	return []Entry{{UnappliedFundsOf(i.AccountID), s.Unapplied}, {ReceivableOf(i.AccountID, i.ID), s.Reopened}, {BadDebt(), s.Lost}}
}
