package dunning

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func stripeCard(decline string) Codes {
	return Codes{Gateway: "stripe", Brand: "visa", ErrorCode: "card_declined", DeclineCode: decline}
}

func TestD1Classes(t *testing.T) {
	cases := []struct {
		codes Codes
		want  Class
		never bool
	}{
		{stripeCard("insufficient_funds"), ClassSoftFunds, false},
		{stripeCard("generic_decline"), ClassSoftIssuer, false},
		{stripeCard("do_not_honor"), ClassSoftIssuer, false},
		{stripeCard("lost_card"), ClassHardInstrument, true},
		{stripeCard("stolen_card"), ClassHardInstrument, true},
		{stripeCard("pickup_card"), ClassHardInstrument, true},
		{stripeCard("revocation_of_all_authorizations"), ClassHardInstrument, true},
		{stripeCard("fraudulent"), ClassRisk, true},
		{stripeCard("merchant_blacklist"), ClassRisk, true},
		{stripeCard("authentication_required"), ClassAuthRequired, false},
		{stripeCard("currency_not_supported"), ClassOurConfig, false},
		{Codes{Gateway: "stripe", ErrorCode: "expired_card", DeclineCode: "expired_card"}, ClassFixData, false},
		{Codes{Gateway: "stripe", ErrorCode: "incorrect_cvc", DeclineCode: "incorrect_cvc"}, ClassFixData, false},
		{Codes{Gateway: "stripe", ErrorCode: "rate_limit"}, ClassTransient, false},
		{Codes{Gateway: "stripe", DeclineCode: "lock_timeout"}, ClassTransient, false}, // an error code in the other field
		{Codes{Gateway: "stripe", ErrorCode: "idempotency_key_in_use"}, ClassUnknown, false},
		{Codes{Gateway: "stripe", ErrorCode: "payment_intent_unexpected_state"}, ClassUnknown, false},
		{Codes{Gateway: "stripe", ErrorCode: "api_key_expired"}, ClassOurConfig, false},
		{Codes{Gateway: "stripe", ErrorCode: "charge_already_captured"}, ClassAlreadyPaid, false},
		{Codes{Gateway: "stripe", DeclineCode: "bank_account_closed", NetworkCode: "R02"}, ClassHardInstrument, true},
		{Codes{Gateway: "stripe", ErrorCode: "debit_not_authorized"}, ClassHardInstrument, true},
		{Codes{NetworkCode: "R01"}, ClassSoftFunds, false},
		{Codes{NetworkCode: "R09"}, ClassSoftFunds, false},
		{Codes{NetworkCode: "R10"}, ClassHardInstrument, true},
		{Codes{NetworkCode: "R16"}, ClassHardInstrument, true},
		{Codes{NetworkCode: "AM04"}, ClassSoftFunds, false},
		{Codes{NetworkCode: "MS03"}, ClassSoftFunds, false},
		{Codes{NetworkCode: "AC04"}, ClassHardInstrument, true},
		{Codes{NetworkCode: "MD01"}, ClassHardInstrument, true},
		{Codes{Gateway: " Stripe ", DeclineCode: " LOST_card "}, ClassHardInstrument, true},
	}
	for _, c := range cases {
		r := Classify(c.codes)
		if r.Class != c.want || r.Never != c.never || r.Unmapped || r.Row == "" {
			t.Errorf("Classify(%+v) = %+v, want %s, never %v", c.codes, r, c.want, c.never)
		}
	}
}

func TestD1UnmappedIsSoftIssuerAndCounted(t *testing.T) {
	for _, c := range []Codes{{}, {Gateway: "stripe", DeclineCode: "brand_new"}, {Gateway: "adyen", DeclineCode: "lost_card"}, {NetworkCode: "R99"}} {
		if r := Classify(c); r.Class != ClassSoftIssuer || !r.Unmapped || r.Never {
			t.Errorf("Classify(%+v) = %+v, want an unmapped soft_issuer", c, r)
		}
	}
	// A code nobody knows beside one that is known: the known one rules, and the other is still counted.
	if r := Classify(Codes{Gateway: "stripe", DeclineCode: "lost_card", AdviceCode: "be_careful"}); r.Class != ClassHardInstrument || !r.Unmapped {
		t.Errorf("got %+v", r)
	}
	// transient repeats the same attempt; a code nobody knows is a decline and forbids that.
	if r := Classify(Codes{Gateway: "stripe", ErrorCode: "rate_limit", DeclineCode: "brand_new"}); r.Class != ClassSoftIssuer || !r.Unmapped {
		t.Errorf("got %+v", r)
	}
}

func TestD3VisaCategory1IsNever(t *testing.T) {
	for _, code := range strings.Fields("03 04 07 12 14 15 41 43 46 57 62 78 93 R0 R1 R3") {
		if r := Classify(Codes{Brand: "visa", NetworkCode: code, Gateway: "stripe", DeclineCode: "generic_decline"}); !r.Never || r.Unmapped {
			t.Errorf("Visa %s is %+v, want never", code, r)
		}
	}
	for _, advice := range []string{"1", "01"} {
		if r := Classify(Codes{Brand: "visa", NetworkAdviceCode: advice}); !r.Never {
			t.Errorf("Visa category %s is %+v, want never", advice, r)
		}
	}
}

func TestD3MastercardAdvice(t *testing.T) {
	day := 24 * time.Hour
	waits := map[string]time.Duration{
		"24": time.Hour, "25": day, "26": 2 * day, "27": 4 * day, "28": 6 * day, "29": 8 * day, "30": 10 * day, "02": 3 * day,
	}
	for code, want := range waits {
		r := Classify(Codes{Gateway: "stripe", Brand: "mastercard", DeclineCode: "insufficient_funds", NetworkCode: "51", NetworkAdviceCode: code})
		if r.Class != ClassSoftFunds || r.WaitAtLeast != want || r.Never {
			t.Errorf("advice %s: %+v, want to wait %v", code, r, want)
		}
	}
	for _, code := range []string{"03", "21"} {
		for _, field := range []Codes{{AdviceCode: code}, {NetworkAdviceCode: code}} {
			field.Gateway, field.Brand, field.DeclineCode, field.NetworkCode = "stripe", "mastercard", "insufficient_funds", "51"
			if r := Classify(field); !r.Never || r.Class != ClassHardInstrument {
				t.Errorf("advice %s over insufficient_funds: %+v, want never", code, r)
			}
		}
	}
	if r := Classify(Codes{Brand: "mastercard", NetworkAdviceCode: "01", NetworkCode: "05"}); r.Class != ClassFixData {
		t.Errorf("advice 01: %+v, want fix_data", r)
	}
	if r := Classify(Codes{Gateway: "stripe", Brand: "mastercard", DeclineCode: "fraudulent", NetworkAdviceCode: "03"}); r.Class != ClassRisk {
		t.Errorf("advice 03 with a fraud reason: %+v, want risk", r)
	}
}

func TestD3GatewayAdvice(t *testing.T) {
	want := map[string]Class{"do_not_try_again": ClassHardInstrument, "try_again_later": ClassSoftFunds, "confirm_card_data": ClassFixData}
	for advice, class := range want {
		if r := Classify(Codes{Gateway: "stripe", DeclineCode: "insufficient_funds", AdviceCode: advice}); r.Class != class {
			t.Errorf("%s over insufficient_funds: %+v, want %s", advice, r, class)
		}
	}
}

func TestD3SourcesThatDisagreeAboutPaymentAreLookedUp(t *testing.T) {
	r := Classify(Codes{Gateway: "stripe", ErrorCode: "charge_already_captured", DeclineCode: "insufficient_funds"})
	if r.Class != ClassUnknown {
		t.Errorf("already paid and declined at once: %+v, want unknown", r)
	}
	// The longest wait counts, whoever asks for it.
	r = Classify(Codes{Gateway: "stripe", Brand: "mastercard", DeclineCode: "duplicate_transaction", NetworkAdviceCode: "24"})
	if r.WaitAtLeast != 24*time.Hour || r.Row != "stripe/decline_code/duplicate_transaction + mastercard/advice_code/24" {
		t.Errorf("two waits: %+v, want the longer", r)
	}
}

func TestN3SafeReasons(t *testing.T) {
	if got := Classify(stripeCard("insufficient_funds")).SafeReason; got != "there were not enough funds, or a limit was reached" {
		t.Errorf("insufficient_funds reads %q", got)
	}
	// Advice says nothing a customer can use; the decline does.
	if got := Classify(Codes{Gateway: "stripe", Brand: "mastercard", DeclineCode: "do_not_honor", NetworkAdviceCode: "02"}).SafeReason; got != reasons["declined"] {
		t.Errorf("do_not_honor with advice 02 reads %q", got)
	}
	stolen, restricted := Classify(stripeCard("stolen_card")), Classify(stripeCard("restricted_card"))
	if stolen.SafeReason != restricted.SafeReason {
		t.Errorf("a stolen card reads %q, a restricted one %q: the difference gives it away", stolen.SafeReason, restricted.SafeReason)
	}
	for name, text := range reasons {
		for _, bad := range []string{"fraud", "lost", "stolen", "theft", "risk", "blacklist", "suspect", "blocked"} {
			if strings.Contains(text, bad) {
				t.Errorf("reason %s names %q: %q", name, bad, text)
			}
		}
		if text == "" || strings.HasSuffix(text, ".") {
			t.Errorf("reason %s must fit after \"because\": %q", name, text)
		}
	}
}

// Whatever the codes, adding one more never makes a ruling more permissive.
func TestD3OneMoreCodeNeverPermitsMore(t *testing.T) {
	var decline, errorCodes, advice, network []string
	for _, row := range declineTable() {
		switch row.Kind {
		case "decline_code":
			decline = append(decline, row.Code)
		case "error_code":
			errorCodes = append(errorCodes, row.Code)
		case "advice_code":
			advice = append(advice, row.Code)
		case "network_code":
			network = append(network, row.Code)
		}
	}
	pick := func(t *rapid.T, from []string, name string) string {
		return rapid.OneOf(rapid.Just(""), rapid.SampledFrom(from), rapid.StringMatching(`[a-z0-9_]{1,5}`)).Draw(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		full := Codes{
			Gateway:     "stripe",
			Brand:       rapid.SampledFrom([]string{"visa", "mastercard", "amex", ""}).Draw(t, "brand"),
			DeclineCode: pick(t, decline, "decline"), ErrorCode: pick(t, errorCodes, "error"),
			AdviceCode: pick(t, advice, "advice"), NetworkCode: pick(t, network, "network"),
		}
		all := Classify(full)
		for _, drop := range []func(*Codes) *string{
			func(c *Codes) *string { return &c.DeclineCode }, func(c *Codes) *string { return &c.ErrorCode },
			func(c *Codes) *string { return &c.AdviceCode }, func(c *Codes) *string { return &c.NetworkCode },
		} {
			less := full
			if *drop(&less) == "" {
				continue
			}
			*drop(&less) = ""
			if less.DeclineCode+less.ErrorCode+less.AdviceCode+less.NetworkCode == "" {
				continue // nothing at all is a decline of its own kind
			}
			part := Classify(less)
			if strictness[part.Class] > strictness[all.Class] || part.Never && !all.Never || part.WaitAtLeast > all.WaitAtLeast {
				t.Fatalf("%+v is %+v, but without one code %+v", full, all, part)
			}
		}
	})
}

func TestDeclineTableRefusesBadRows(t *testing.T) {
	header := strings.Join(declineColumns, ",") + "\n"
	bad := map[string]string{
		"no header":         "a,b\n",
		"unknown class":     header + "stripe,decline_code,x,odd,no,,declined,s,2026-01-01\n",
		"never not said":    header + "stripe,decline_code,x,soft_funds,,,declined,s,2026-01-01\n",
		"hard, not never":   header + "stripe,decline_code,x,hard_instrument,no,,declined,s,2026-01-01\n",
		"wait without unit": header + "stripe,decline_code,x,soft_funds,no,24,declined,s,2026-01-01\n",
		"unknown reason":    header + "stripe,decline_code,x,soft_funds,no,,odd,s,2026-01-01\n",
		"no source":         header + "stripe,decline_code,x,soft_funds,no,,funds,,2026-01-01\n",
		"no date":           header + "stripe,decline_code,x,soft_funds,no,,funds,s,\n",
		"capitals":          header + "stripe,decline_code,X,soft_funds,no,,funds,s,2026-01-01\n",
		"a row twice":       header + strings.Repeat("stripe,decline_code,x,soft_funds,no,,funds,s,2026-01-01\n", 2),
		"a column short":    header + "stripe,decline_code,x,soft_funds,no,,funds,s\n",
	}
	for name, text := range bad {
		if _, err := parseDeclines(text); err == nil {
			t.Errorf("%s: the table was taken", name)
		}
	}
	if n := len(declineTable()); n < 300 {
		t.Errorf("the table has %d rows, want all documented codes", n)
	}
}
