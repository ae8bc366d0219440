package intake

import (
	"crypto/sha256"
	"strings"
	"time"

	"recoup/billing"
)

// Ids made from a provider's: the same ones every time, readable where the provider's fit our rules.

// accountID is the provider's id where it may stand as one of ours.
func accountID(raw string) billing.AccountID { return billing.AccountID(safeID(raw)) }

// billID names a bill: account, period and currency. Colons keep the digits apart: with dashes they could look like a card number.
func billID(k billKey) string {
	period := k.start.Format(time.DateOnly)
	if k.start.Day() == 1 {
		period = k.start.Format("2006-01")
	}
	return safeID(string(accountID(k.sub)) + ":" + period + ":" + k.currency.Code())
}

const hashLetters = 12

// safeID returns text itself when it is a valid id, else what is left of it after replacing what isn't allowed, and letters of its
// hash, so that different texts keep different ids.
func safeID(text string) string {
	if billing.CheckID(text) == nil {
		return text
	}
	slug := strings.Trim(strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == ':' || r == '-') {
			return r
		}
		return '-'
	}, text), "-._:")
	if most := billing.IDMax - hashLetters - 1; len(slug) > most {
		slug = slug[:most]
	}
	if id := slug + "." + hashOf(text); billing.CheckID(id) == nil {
		return id
	}
	return "id." + hashOf(text) // its digits look like a card number
}

// hashOf returns letters only: digits could look like a card number.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	letters := make([]byte, hashLetters)
	for i := range letters {
		letters[i] = 'a' + sum[i]%26
	}
	return string(letters)
}

// mailbox is the local part of an account's made-up address; 64 bytes at most (RFC 5321).
func mailbox(id billing.AccountID) string {
	box := "billing+" + strings.ReplaceAll(string(id), ":", ".")
	if len(box) > 64 || strings.Contains(box, "..") || strings.HasSuffix(box, ".") {
		return "billing+" + hashOf(string(id))
	}
	return box
}
