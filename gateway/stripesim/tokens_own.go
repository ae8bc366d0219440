package stripesim

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ownToken is one family of the simulator's own test methods, pm_sim_<pattern>.
type ownToken struct {
	pattern *regexp.Regexp
	// Name and note are for the page and the README.
	name, note string
	make       func(match []string) (behaviour, bool)
}

// ownTokens lists the families in the order they are matched. They exist where Stripe documents no test method for what a careful
// integration must survive.
var ownTokens = []ownToken{
	{
		regexp.MustCompile(`^decline_then_ok_(\d{1,3})$`),
		"decline_then_ok_N",
		"insufficient_funds N times, then succeeds",
		func(m []string) (behaviour, bool) {
			n, err := strconv.Atoi(m[1])
			b := declining("visa", "9995", declinedFunds)
			b.DeclineFirst = n
			return b, err == nil && n > 0
		},
	},
	{
		regexp.MustCompile(`^decline_for_([0-9a-z]+)$`),
		"decline_for_DURATION",
		"insufficient_funds until DURATION (40s, 2h) after its first charge, then succeeds",
		func(m []string) (behaviour, bool) {
			d, err := time.ParseDuration(m[1])
			b := declining("visa", "9995", declinedFunds)
			b.DeclineFor = d
			return b, err == nil && d > 0
		},
	},
	{
		regexp.MustCompile(`^decline_until_(\d{4}-\d{2}-\d{2})$`),
		"decline_until_YYYY-MM-DD",
		"insufficient_funds before that day (UTC), then succeeds",
		func(m []string) (behaviour, bool) {
			t, err := time.Parse(time.DateOnly, m[1])
			b := declining("visa", "9995", declinedFunds)
			b.DeclineUntil = t
			return b, err == nil
		},
	},
	{
		regexp.MustCompile(`^decline_code_([a-z_]+)$`),
		"decline_code_CODE",
		"always declined with any decline code, such as do_not_honor",
		func(m []string) (behaviour, bool) {
			d := declinedGeneric
			d.DeclineCode, d.NetworkDecline, d.Advice = m[1], "", ""
			return declining("visa", "0002", d), true
		},
	},
	{
		regexp.MustCompile(`^advice_(try_again_later|do_not_try_again|confirm_card_data)$`),
		"advice_ADVICE",
		"Visa, generic_decline with that advice_code (try_again_later, do_not_try_again, confirm_card_data)",
		func(m []string) (behaviour, bool) {
			d := declinedGeneric
			d.Advice = m[1]
			return declining("visa", "0002", d), true
		},
	},
	{
		regexp.MustCompile(`^mastercard_advice_(\d{2})$`),
		"mastercard_advice_NN",
		"Mastercard, insufficient_funds with network_advice_code NN (03, 21, 24…30)",
		func(m []string) (behaviour, bool) {
			d := declinedFunds
			d.Advice, d.NetworkAdvice = "", m[1]
			return declining("mastercard", "4444", d), true
		},
	},
	{
		regexp.MustCompile(`^requires_action$`),
		"requires_action",
		"goes to requires_action even off-session and waits for the customer",
		func([]string) (behaviour, bool) {
			return card("visa", "3184", "").with(func(b *behaviour) { b.AuthAlways = true }), true
		},
	},
	{
		regexp.MustCompile(`^partial_(\d{1,2})$`),
		"partial_PERCENT",
		"succeeds with only PERCENT of the amount",
		func(m []string) (behaviour, bool) {
			n, err := strconv.ParseInt(m[1], 10, 64)
			b := card("visa", "4242", "")
			b.CapturePercent = n
			return b, err == nil && n > 0
		},
	},
	{
		regexp.MustCompile(`^off_by_one$`),
		"off_by_one",
		"a gateway's bug: takes one minor unit too much",
		func([]string) (behaviour, bool) {
			return card("visa", "4242", "").with(func(b *behaviour) { b.WrongBy = 1 }), true
		},
	},
	{
		regexp.MustCompile(`^dispute_after_([0-9a-z]+)$`),
		"dispute_after_DURATION",
		"succeeds; a dispute takes it back after DURATION",
		func(m []string) (behaviour, bool) {
			d, err := time.ParseDuration(m[1])
			b := card("visa", "0259", "")
			b.Dispute, b.After = "fraudulent", d
			return b, err == nil && d > 0
		},
	},
	{
		regexp.MustCompile(`^bank_settles_after_([0-9a-z]+)$`),
		"bank_settles_after_DURATION",
		"bank debit that settles after DURATION",
		func(m []string) (behaviour, bool) {
			d, err := time.ParseDuration(m[1])
			return bank("6789", "", bankPlan{Delay: d}), err == nil && d > 0
		},
	},
	{
		regexp.MustCompile(`^bank_fails_after_([0-9a-z]+)$`),
		"bank_fails_after_DURATION",
		"bank debit that fails with insufficient_funds (R01) after DURATION",
		func(m []string) (behaviour, bool) {
			d, err := time.ParseDuration(m[1])
			return bank("2227", "", bankPlan{Delay: d, Fail: &bankFunds}), err == nil && d > 0
		},
	},
	{
		regexp.MustCompile(`^bank_returns_after_([0-9a-z]+)$`),
		"bank_returns_after_DURATION",
		"bank debit that settles and is returned (R10) DURATION later",
		func(m []string) (behaviour, bool) {
			d, err := time.ParseDuration(m[1])
			b := bank("5559", "", bankPlan{Returns: &bankNotAllowed})
			b.After = d
			return b, err == nil && d > 0
		},
	},
}

// ownBehaviour reads a token without its prefix pm_sim_: a family above, or a fault's name with an optional duration
// (slow, slow_10s, timeout_after_effect).
func ownBehaviour(name string) (behaviour, bool) {
	for _, family := range ownTokens {
		if m := family.pattern.FindStringSubmatch(name); m != nil {
			return family.make(m)
		}
	}
	b := card("visa", "4242", "")
	if f := Fault(name); f.known() {
		b.Fault = f
		return b, true
	}
	if i := strings.LastIndexByte(name, '_'); i > 0 {
		d, err := time.ParseDuration(name[i+1:])
		if f := Fault(name[:i]); err == nil && d > 0 && f.known() {
			b.Fault, b.Delay = f, d
			return b, true
		}
	}
	return behaviour{}, false
}
