package dunning

import (
	"testing"
	"time"

	"recoup/billing"
)

func TestU5OnlyAReturnForLackOfMoneyLeavesTheMethodUsable(t *testing.T) {
	for _, c := range []struct {
		kind   billing.MethodKind
		code   string
		blocks bool
	}{
		{billing.MethodCard, "fraudulent", true}, {billing.MethodCard, "insufficient_funds", true},
		{billing.MethodUSBankAccount, "insufficient_funds", false}, {billing.MethodUSBankAccount, "debit_not_authorized", true},
		{billing.MethodUSBankAccount, "", true}, {billing.MethodSEPADebit, "general", true},
	} {
		if got := ReversalBlocks(c.kind, c.code); got != c.blocks {
			t.Errorf("%s %q blocks: %v", c.kind, c.code, got)
		}
	}
}

func TestU5BankDebitsAreLookedAtFor61Days(t *testing.T) {
	paid := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	if at := NextReturnCheck(billing.MethodCard, paid, paid); !at.IsZero() {
		t.Errorf("a card is looked at %s", at)
	}
	n, now := 0, paid
	for at := NextReturnCheck(billing.MethodUSBankAccount, paid, now); !at.IsZero(); at = NextReturnCheck(billing.MethodUSBankAccount, paid, now) {
		if n++; n > 10 || !at.After(now) {
			t.Fatalf("look %d at %s", n, at)
		}
		now = at
	}
	if n == 0 || now.Sub(paid) < 60*24*time.Hour {
		t.Errorf("%d looks, the last %s after the success", n, now.Sub(paid))
	}
}
