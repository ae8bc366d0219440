package money

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// nbsp keeps an amount on one line.
const nbsp = "\u00a0"

// placement says where a locale puts the currency's symbol.
type placement int

const (
	placeBefore      placement = iota // $1.00
	placeBeforeSpace                  // € 1,00
	placeAfter                        // 1,00 €
)

// placements follows CLDR's currency patterns, which golang.org/x/text does not carry: by language and region where a region differs,
// else by language, else placeBefore.
var placements = map[string]placement{
	"de-AT": placeBeforeSpace, "de-CH": placeBeforeSpace, "de-LI": placeBeforeSpace, "it-CH": placeBeforeSpace,
	"pt-PT": placeAfter,
	"id":    placeBeforeSpace, "nl": placeBeforeSpace, "pt": placeBeforeSpace,
	"bg": placeAfter, "bs": placeAfter, "ca": placeAfter, "cs": placeAfter, "da": placeAfter, "de": placeAfter, "el": placeAfter,
	"es": placeAfter, "et": placeAfter, "eu": placeAfter, "fi": placeAfter, "fr": placeAfter, "gl": placeAfter, "he": placeAfter,
	"hr": placeAfter, "hu": placeAfter, "is": placeAfter, "it": placeAfter, "ka": placeAfter, "kk": placeAfter, "lt": placeAfter,
	"lv": placeAfter, "mk": placeAfter, "nb": placeAfter, "nn": placeAfter, "no": placeAfter, "pl": placeAfter, "ro": placeAfter,
	"ru": placeAfter, "sk": placeAfter, "sl": placeAfter, "sq": placeAfter, "sr": placeAfter, "sv": placeAfter, "uk": placeAfter,
	"vi": placeAfter,
}

// spanishAbroad are the Spanish-speaking regions that put the symbol first.
const spanishAbroad = "419 AR BO CL CO CR DO EC GT HN MX NI PA PE PR PY SV US UY VE"

// Format returns the amount for people of a locale (BCP 47, "de-DE"): the locale's digits and separators, the currency's decimals, the
// symbol where the locale puts it; "$1,234.50", "1.234,50 €", "￥500". An unknown locale reads as English. The minor units never become
// a binary fraction on the way (M1).
func (a Amount) Format(locale string) string {
	tag, err := language.Parse(locale)
	if err != nil {
		tag = language.English
	}
	p := message.NewPrinter(tag)
	sign := ""
	if a.minor < 0 {
		sign = strings.TrimSuffix(p.Sprint(number.Decimal(-1)), p.Sprint(number.Decimal(1)))
	}
	digits := localDigits(p, strings.TrimPrefix(a.Decimal(), "-"))
	symbol := a.currency.code
	if unit, err := currency.ParseISO(symbol); err == nil {
		symbol = p.Sprint(currency.Symbol(unit))
	}
	switch placementOf(tag) {
	case placeAfter:
		return sign + digits + nbsp + symbol
	case placeBeforeSpace:
		return symbol + nbsp + sign + digits
	default:
		if last, _ := utf8.DecodeLastRuneInString(symbol); unicode.IsLetter(last) {
			symbol += nbsp
		}
		return sign + symbol + digits
	}
}

// localDigits rewrites "1234.50" with a locale's digits, grouping and decimal separator.
func localDigits(p *message.Printer, plain string) string {
	whole, fraction, _ := strings.Cut(plain, ".")
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return plain // not reached: an int64 without its sign fits
	}
	out := p.Sprint(number.Decimal(n))
	if fraction == "" {
		return out
	}
	one, five := p.Sprint(number.Decimal(1)), p.Sprint(number.Decimal(5))
	out += strings.TrimSuffix(strings.TrimPrefix(p.Sprint(number.Decimal(1.5)), one), five) // the separator alone
	for _, d := range fraction {
		out += p.Sprint(number.Decimal(int(d - '0')))
	}
	return out
}

func placementOf(tag language.Tag) placement {
	base, _ := tag.Base()
	region, _ := tag.Region()
	if at, ok := placements[base.String()+"-"+region.String()]; ok {
		return at
	}
	if base.String() == "es" && strings.Contains(" "+spanishAbroad+" ", " "+region.String()+" ") {
		return placeBefore
	}
	return placements[base.String()]
}
