package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"recoup/money"
)

// Application is a lot of a credit put on one line of an invoice.
type Application struct {
	Credit  CreditID
	Line    int // the line's position
	Service string
	Amount  money.Amount
}

// excludedFromCredits are the kinds a credit pays only when it says so (CR3).
var excludedFromCredits = []ChargeKind{ChargeUpfront, ChargeMarketplace, ChargeSupport, ChargeTax}

// AllocateCredits returns the lots of credits that pay an invoice at an instant (CR1–CR4, CR7). Credits are taken by CR1's order, each
// put on the largest service charge it may pay, then the next (CR2). sharedFrom names the other accounts of the organisation whose
// credits serve this one too (CR4, see SharedFrom). earlier are the lots already on the invoice.
//
// The lots never sum to more than a credit's remaining, a line's charge, a service's charge less its discounts, or what is due.
// An error means the input contradicts itself: nothing is allocated then.
func AllocateCredits(
	now time.Time, invoice Invoice, credits []Credit, sharedFrom []AccountID, earlier []Application,
) ([]Application, error) {
	if invoice.State != InvoiceOpen {
		return nil, nil
	}
	t, err := newTable(invoice, earlier)
	if err != nil {
		return nil, fmt.Errorf("credits for invoice %s: %w", invoice.ID, err)
	}
	usable, err := usableCredits(now, invoice, credits, sharedFrom)
	if err != nil {
		return nil, fmt.Errorf("credits for invoice %s: %w", invoice.ID, err)
	}
	var out []Application
	for _, c := range usable {
		lots, err := t.apply(c)
		if err != nil {
			return nil, fmt.Errorf("credits for invoice %s: credit %s: %w", invoice.ID, c.ID, err)
		}
		out = append(out, lots...)
	}
	return out, nil
}

// usableCredits returns the credits that may pay anything of an invoice now, in CR1's order.
func usableCredits(now time.Time, invoice Invoice, credits []Credit, sharedFrom []AccountID) ([]Credit, error) {
	var usable []Credit
	seen := map[CreditID]bool{}
	for _, c := range credits {
		if seen[c.ID] {
			return nil, fmt.Errorf("credit %s is there twice", c.ID)
		}
		seen[c.ID] = true
		if c.Remaining.IsNegative() {
			return nil, fmt.Errorf("credit %s has %s left", c.ID, c.Remaining)
		}
		serves := c.AccountID == invoice.AccountID || slices.Contains(sharedFrom, c.AccountID)
		if serves && c.UsableAt(now) && c.Remaining.Currency() == invoice.Total.Currency() {
			usable = append(usable, c)
		}
	}
	slices.SortFunc(usable, creditOrder)
	return usable, nil
}

// Pays reports whether a credit may pay a line of an invoice at all: its service, its kind and its period (CR3).
func (c Credit) Pays(invoice Invoice, l Line) bool {
	if len(c.Services) > 0 && !slices.Contains(c.Services, l.Service) {
		return false
	}
	kinds := []ChargeKind{l.ChargeKind}
	if invoice.Marketplace {
		kinds = append(kinds, ChargeMarketplace)
	}
	for _, k := range kinds {
		if slices.Contains(excludedFromCredits, k) && !slices.Contains(c.IncludedKinds, k) {
			return false
		}
	}
	return !l.PeriodStart.UTC().Before(monthOf(c.StartsOn))
}

func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// creditOrder is CR1: soonest expiry, then fewest eligible services, then oldest, then id. No expiry and no list of services, which
// means all of them, sort last.
func creditOrder(a, b Credit) int {
	return cmp.Or(
		orLast(a.ExpiresAt.IsZero(), b.ExpiresAt.IsZero()), a.ExpiresAt.Compare(b.ExpiresAt),
		orLast(len(a.Services) == 0, len(b.Services) == 0), cmp.Compare(len(a.Services), len(b.Services)),
		a.GrantedAt.Compare(b.GrantedAt),
		cmp.Compare(a.ID, b.ID),
	)
}

func orLast(aLast, bLast bool) int {
	switch {
	case aLast && !bLast:
		return 1
	case bLast && !aLast:
		return -1
	}
	return 0
}

// SharedFrom returns the accounts of an organisation whose credits serve an account besides its own (CR4). organisation are the
// accounts with the same owning account, that one included.
func SharedFrom(account AccountID, organisation []Account) []AccountID {
	var out []AccountID
	for _, a := range organisation {
		if a.ID != account && a.CreditSharing {
			out = append(out, a.ID)
		}
	}
	return out
}

// KeepForOwners returns shared credits less what the owning accounts' own open invoices will take of them: those come first (CR4).
// owners are these invoices; lots earlier on them are in earlier, by invoice.
func KeepForOwners(now time.Time, credits []Credit, owners []Invoice, earlier map[InvoiceID][]Application) ([]Credit, error) {
	out := slices.Clone(credits)
	owners = slices.Clone(owners)
	slices.SortFunc(owners, func(a, b Invoice) int { return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.ID, b.ID)) })
	for _, invoice := range owners {
		lots, err := AllocateCredits(now, invoice, out, nil, earlier[invoice.ID])
		if err != nil {
			return nil, err
		}
		for _, lot := range lots {
			i := slices.IndexFunc(out, func(c Credit) bool { return c.ID == lot.Credit })
			if out[i].Remaining, err = out[i].Remaining.Sub(lot.Amount); err != nil {
				return nil, fmt.Errorf("credit %s: %w", lot.Credit, err)
			}
		}
	}
	return out, nil
}

// oneCurrency refuses an amount in another currency than an invoice's.
func oneCurrency(what string, a money.Amount, c money.Currency) error {
	if a.Currency() != c {
		return fmt.Errorf("%s is in %s, the invoice in %s: %w", what, a.Currency(), c, money.ErrCurrencyMismatch)
	}
	return nil
}
