package money

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestM1ParseDecimal(t *testing.T) {
	good := []struct {
		text, currency string
		want           int64
	}{
		{"1234.56", "USD", 123456}, {"-0.05", "USD", -5}, {"0", "USD", 0}, {"-0.00", "USD", 0}, {"12.5", "USD", 1250}, {"7", "USD", 700},
		{"1234", "JPY", 1234}, {"-0.005", "KWD", -5}, {"1.2345", "CLF", 12345}, {"15.00", "IDR", 1500},
		{"92233720368547758.07", "USD", math.MaxInt64}, {"-92233720368547758.08", "USD", math.MinInt64},
		{"9223372036854775807", "JPY", math.MaxInt64},
	}
	for _, c := range good {
		if got, err := ParseDecimal(c.text, MustCurrency(c.currency)); err != nil || got != New(c.want, MustCurrency(c.currency)) {
			t.Errorf("ParseDecimal(%q, %s) = %v, %v; want %d minor units", c.text, c.currency, got, err, c.want)
		}
	}
	bad := []struct{ text, currency string }{
		{"", "USD"}, {"-", "USD"}, {".", "USD"}, {"1.", "USD"}, {".5", "USD"}, {"+1", "USD"}, {" 1", "USD"}, {"1 ", "USD"}, {"1,5", "USD"},
		{"1_000", "USD"}, {"1e3", "USD"}, {"0x1", "USD"}, {"007", "USD"}, {"00", "USD"}, {"1.234", "USD"}, {"1.500", "USD"}, {"1.0", "JPY"},
		{"1.2345", "KWD"}, {"--1", "USD"}, {"1.2.3", "USD"}, {"1.-2", "USD"}, {"NaN", "USD"}, {"Inf", "USD"}, {"١", "USD"}, {"$1", "USD"},
	}
	for _, c := range bad {
		if got, err := ParseDecimal(c.text, MustCurrency(c.currency)); err == nil || errors.Is(err, ErrOverflow) {
			t.Errorf("ParseDecimal(%q, %s) = %v, %v; want an error of form", c.text, c.currency, got, err)
		}
	}
	for _, text := range []string{"92233720368547758.08", "-92233720368547758.09", strings.Repeat("9", 31), strings.Repeat("9", 500)} {
		if got, err := ParseDecimal(text, MustCurrency("USD")); !errors.Is(err, ErrOverflow) {
			t.Errorf("ParseDecimal(%q) = %v, %v; want an overflow", text, got, err)
		}
	}
	if _, err := ParseDecimal("1", Currency{}); err == nil {
		t.Error("an amount without a currency was taken")
	}
}

func TestM1DecimalReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(rapid.Int64().Draw(t, "minor"), anyCurrency().Draw(t, "currency"))
		if got, err := ParseDecimal(a.Decimal(), a.Currency()); err != nil || got != a {
			t.Fatalf("%s reads back as %v, %v", a, got, err)
		}
	})
}

// Digits that don't fit are an overflow, whatever they would wrap to.
func TestM1LongNumbersNeverWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[1-9][0-9]{16,24}`).Draw(t, "text")
		exact, _ := new(big.Int).SetString(text, 10)
		got, err := ParseDecimal(text, MustCurrency("JPY"))
		if exact.IsInt64() != (err == nil) || err == nil && got.Minor() != exact.Int64() || err != nil && !errors.Is(err, ErrOverflow) {
			t.Fatalf("%s is %v, %v", text, got, err)
		}
	})
}

var plainDecimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// FuzzParseDecimal: whatever is accepted is a plain decimal, and printing it gives the same text but for zeros at the end.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"1234.56", "-0.005", "0", "-0", "1.500", "007", "9223372036854775807", "-9223372036854775808", "1e5", "٣"} {
		f.Add(s, "USD")
		f.Add(s, "JPY")
		f.Add(s, "KWD")
	}
	f.Fuzz(func(t *testing.T, text, code string) {
		c, err := ParseCurrency(code)
		if err != nil {
			return
		}
		a, err := ParseDecimal(text, c)
		if err != nil {
			if plainDecimal.MatchString(text) && len(text) < 18 && decimals(text) <= c.Exponent() {
				t.Fatalf("%q %s refused: %v", text, c, err)
			}
			return
		}
		if !plainDecimal.MatchString(text) || decimals(text) > c.Exponent() {
			t.Fatalf("%q %s accepted", text, c)
		}
		want := text
		if missing := c.Exponent() - decimals(text); missing > 0 {
			if decimals(text) == 0 {
				want += "."
			}
			want += strings.Repeat("0", missing)
		}
		if a.IsZero() {
			want = strings.TrimPrefix(want, "-")
		}
		if a.Decimal() != want {
			t.Fatalf("%q %s became %s", text, c, a.Decimal())
		}
	})
}

func decimals(text string) int {
	_, fraction, _ := strings.Cut(text, ".")
	return len(fraction)
}
