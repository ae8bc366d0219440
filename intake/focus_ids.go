package intake

import (
	"crypto/sha256"
	"strings"
	"time"

	"recoup/billing"
)

// Ids made from a provider's: the same ones every time, readable where the provider's fit our rules.

// accountIDMax leaves room for the period and the currency behind it, ":2024-09-15:USD".
const accountIDMax = billing.IDMax - 15

const hashLetters = 12

// accountID is the provider's id where it may stand as one of ours, else what is left of its last part after replacing what isn't
// allowed, and letters of its hash, so that different accounts keep different ids.
func accountID(raw string) billing.AccountID {
	if len(raw) <= accountIDMax && billing.CheckID(raw) == nil {
		return billing.AccountID(raw)
	}
	last := raw[strings.LastIndexByte(raw, '/')+1:]
	slug := strings.Trim(strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:-", r)) {
			return r
		}
		return '-'
	}, last), "-._:")
	if most := accountIDMax - hashLetters - 1; len(slug) > most {
		slug = slug[:most]
	}
	if id := slug + "." + hashOf(raw); billing.CheckID(id) == nil {
		return billing.AccountID(id)
	}
	return billing.AccountID("id." + hashOf(raw)) // nothing is left, or its digits look like a card number
}

// billID names a bill: account, period and currency. Colons keep the digits apart: with dashes they could look like a card number.
func billID(k billKey) string {
	period := k.start.Format(time.DateOnly)
	if k.start.Day() == 1 {
		period = k.start.Format("2006-01")
	}
	return string(accountID(k.sub)) + ":" + period + ":" + k.currency.Code()
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
