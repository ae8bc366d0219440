package billing

// Lengths of card numbers.
const (
	cardDigitsMin = 13
	cardDigitsMax = 19
)

// LooksLikeCardNumber reports whether text holds a card number: 13 to 19 digits, as one run or as groups with blanks or dashes between
// them, that begin as a card network's numbers do and pass the Luhn check. Such text is refused at every border, so that a deployer's PCI
// scope stays small (I18). The first digits count because one in ten of all numbers passes Luhn: invoice numbers made of a date or of
// milliseconds since 1970 must not be refused by chance.
func LooksLikeCardNumber(text string) bool {
	for start := range len(text) {
		if isDigit(text[start]) && (start == 0 || !isDigit(text[start-1])) && cardNumberAt(text[start:]) {
			return true
		}
	}
	return false
}

// cardNumberAt reports whether a card number begins with text and ends where a group of digits does.
func cardNumberAt(text string) bool {
	var digits []byte
	for i := 0; i <= len(text); i++ {
		if i < len(text) && isDigit(text[i]) {
			if digits = append(digits, text[i]-'0'); len(digits) > cardDigitsMax {
				return false
			}
			continue
		}
		if len(digits) >= cardDigitsMin && cardPrefix(digits) && luhn(digits) {
			return true
		}
		if i < len(text) && text[i] != ' ' && text[i] != '-' {
			return false
		}
	}
	return false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// cardPrefix reports whether digits begin as a network's numbers do: 3 to 6 for American Express, Diners, JCB, Visa, Mastercard, Maestro,
// Discover and UnionPay, and Mastercard's second range 2221 to 2720 (ISO/IEC 7812).
func cardPrefix(digits []byte) bool {
	four := int(digits[0])*1000 + int(digits[1])*100 + int(digits[2])*10 + int(digits[3])
	return four >= 2221 && four <= 2720 || four >= 3000 && four < 7000
}

// luhn reports whether the last digit is the right check digit of those before it.
func luhn(digits []byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d)
		if (len(digits)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}
