package billing

import (
	"errors"
	"fmt"

	"recoup/money"
)

// LedgerKind is a sort of ledger account: the chart of accounts.
type LedgerKind string

// The chart of accounts. Debits are positive: assets and expenses grow by them; liabilities and revenue grow by credits.
const (
	LedgerReceivable       LedgerKind = "receivable"        // asset: what an invoice still owes
	LedgerGatewayClearing  LedgerKind = "gateway_clearing"  // asset: what a gateway took and has not paid out
	LedgerBank             LedgerKind = "bank"              // asset: money in our bank account
	LedgerRevenue          LedgerKind = "revenue"           //
	LedgerPromotionExpense LedgerKind = "promotion_expense" // expense: credits granted
	LedgerBadDebt          LedgerKind = "bad_debt"          // expense: written off
	LedgerCreditLiability  LedgerKind = "credit_liability"  // liability: what a credit can still pay
	LedgerAdvanceFunds     LedgerKind = "advance_funds"     // liability: what a deposit can still pay
	LedgerUnappliedFunds   LedgerKind = "unapplied_funds"   // liability: money received that belongs to no invoice yet (U4)
)

// LedgerAccount is one account of the ledger: a kind and, by kind, what it belongs to.
type LedgerAccount struct {
	Kind    LedgerKind
	Account AccountID // of receivable, credit_liability, advance_funds, unapplied_funds
	Invoice InvoiceID // of receivable
	Credit  CreditID  // of credit_liability
	Deposit DepositID // of advance_funds
	Gateway string    // of gateway_clearing
}

// ReceivableOf is what an invoice still owes.
func ReceivableOf(account AccountID, invoice InvoiceID) LedgerAccount {
	return LedgerAccount{Kind: LedgerReceivable, Account: account, Invoice: invoice}
}

// CreditLiabilityOf is what a credit can still pay.
func CreditLiabilityOf(account AccountID, credit CreditID) LedgerAccount {
	return LedgerAccount{Kind: LedgerCreditLiability, Account: account, Credit: credit}
}

// AdvanceFundsOf is what a deposit can still pay.
func AdvanceFundsOf(account AccountID, deposit DepositID) LedgerAccount {
	return LedgerAccount{Kind: LedgerAdvanceFunds, Account: account, Deposit: deposit}
}

// UnappliedFundsOf is an account's money that belongs to no invoice yet.
func UnappliedFundsOf(account AccountID) LedgerAccount {
	return LedgerAccount{Kind: LedgerUnappliedFunds, Account: account}
}

// GatewayClearingOf is what a gateway took and has not paid out.
func GatewayClearingOf(gateway string) LedgerAccount {
	return LedgerAccount{Kind: LedgerGatewayClearing, Gateway: gateway}
}

// Bank is our money at the bank. It belongs to nobody, like Revenue, PromotionExpense and BadDebt: there is one of each.
func Bank() LedgerAccount { return LedgerAccount{Kind: LedgerBank} }

// Revenue is what was billed.
func Revenue() LedgerAccount { return LedgerAccount{Kind: LedgerRevenue} }

// PromotionExpense is what credits cost.
func PromotionExpense() LedgerAccount { return LedgerAccount{Kind: LedgerPromotionExpense} }

// BadDebt is what was written off.
func BadDebt() LedgerAccount { return LedgerAccount{Kind: LedgerBadDebt} }

// Code names the account in the journal: "receivable:inv-7", "unapplied_funds:acme", "gateway_clearing:stripe", "bank".
func (a LedgerAccount) Code() string {
	if owner := a.owner(); owner != "" {
		return string(a.Kind) + ":" + owner
	}
	return string(a.Kind)
}

func (a LedgerAccount) owner() string {
	switch a.Kind {
	case LedgerReceivable:
		return string(a.Invoice)
	case LedgerCreditLiability:
		return string(a.Credit)
	case LedgerAdvanceFunds:
		return string(a.Deposit)
	case LedgerUnappliedFunds:
		return string(a.Account)
	case LedgerGatewayClearing:
		return a.Gateway
	default:
		return ""
	}
}

// check refuses an account of an unknown kind, without what it belongs to, or with what it doesn't.
func (a LedgerAccount) check() error {
	want := LedgerAccount{Kind: a.Kind}
	switch a.Kind {
	case LedgerReceivable:
		want.Account, want.Invoice = a.Account, a.Invoice
	case LedgerCreditLiability:
		want.Account, want.Credit = a.Account, a.Credit
	case LedgerAdvanceFunds:
		want.Account, want.Deposit = a.Account, a.Deposit
	case LedgerUnappliedFunds:
		want.Account = a.Account
	case LedgerGatewayClearing:
		want.Gateway = a.Gateway
	case LedgerBank, LedgerRevenue, LedgerPromotionExpense, LedgerBadDebt:
		if a != want {
			return fmt.Errorf("ledger account %s belongs to nobody, got %+v", a.Kind, a)
		}
		return nil
	default:
		return fmt.Errorf("unknown ledger account %q", a.Kind)
	}
	if a != want {
		return fmt.Errorf("ledger account %s has an id that is not its own: %+v", a.Kind, a)
	}
	if a.owner() == "" || a.Kind != LedgerGatewayClearing && a.Account == "" {
		return fmt.Errorf("ledger account %s lacks an id: %+v", a.Kind, a)
	}
	return nil
}

// Entry is one side of a posting: debit positive, credit negative.
type Entry struct {
	Account LedgerAccount
	Amount  money.Amount
}

// PostingKind says what a posting books.
type PostingKind string

// The kinds of postings.
const (
	PostInvoiceIssued     PostingKind = "invoice_issued"
	PostCreditGranted     PostingKind = "credit_granted"
	PostCreditApplied     PostingKind = "credit_applied"
	PostCreditExpired     PostingKind = "credit_expired"
	PostDepositSettled    PostingKind = "deposit_settled"
	PostDepositReturned   PostingKind = "deposit_returned"
	PostFundsUsed         PostingKind = "funds_used"
	PostReceipt           PostingKind = "receipt"
	PostOutOfBand         PostingKind = "out_of_band"
	PostMovedToUnapplied  PostingKind = "moved_to_unapplied"
	PostUnappliedUsed     PostingKind = "unapplied_used"
	PostUnappliedRefunded PostingKind = "unapplied_refunded"
	PostVoid              PostingKind = "void"
	PostWriteOff          PostingKind = "write_off"
)

// reversedSuffix marks the kind of a compensating posting.
const reversedSuffix = "_reversed"

// Posting is one balanced movement of value (M2).
type Posting struct {
	Kind    PostingKind
	Entries []Entry

	wrong error // why a builder could not build it; Check says so
}

// ErrUnbalanced is what Check answers for entries that don't sum to zero.
var ErrUnbalanced = errors.New("posting does not sum to zero")

// Check refuses a posting that isn't balanced per currency, has an entry of zero, fewer than two entries, or an account that lacks
// what it belongs to (M2, I7).
func (p Posting) Check() error {
	if p.wrong != nil {
		return p.wrong
	}
	if p.Kind == "" || len(p.Entries) < 2 {
		return fmt.Errorf("posting %q: want a kind and at least two entries, got %d", p.Kind, len(p.Entries))
	}
	sums := map[money.Currency]money.Amount{}
	for i, e := range p.Entries {
		if err := e.Account.check(); err != nil {
			return fmt.Errorf("posting %s: entry %d: %w", p.Kind, i, err)
		}
		c := e.Amount.Currency()
		if e.Amount.IsZero() || c.Code() == "" {
			return fmt.Errorf("posting %s: entry %d on %s: amount must not be zero", p.Kind, i, e.Account.Code())
		}
		if _, ok := sums[c]; !ok {
			sums[c] = money.Zero(c)
		}
		sum, err := sums[c].Add(e.Amount)
		if err != nil {
			return fmt.Errorf("posting %s: entry %d: %w", p.Kind, i, err)
		}
		sums[c] = sum
	}
	for _, sum := range sums {
		if !sum.IsZero() {
			return fmt.Errorf("posting %s: %w: off by %s", p.Kind, ErrUnbalanced, sum)
		}
	}
	return nil
}

// Reversed returns the posting that takes this one back: a correction is a new transaction, never a change (M2).
func (p Posting) Reversed() Posting {
	r := Posting{Kind: p.Kind + reversedSuffix, wrong: p.wrong}
	for _, e := range p.Entries {
		n, err := e.Amount.Neg()
		if err != nil {
			return refused(r.Kind, "%v", err)
		}
		r.Entries = append(r.Entries, Entry{Account: e.Account, Amount: n})
	}
	return r
}

// move builds the posting most facts are: one amount from a credited to a debited account. The amount must be above zero.
func move(kind PostingKind, debit, credit LedgerAccount, amount money.Amount) Posting {
	if !amount.IsPositive() {
		return refused(kind, "amount must be above zero, got %s", amount)
	}
	return Posting{Kind: kind, Entries: []Entry{{debit, amount}, {credit, money.New(-amount.Minor(), amount.Currency())}}}
}

// refused is a posting that can't be booked, and why.
func refused(kind PostingKind, format string, args ...any) Posting {
	return Posting{Kind: kind, wrong: fmt.Errorf("posting %s: %s", kind, fmt.Sprintf(format, args...))}
}
