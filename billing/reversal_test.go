package billing

import (
	"testing"

	"pgregory.net/rapid"

	"recoup/money"
)

// TestU5ReversalIsDividedWhole: whatever is left where, the parts make the whole, none is above what is there, and they balance.
func TestU5ReversalIsDividedWhole(t *testing.T) {
	usd := money.MustCurrency("USD")
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, from int64) money.Amount {
			return money.New(rapid.Int64Range(from, 1_000_000).Draw(t, name), usd)
		}
		amount, unapplied, owed := draw("amount", 1), draw("unapplied", 0), draw("owed", 0)
		s := SplitReversal(amount, unapplied, owed)
		if got := s.Unapplied.Minor() + s.Reopened.Minor() + s.Lost.Minor(); got != amount.Minor() {
			t.Fatalf("%+v makes %d of %s", s, got, amount)
		}
		if s.Unapplied.Minor() > unapplied.Minor() || s.Reopened.Minor() > owed.Minor() || s.Lost.IsNegative() {
			t.Fatalf("%+v of %s and %s", s, unapplied, owed)
		}
		if s.Lost.IsPositive() && (s.Unapplied != unapplied || s.Reopened != owed) {
			t.Fatalf("%+v is lost though something was left", s)
		}
		posting := ReceiptReversed("stripe", Invoice{ID: "inv-1", AccountID: "acme"}, s)
		if err := posting.Check(); err != nil {
			t.Fatal(err)
		}
		for _, e := range posting.Entries {
			if e.Account == GatewayClearingOf("stripe") && e.Amount.Minor() != -amount.Minor() {
				t.Fatalf("the gateway took %s back, the books say %s", amount, e.Amount)
			}
		}
	})
}

func TestReversalOfAnotherCurrencyTouchesNothing(t *testing.T) {
	usd, eur := money.MustCurrency("USD"), money.MustCurrency("EUR")
	s := SplitReversal(money.New(500, usd), money.New(900, eur), money.New(900, eur))
	if s.Lost != money.New(500, usd) {
		t.Errorf("%+v", s)
	}
}
