package billing

import "recoup/money"

// The builders below never fail: one given an amount that can't be booked returns a posting that Check refuses, so that the one place
// that stores postings is the one that handles the error.

// InvoiceIssued books an invoice's total: receivable against revenue. An invoice of zero has nothing to book: Check refuses it.
func InvoiceIssued(i Invoice) Posting {
	return move(PostInvoiceIssued, ReceivableOf(i.AccountID, i.ID), Revenue(), i.Total)
}

// CreditGranted books what a credit may pay: promotion expense against the credit's liability.
func CreditGranted(c Credit) Posting {
	return move(PostCreditGranted, PromotionExpense(), CreditLiabilityOf(c.AccountID, c.ID), c.Granted)
}

// CreditApplied books a lot of a credit put on an invoice. owner is the credit's account: with sharing another than the invoice's (CR4).
// Its Reversed gives the lot back (CR6).
func CreditApplied(owner AccountID, i Invoice, a Application) Posting {
	return move(PostCreditApplied, CreditLiabilityOf(owner, a.Credit), ReceivableOf(i.AccountID, i.ID), a.Amount)
}

// CreditExpired books that what was left of a credit can't be used any more.
func CreditExpired(c Credit, left money.Amount) Posting {
	return move(PostCreditExpired, CreditLiabilityOf(c.AccountID, c.ID), PromotionExpense(), left)
}

// DepositArrived books prepaid money that has arrived (AF3).
func DepositArrived(d Deposit) Posting {
	return move(PostDepositSettled, Bank(), AdvanceFundsOf(d.AccountID, d.ID), d.Amount)
}

// DepositTakenBack books a deposit taken back by the bank, once what it paid has been reversed (AF3).
func DepositTakenBack(d Deposit) Posting {
	return move(PostDepositReturned, AdvanceFundsOf(d.AccountID, d.ID), Bank(), d.Amount)
}

// FundsUsed books advance funds put on an invoice (AF1). Its Reversed releases them.
func FundsUsed(i Invoice, u Use) Posting {
	return move(PostFundsUsed, AdvanceFundsOf(i.AccountID, u.Deposit), ReceivableOf(i.AccountID, i.ID), u.Amount)
}

// Split is how money that arrived was booked: to the invoice and, above what was due, to unapplied funds (U4).
type Split struct {
	ToInvoice money.Amount
	Unapplied money.Amount
}

// Receipt books what a gateway captured for an invoice: up to due to the invoice, the rest to the account's unapplied funds (U4).
// Money in another currency than the invoice's goes to unapplied funds whole: it is always booked, never rejected.
func Receipt(gateway string, i Invoice, due, captured money.Amount) (Posting, Split) {
	return arrived(PostReceipt, GatewayClearingOf(gateway), i, due, captured)
}

// OutOfBand books what a person says was received by bank transfer or cheque, split as Receipt does (U4).
func OutOfBand(i Invoice, due, received money.Amount) (Posting, Split) {
	return arrived(PostOutOfBand, Bank(), i, due, received)
}

func arrived(kind PostingKind, at LedgerAccount, i Invoice, due, amount money.Amount) (Posting, Split) {
	if !amount.IsPositive() {
		return refused(kind, "amount must be above zero, got %s", amount), Split{}
	}
	split := Split{ToInvoice: money.Zero(amount.Currency()), Unapplied: amount}
	if due.Currency() == amount.Currency() && due.IsPositive() {
		split.ToInvoice = money.New(min(due.Minor(), amount.Minor()), amount.Currency())
		split.Unapplied = money.New(amount.Minor()-split.ToInvoice.Minor(), amount.Currency())
	}
	p := Posting{Kind: kind, Entries: []Entry{{at, amount}}}
	for _, part := range []Entry{
		{ReceivableOf(i.AccountID, i.ID), split.ToInvoice}, {UnappliedFundsOf(i.AccountID), split.Unapplied},
	} {
		if !part.Amount.IsZero() {
			p.Entries = append(p.Entries, Entry{part.Account, money.New(-part.Amount.Minor(), part.Amount.Currency())})
		}
	}
	return p, split
}

// MovedToUnapplied takes received money off an invoice that no longer wants it, for instance before it is voided (U4).
func MovedToUnapplied(i Invoice, amount money.Amount) Posting {
	return move(PostMovedToUnapplied, ReceivableOf(i.AccountID, i.ID), UnappliedFundsOf(i.AccountID), amount)
}

// UnappliedUsed puts an account's unapplied funds on one of its invoices.
func UnappliedUsed(i Invoice, amount money.Amount) Posting {
	return move(PostUnappliedUsed, UnappliedFundsOf(i.AccountID), ReceivableOf(i.AccountID, i.ID), amount)
}

// UnappliedRefunded sends unapplied funds back, through a gateway or, when gateway is "", from our bank account.
func UnappliedRefunded(account AccountID, gateway string, amount money.Amount) Posting {
	from := Bank()
	if gateway != "" {
		from = GatewayClearingOf(gateway)
	}
	return move(PostUnappliedRefunded, UnappliedFundsOf(account), from, amount)
}

// Void takes an invoice's total out of revenue and receivable. Its lots, funds and receipts must have been reversed or moved to
// unapplied funds first, so that the whole total is due.
func Void(i Invoice, due money.Amount) Posting {
	if due != i.Total {
		return refused(PostVoid, "invoice %s: %s of %s is due: give back what was allocated first", i.ID, due, i.Total)
	}
	return move(PostVoid, Revenue(), ReceivableOf(i.AccountID, i.ID), i.Total)
}

// WriteOff gives up what is due of an invoice.
func WriteOff(i Invoice, due money.Amount) Posting {
	return move(PostWriteOff, BadDebt(), ReceivableOf(i.AccountID, i.ID), due)
}
