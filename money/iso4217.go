package money

import "strings"

// iso4217 lists the currencies in use by the number of decimals of their minor unit: ISO 4217 list one, as of 2026-01-01, without
// metals, bond units and codes for tests. BGN is kept for bills of before 2026.
//
// golang.org/x/text/currency has a table too, but CLDR's: it gives the Indonesian rupiah and some twenty others no decimals because nobody uses
// the coins, which would book a hundredth of what a gateway takes (M1). It also lacks the codes added since 2018.
var iso4217 = map[int]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU " +
		"CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES " +
		"KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR " +
		"NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP " +
		"TRY TTD TWD TZS UAH USD USN UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
	3: "BHD IQD JOD KWD LYD OMR TND",
	4: "CLF UYW",
}

// exponents are iso4217 by code.
var exponents = func() map[string]int {
	out := map[string]int{}
	for exponent, codes := range iso4217 {
		for _, code := range strings.Fields(codes) {
			out[code] = exponent
		}
	}
	return out
}()
