//go:build canary_missing_leg

package billing

// Believed in review: what was given up before was written off before.
func (s ReversalSplit) legs(i Invoice) []Entry {
	return []Entry{{UnappliedFundsOf(i.AccountID), s.Unapplied}, {ReceivableOf(i.AccountID, i.ID), s.Reopened}}
}
