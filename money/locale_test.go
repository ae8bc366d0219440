package money

import (
	"math"
	"strings"
	"testing"
)

func TestM1FormatByLocale(t *testing.T) {
	cases := []struct {
		minor    int64
		currency string
		locale   string
		want     string
	}{
		{123450, "USD", "en-US", "$1,234.50"},
		{-5, "USD", "en-US", "-$0.05"},
		{123450, "EUR", "de-DE", "1.234,50_€"},
		{-123450, "EUR", "de-DE", "-1.234,50_€"},
		{123450, "EUR", "de-AT", "€_1_234,50"},
		{123450, "EUR", "nl-NL", "€_1.234,50"},
		{123450, "EUR", "fr-FR", "1_234,50_€"},
		{123450, "EUR", "es-ES", "1.234,50_€"},
		{123450, "USD", "es-MX", "USD_1,234.50"},
		{123450, "BRL", "pt-BR", "R$_1.234,50"},
		{123450, "SEK", "sv-SE", "1_234,50_kr"},
		{-123450, "SEK", "sv-SE", "−1_234,50_kr"},
		{12345000, "INR", "hi-IN", "₹1,23,450.00"},
		{1234, "JPY", "ja-JP", "￥1,234"},
		{1234, "JPY", "en-US", "¥1,234"},
		{1234, "JPY", "de-DE", "1.234_¥"},
		{1234567, "KWD", "en-US", "KWD_1,234.567"},
		{5, "KWD", "en-US", "KWD_0.005"},
		{12345678, "CLF", "en-US", "CLF_1,234.5678"},
		{150, "HUF", "hu-HU", "1,50_Ft"},
		{1500, "IDR", "id-ID", "Rp_15,00"},
		{100, "XCG", "en-US", "XCG_1.00"},
		{0, "USD", "", "$0.00"},
		{100, "USD", "not a locale", "$1.00"},
		{math.MinInt64, "USD", "en-US", "-$92,233,720,368,547,758.08"},
		{math.MaxInt64, "JPY", "en-US", "¥9,223,372,036,854,775,807"},
	}
	for _, c := range cases {
		got := New(c.minor, MustCurrency(c.currency)).Format(c.locale)
		plain := strings.NewReplacer("\u00a0", "_", "\u202f", "_").Replace(got)
		if plain != c.want {
			t.Errorf("%d %s in %q: %q, want %q", c.minor, c.currency, c.locale, plain, c.want)
		}
	}
}
