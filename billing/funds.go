package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"recoup/money"
)

// Use is a part of a deposit put on an invoice.
type Use struct {
	Deposit DepositID
	Amount  money.Amount
}

// AllocateFunds returns which deposits pay due of an invoice, and how much each (AF1): only settled ones of the invoice's own account
// and currency, the oldest settled first. A marketplace invoice takes none unless allowMarketplace (AF2). due is what is left after
// credits; the uses never sum to more. An error means the input contradicts itself.
func AllocateFunds(now time.Time, invoice Invoice, due money.Amount, deposits []Deposit, allowMarketplace bool) ([]Use, error) {
	owed, err := invoice.Due()
	if err != nil {
		return nil, fmt.Errorf("funds for invoice %s: %w", invoice.ID, err)
	}
	left, err := money.Min(owed, due)
	if err != nil {
		return nil, fmt.Errorf("funds for invoice %s: %w", invoice.ID, err)
	}
	if invoice.State != InvoiceOpen || invoice.Marketplace && !allowMarketplace {
		return nil, nil
	}
	var usable []Deposit
	seen := map[DepositID]bool{}
	for _, d := range deposits {
		if seen[d.ID] {
			return nil, fmt.Errorf("funds for invoice %s: deposit %s is there twice", invoice.ID, d.ID)
		}
		seen[d.ID] = true
		if d.usableFor(now, invoice) {
			usable = append(usable, d)
		}
	}
	slices.SortFunc(usable, func(a, b Deposit) int {
		return cmp.Or(a.SettledAt.Compare(b.SettledAt), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	var uses []Use
	for _, d := range usable {
		if !left.IsPositive() {
			break
		}
		amount, err := money.Min(left, d.Remaining)
		if err != nil {
			return nil, fmt.Errorf("funds for invoice %s: deposit %s: %w", invoice.ID, d.ID, err)
		}
		if left, err = left.Sub(amount); err != nil {
			return nil, fmt.Errorf("funds for invoice %s: deposit %s: %w", invoice.ID, d.ID, err)
		}
		uses = append(uses, Use{Deposit: d.ID, Amount: amount})
	}
	return uses, nil
}

// usableFor reports whether a deposit may pay an invoice. Funds are neither transferable nor convertible and don't expire (AF2); they
// are usable only when settled (AF3).
func (d Deposit) usableFor(now time.Time, invoice Invoice) bool {
	return d.State == DepositSettled &&
		!d.SettledAt.After(now) &&
		d.AccountID == invoice.AccountID &&
		d.Remaining.Currency() == invoice.Total.Currency() &&
		d.Remaining.IsPositive()
}
