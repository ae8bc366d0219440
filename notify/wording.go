package notify

import (
	"strings"
	"time"
	"unicode"

	"recoup/billing"
	"recoup/money"
)

// textMax bounds what a name or a number from outside takes up in a text.
const textMax = 120

// plain makes text from outside harmless in a subject, a header or a row: one line, no control characters, no marks that turn the
// direction of what follows, bounded (faults.md F8).
func plain(s string) string {
	cleaned := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0xFEFF, r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.Join(strings.Fields(cleaned), " "))
	if len(runes) > textMax {
		return string(runes[:textMax-1]) + "…"
	}
	return string(runes)
}

// greeting returns how to address a contact. A name that reads like an address is left out: mail programs would make a link of it.
func greeting(name string) string {
	name = plain(name)
	lower := strings.ToLower(name)
	if name == "" || strings.ContainsAny(name, "/<>@\\") || strings.Contains(lower, "www.") || strings.Contains(lower, ".com") {
		return "Hello,"
	}
	return "Hello " + name + ","
}

// clock writes instants and dates for one account: in its zone, which is named, and in the order its readers expect (T2).
type clock struct {
	loc      *time.Location
	american bool
}

func clockOf(a billing.Account) clock {
	loc, err := time.LoadLocation(a.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	return clock{loc: loc, american: strings.HasSuffix(a.Locale, "-US")}
}

// instant returns "30 November 2026, 09:00 (Europe/Berlin)", or "" for none.
func (c clock) instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	zone := strings.ReplaceAll(c.loc.String(), "_", " ")
	layout := "2 January 2006, 15:04"
	if c.american {
		layout = "January 2, 2006, 3:04 PM"
	}
	return t.In(c.loc).Format(layout) + " (" + zone + ")"
}

// day is the date of an instant in the reader's zone.
func (c clock) day(t time.Time) string { return c.date(t.In(c.loc).Format(time.DateOnly)) }

// date returns a local date "2026-11-30" as "30 November 2026".
func (c clock) date(d string) string {
	t, err := time.Parse(time.DateOnly, d)
	if err != nil {
		return plain(d)
	}
	if c.american {
		return t.Format("January 2, 2006")
	}
	return t.Format("2 January 2006")
}

// amount writes money for a reader: every decimal of the currency, never rounded (M1).
func amount(a money.Amount, locale string) string { return a.Format(locale) }

var brands = map[string]string{
	"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover", "diners": "Diners Club",
	"jcb": "JCB", "unionpay": "UnionPay", "cartes_bancaires": "Cartes Bancaires",
}

// methodName returns a method as a text may name it: "Visa ···4242" (I18).
func methodName(m billing.NoticeMethod) string {
	name, last4 := brands[strings.ToLower(m.Brand)], plain(m.Last4)
	if name == "" {
		name = plain(m.Brand)
	}
	switch {
	case name != "":
	case m.Kind == billing.MethodCard:
		name = "Card"
	default:
		name = "Bank account"
	}
	if last4 == "" {
		return name
	}
	return name + " ···" + last4
}
