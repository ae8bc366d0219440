package money

import (
	"errors"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func rats(t interface{ Fatalf(string, ...any) }, texts ...string) []*big.Rat {
	var out []*big.Rat
	for _, s := range texts {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is not a number", s)
		}
		out = append(out, r)
	}
	return out
}

func TestM1ApportionByLargestRemainder(t *testing.T) {
	cases := []struct {
		name     string
		currency string
		parts    []string
		want     []int64
	}{
		{"thirds of a dollar", "USD", []string{"1/3", "1/3", "1/3"}, []int64{34, 33, 33}},
		{"the largest remainder first", "USD", []string{"0.001", "0.008", "0.001"}, []int64{0, 1, 0}},
		{"many crumbs make a cent", "USD", []string{"0.004", "0.004", "0.004"}, []int64{1, 0, 0}},
		{"half to even, down", "USD", []string{"0.125"}, []int64{12}},
		{"half to even, up", "USD", []string{"0.135"}, []int64{14}},
		{"half to even, negative", "USD", []string{"-0.125"}, []int64{-12}},
		{"a discount", "USD", []string{"10.006", "-0.003"}, []int64{1000, 0}},
		{"a discount that must grow", "USD", []string{"10.001", "-0.008"}, []int64{1000, -1}},
		{"nothing to round", "USD", []string{"1.00", "-0.50", "0"}, []int64{100, -50, 0}},
		{"yen", "JPY", []string{"0.5", "0.5", "0.5"}, []int64{1, 1, 0}},
		{"dinars", "KWD", []string{"0.0005", "0.0005"}, []int64{1, 0}},
		{"no parts", "USD", nil, []int64{}},
	}
	for _, c := range cases {
		got, err := Apportion(rats(t, c.parts...), MustCurrency(c.currency))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		minors := []int64{}
		for _, a := range got {
			minors = append(minors, a.Minor())
		}
		if diff := cmp.Diff(c.want, minors); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestM1ApportionRefusesWhatDoesNotFit(t *testing.T) {
	usd := MustCurrency("USD")
	if _, err := Apportion(rats(t, "1e30"), usd); !errors.Is(err, ErrOverflow) {
		t.Errorf("a huge bill: %v", err)
	}
	// The bill fits, its parts don't.
	if _, err := Apportion(rats(t, "1e30", "-1e30"), usd); !errors.Is(err, ErrOverflow) {
		t.Errorf("huge parts: %v", err)
	}
	if _, err := Apportion([]*big.Rat{nil}, usd); err == nil {
		t.Error("a missing part was taken")
	}
}

func TestM1ApportionAddsUp(t *testing.T) {
	part := rapid.Custom(func(t *rapid.T) *big.Rat {
		return big.NewRat(rapid.Int64Range(-1e9, 1e9).Draw(t, "number"), rapid.Int64Range(1, 1e6).Draw(t, "denominator"))
	})
	rapid.Check(t, func(t *rapid.T) {
		c := anyCurrency().Draw(t, "currency")
		parts := rapid.SliceOfN(part, 0, 20).Draw(t, "parts")
		got, err := Apportion(parts, c)
		if err != nil {
			t.Fatal(err)
		}
		exact, sum := new(big.Rat), Zero(c)
		for i, p := range parts {
			exact.Add(exact, p)
			if sum, err = sum.Add(got[i]); err != nil {
				t.Fatal(err)
			}
			off := new(big.Rat).Sub(scaled(p, c), big.NewRat(got[i].Minor(), 1))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("part %d: %s became %s", i, p, got[i])
			}
		}
		bill, err := Round(exact, c)
		if err != nil || sum != bill {
			t.Fatalf("parts add up to %s, the bill is %s, %v", sum, bill, err)
		}
		off := new(big.Rat).Sub(scaled(exact, c), big.NewRat(bill.Minor(), 1))
		switch half := off.Abs(off).Cmp(big.NewRat(1, 2)); {
		case half > 0:
			t.Fatalf("%s was rounded to %s", exact, bill)
		case half == 0 && bill.Minor()%2 != 0:
			t.Fatalf("the half %s was rounded to the odd %s", exact, bill)
		}
		// Largest remainder: no part that was rounded down has a larger remainder than one that was rounded up.
		for i := range parts {
			for j := range parts {
				wi, ri := floor(scaled(parts[i], c))
				wj, rj := floor(scaled(parts[j], c))
				up := func(w *big.Int, a Amount) bool { return w.Int64() != a.Minor() }
				if up(wi, got[i]) && !up(wj, got[j]) && ri.Cmp(rj) < 0 {
					t.Fatalf("%s was rounded up and %s down", parts[i], parts[j])
				}
			}
		}
	})
}
