package intake

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

// fields checks the fields of one object and notes what is wrong with them under "kind.field".
type fields struct {
	*reader
	line int
	kind string
}

func (f fields) bad(field, format string, args ...any) {
	f.problems.Add(f.line, f.kind+"."+field, format, args...)
}

// required refuses an empty value and reports whether it may be looked at further.
func (f fields) required(field, value string) bool {
	if value == "" {
		f.bad(field, "must be given")
	}
	return value != ""
}

func (f fields) id(field, value string) {
	if f.required(field, value) {
		f.optionalID(field, value)
	}
}

func (f fields) optionalID(field, value string) {
	if value == "" {
		return
	}
	if err := billing.CheckID(value); err != nil {
		f.bad(field, "%v", err)
	}
}

// text checks free text: its length, no control characters, no card number (I18).
func (f fields) text(field, value string, most int) {
	switch {
	case utf8.RuneCountInString(value) > most:
		f.bad(field, "must be at most %d characters", most)
	case strings.IndexFunc(value, unicode.IsControl) >= 0:
		f.bad(field, "must not hold control characters")
	case !utf8.ValidString(value):
		f.bad(field, "must be UTF-8")
	case cardLike(value):
		f.bad(field, "looks like a card number, which must never be given to Recoup")
	}
}

var datesInText = regexp.MustCompile(`\b20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\b`)

// cardLike is billing.LooksLikeCardNumber without being fooled by dates: one in ten of "2026-10-14 - 2026-11-01" passes the Luhn check.
func cardLike(text string) bool {
	return billing.LooksLikeCardNumber(datesInText.ReplaceAllString(text, "/"))
}

func (f fields) requiredText(field, value string, most int) {
	if f.required(field, strings.TrimSpace(value)) {
		f.text(field, value, most)
	}
}

var tokenShape = regexp.MustCompile(`^[!-~]{1,255}$`)

func (f fields) token(field, value string) {
	if value == "" {
		return
	}
	if !tokenShape.MatchString(value) {
		f.bad(field, "must be at most 255 printable ASCII characters without blanks")
		return
	}
	f.text(field, value, 255)
}

func (f fields) email(field, value string) {
	if !f.required(field, value) {
		return
	}
	a, err := mail.ParseAddress(value)
	if err != nil || a.Address != value || a.Name != "" || len(value) > 254 || strings.ContainsFunc(value, unicode.IsControl) {
		f.bad(field, "must be one plain e-mail address, such as billing@example.com")
		return
	}
	f.text(field, value, 254)
}

func (f fields) zone(field, value string) {
	known, looked := f.zones[value]
	if !looked {
		_, err := time.LoadLocation(value)
		known = err == nil && value != "" && value != "Local"
		f.zones[value] = known
	}
	if !known {
		f.bad(field, "%q is no IANA time zone, such as Europe/Berlin", value)
	}
}

func (f fields) locale(field, value string) {
	if _, err := language.Parse(value); err != nil || strings.Contains(value, "_") {
		f.bad(field, "%q is no BCP 47 language tag, such as de-DE", value)
	}
}

var countryShape = regexp.MustCompile(`^[A-Z]{2}$`)

func (f fields) country(field, value string) {
	if value == "" {
		return
	}
	region, err := language.ParseRegion(value)
	if err != nil || !countryShape.MatchString(value) || !region.IsCountry() {
		f.bad(field, "%q is no ISO 3166 country, such as DE", value)
	}
}

// policy checks a name's shape: which policies there are is known in the database alone.
func (f fields) policy(field, value string) {
	if value == "" {
		return
	}
	if err := dunning.CheckPolicyName(value); err != nil {
		f.bad(field, "%v", err)
	}
}

func (f fields) plan(field, value string) {
	if value == "" {
		return
	}
	if err := dunning.CheckPlan(value); err != nil {
		f.bad(field, "%v", err)
		return
	}
	f.text(field, value, textMax)
}

// currency returns the currency, or the zero Currency after noting what is wrong.
func (f fields) currency(field, value string) money.Currency {
	if !f.required(field, value) {
		return money.Currency{}
	}
	c, err := money.ParseCurrency(value)
	if err != nil {
		f.bad(field, "%s", strings.TrimPrefix(err.Error(), "money: "))
		return money.Currency{}
	}
	return c
}

// amount reads a decimal of major units, "1234.50"; with no currency there is nothing to read it by, which is noted already.
func (f fields) amount(field, value string, c money.Currency) money.Amount {
	if !f.required(field, value) || c == (money.Currency{}) {
		return money.Zero(c)
	}
	a, err := money.ParseDecimal(value, c)
	if err != nil {
		f.bad(field, "%s", strings.TrimPrefix(err.Error(), "money: "))
		return money.Zero(c)
	}
	return a
}

func (f fields) positiveAmount(field, value string, c money.Currency) money.Amount {
	before := len(f.problems.First) + f.problems.More
	a := f.amount(field, value, c)
	clean := len(f.problems.First)+f.problems.More == before
	if clean && c != (money.Currency{}) && !a.IsPositive() {
		f.bad(field, "must be above zero")
	}
	return a
}

// Dates outside these years are slips of the keyboard.
const (
	yearMin = 2000
	yearMax = 2100
)

// date reads "2026-11-30" as midnight UTC.
func (f fields) date(field, value string) time.Time {
	if !f.required(field, value) {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		f.bad(field, "%q is no date, such as 2026-11-30", value)
		return time.Time{}
	}
	if t.Year() < yearMin || t.Year() > yearMax {
		f.bad(field, "%s is not between %d and %d", value, yearMin, yearMax)
	}
	return t
}

// expiry reads "2027-11"; "" means that the instrument has none.
func (f fields) expiry(field, value string) (month, year int) {
	if value == "" {
		return 0, 0
	}
	t, err := time.Parse("2006-01", value)
	if err != nil || t.Year() < yearMin || t.Year() > yearMax {
		f.bad(field, "%q is no month, such as 2027-11", value)
		return 0, 0
	}
	return int(t.Month()), t.Year()
}

// oneOf refuses a word that is not listed.
func oneOf[T ~string](f fields, field string, value T, known ...T) {
	if !slices.Contains(known, value) {
		names := make([]string, len(known))
		for i, k := range known {
			names[i] = string(k)
		}
		f.bad(field, "%q is none of %s", value, strings.Join(names, ", "))
	}
}
