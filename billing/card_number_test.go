package billing

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestI18CardNumbersAreSeen(t *testing.T) {
	for _, text := range []string{
		"4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "card 5555555555554444.", "378282246310005", "3782 822463 10005",
		"6011111111111117", "2223003122003222", "x4000056655665556y", "4242424242424242 12/29", "tel 030 4242424242424242", "30569309025904",
		"4222222222222", "6212345678901232", "4242  4242  4242  4242",
	} {
		if !LooksLikeCardNumber(text) {
			t.Errorf("%q was not seen", text)
		}
	}
	for _, text := range []string{
		"", "4242", "4242424242424241", "424242424242424242424242424242", "inv-2026-11-000123", "pm_card_visa", "1763760000008", "20261121000000",
		"20260101-0000-0008", "4242.4242.4242.4242", "550e8400-e29b-41d4-a716-446655440000", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "9242424242424242",
	} {
		if LooksLikeCardNumber(text) {
			t.Errorf("%q was taken for a card number", text)
		}
	}
}

// Whatever stands around it and however it is grouped, a card number is seen.
func TestI18NoGroupingHidesACardNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SampledFrom([]string{"4", "51", "34", "37", "6011", "2221", "2720", "35", "62"}).Draw(t, "prefix") +
			rapid.StringMatching(`[0-9]{14}`).Draw(t, "rest")
		body = body[:rapid.IntRange(12, 15).Draw(t, "length")]
		card := ""
		for check := range 10 {
			if c := body + fmt.Sprint(check); luhnByHand(c) {
				card = c
			}
		}
		var b strings.Builder
		for i, r := range card {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "-"}).Draw(t, "between"))
			}
			b.WriteRune(r)
		}
		text := rapid.SampledFrom([]string{"", "x", "12 ", "7-", ". ", "1 "}).Draw(t, "before") + b.String() +
			rapid.SampledFrom([]string{"", "x", " 12", "-7", ". ", " 1"}).Draw(t, "after")
		if !LooksLikeCardNumber(text) {
			t.Fatalf("%q hides %s", text, card)
		}
	})
}

// luhnByHand is the check as the standard words it, from the right.
func luhnByHand(number string) bool {
	sum := 0
	for i := range number {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}

func TestI18CheckID(t *testing.T) {
	for _, id := range []string{"a", "inv-1", "INV_2026.11:0001", "9", strings.Repeat("x", 64), "1763760000000"} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", "-a", ".a", "a b", "a/b", "ä", "a\n", strings.Repeat("x", 65), "4242424242424242", "inv-4242-4242-4242-4242", "a@b.c"} {
		if err := CheckID(id); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
}
