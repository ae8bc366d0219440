package money

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func anyCurrency() *rapid.Generator[Currency] {
	return rapid.Map(rapid.SampledFrom([]string{"USD", "EUR", "JPY", "KWD", "CLF", "ISK", "HUF", "IDR", "XCG"}), MustCurrency)
}

func anyMinor() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.Int64Range(-1000, 1000),
		rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1}))
}

// ISO 4217 (M1). The last ones are currencies that CLDR, which most libraries follow, gives no decimals.
func TestM1ExponentsAreISO4217(t *testing.T) {
	want := map[string]int{
		"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "HUF": 2, "TWD": 2, "CZK": 2, "MGA": 2, "MRU": 2,
		"JPY": 0, "KRW": 0, "ISK": 0, "CLP": 0, "VND": 0, "UGX": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BIF": 0, "PYG": 0, "UYI": 0,
		"KWD": 3, "BHD": 3, "OMR": 3, "TND": 3, "JOD": 3, "LYD": 3, "IQD": 3,
		"CLF": 4, "UYW": 4,
		"IDR": 2, "COP": 2, "PKR": 2, "RSD": 2, "ALL": 2, "IRR": 2, "LBP": 2, "MMK": 2, "TZS": 2, "UZS": 2, "YER": 2, "AFN": 2, "MUR": 2,
		"XCG": 2, "SLE": 2, "ZWG": 2, "VED": 2,
	}
	for code, exponent := range want {
		if got := MustCurrency(code).Exponent(); got != exponent {
			t.Errorf("%s has %d decimals, want %d", code, got, exponent)
		}
	}
	if len(exponents) < 155 || len(exponents) > 175 {
		t.Errorf("the table has %d currencies, ISO 4217 about 165", len(exponents))
	}
	codes := 0
	for _, list := range iso4217 {
		codes += (len(list) + 1) / 4
	}
	if codes != len(exponents) {
		t.Errorf("%d codes make %d currencies: one is there twice", codes, len(exponents))
	}
	for _, code := range []string{"", "usd", "US", "USDX", "DEM", "XXX", "XAU", "U$D", "ÄÖ"} {
		if c, err := ParseCurrency(code); err == nil {
			t.Errorf("%q was taken for the currency %v", code, c)
		}
	}
}

func TestM1ArithmeticNeverWraps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCurrency().Draw(t, "currency")
		a, b := anyMinor().Draw(t, "a"), anyMinor().Draw(t, "b")
		check := func(name string, got Amount, err error, want *big.Int) {
			if want.IsInt64() != (err == nil) {
				t.Fatalf("%d %s %d: %v, exact %v", a, name, b, err, want)
			}
			if err == nil && got != New(want.Int64(), c) {
				t.Fatalf("%d %s %d = %v, want %v", a, name, b, got, want)
			}
			if err != nil && !errors.Is(err, ErrOverflow) {
				t.Fatalf("%d %s %d: %v, want an overflow", a, name, b, err)
			}
		}
		sum, err := New(a, c).Add(New(b, c))
		check("+", sum, err, new(big.Int).Add(big.NewInt(a), big.NewInt(b)))
		if b != math.MinInt64 {
			diff, err := New(a, c).Sub(New(b, c))
			check("-", diff, err, new(big.Int).Sub(big.NewInt(a), big.NewInt(b)))
		}
		least, err := Min(New(a, c), New(b, c))
		if err != nil || least.Minor() != min(a, b) {
			t.Fatalf("Min(%d, %d) = %v, %v", a, b, least, err)
		}
	})
}

func TestM1CurrenciesDontMix(t *testing.T) {
	usd, eur := New(1, MustCurrency("USD")), New(1, MustCurrency("EUR"))
	if _, err := usd.Add(eur); !errors.Is(err, ErrCurrencyMismatch) {
		t.Errorf("USD + EUR: %v", err)
	}
	if _, err := usd.Sub(eur); !errors.Is(err, ErrCurrencyMismatch) {
		t.Errorf("USD - EUR: %v", err)
	}
	if _, err := usd.Cmp(eur); !errors.Is(err, ErrCurrencyMismatch) {
		t.Errorf("USD against EUR: %v", err)
	}
	if _, err := Min(usd, eur); !errors.Is(err, ErrCurrencyMismatch) {
		t.Errorf("Min of USD and EUR: %v", err)
	}
	if _, err := usd.Add(Amount{}); !errors.Is(err, ErrCurrencyMismatch) {
		t.Errorf("USD + nothing: %v", err)
	}
}

func TestM1JSONReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(anyMinor().Draw(t, "minor"), anyCurrency().Draw(t, "currency"))
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var got Amount
		if err := json.Unmarshal(data, &got); err != nil || got != a {
			t.Fatalf("%s reads back as %v, %v", data, got, err)
		}
	})
	for _, bad := range []string{`{}`, `{"minor":1}`, `{"minor":1.5,"currency":"USD"}`, `{"minor":"1","currency":"USD"}`, `{"minor":1,"currency":"usd"}`,
		`{"minor":9223372036854775808,"currency":"USD"}`, `{"currency":"USD"}`, `5`, `"USD 1"`} {
		var a Amount
		if err := json.Unmarshal([]byte(bad), &a); err == nil {
			t.Errorf("%s was taken for %v", bad, a)
		}
	}
}
