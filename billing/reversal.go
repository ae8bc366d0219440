package billing

import "recoup/money"

// Reversal is money that a bank or a card network took back after an attempt had succeeded: an ACH return (up to 60 days later) or a
// chargeback (U5). It is an event of its own: the attempt stays succeeded, for it tells what happened then.
type Reversal struct {
	Reference string       // the gateway's id of the return or dispute; one is booked once
	Amount    money.Amount // what was taken back, above zero
	Code      string       // the gateway's reason ("insufficient_funds", "debit_not_authorized", "fraudulent")
	// Won: the money came back to us after all, or never left: the dispute was decided for us or was only an inquiry.
	Won bool
}

// ReversalSplit is where money that was taken back is missing now: what an attempt brought beyond its invoice goes first, then the
// invoice owes again, and what neither holds any more (it was refunded, or the invoice was given up) is lost.
type ReversalSplit struct {
	Unapplied money.Amount
	Reopened  money.Amount
	Lost      money.Amount
}

// PostReceiptReversed is the compensating posting of a receipt, or of a part of one.
const PostReceiptReversed = PostReceipt + reversedSuffix

// SplitReversal divides an amount: unapplied and owed are how much of this attempt's money still lies in the account's unapplied funds
// and on its invoice; both are in the amount's currency or zero.
func SplitReversal(amount, unapplied, owed money.Amount) ReversalSplit {
	c := amount.Currency()
	part := func(of int64, limit money.Amount) int64 {
		if limit.Currency() != c || !limit.IsPositive() {
			return 0
		}
		return min(of, limit.Minor())
	}
	left := amount.Minor()
	fromUnapplied := part(left, unapplied)
	left -= fromUnapplied
	reopened := part(left, owed)
	return ReversalSplit{Unapplied: money.New(fromUnapplied, c), Reopened: money.New(reopened, c), Lost: money.New(left-reopened, c)}
}

// ReceiptReversed books money that was taken back from us at a gateway (U5, M2).
func ReceiptReversed(gateway string, i Invoice, split ReversalSplit) Posting {
	p := Posting{Kind: PostReceiptReversed}
	total := int64(0)
	c := split.Reopened.Currency()
	for _, part := range split.legs(i) {
		if part.Amount.IsNegative() {
			return refused(p.Kind, "no part may be below zero, got %s", part.Amount)
		}
		if !part.Amount.IsZero() {
			p.Entries = append(p.Entries, part)
			total += part.Amount.Minor()
		}
	}
	p.Entries = append(p.Entries, Entry{GatewayClearingOf(gateway), money.New(-total, c)})
	return p
}

// OutOfBandReversed takes back a payment that a person had noted by mistake: from the invoice, from unapplied funds, or from both (U4).
func OutOfBandReversed(i Invoice, fromInvoice, fromUnapplied money.Amount) Posting {
	p := Posting{Kind: PostOutOfBand + reversedSuffix}
	total := int64(0)
	for _, part := range []Entry{{ReceivableOf(i.AccountID, i.ID), fromInvoice}, {UnappliedFundsOf(i.AccountID), fromUnapplied}} {
		if part.Amount.IsNegative() {
			return refused(p.Kind, "no part may be below zero, got %s", part.Amount)
		}
		if !part.Amount.IsZero() {
			p.Entries = append(p.Entries, part)
			total += part.Amount.Minor()
		}
	}
	p.Entries = append(p.Entries, Entry{Bank(), money.New(-total, fromInvoice.Currency())})
	return p
}
