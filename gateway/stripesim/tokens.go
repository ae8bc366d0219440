package stripesim

import (
	"strings"
	"time"
)

// behaviour is what a test payment method does when it is charged.
type behaviour struct {
	Kind    string // card or us_bank_account
	Brand   string
	Last4   string
	Country string
	Funding string
	Note    string // one line for the page and the README

	Decline      *decline      // every charge is declined so
	DeclineFirst int           // only the first so many are
	DeclineFor   time.Duration // only those within so long of the first are
	DeclineUntil time.Time     // only those before this instant are

	AuthOffSession bool // off-session charges are refused with authentication_required
	AuthOnSession  bool // on-session charges go to requires_action
	AuthAlways     bool // even off-session charges go to requires_action and wait for the customer

	CapturePercent int64 // a card that yields only a part; 0 means all
	WrongBy        int64 // the simulated bug: takes so many minor units too many

	Bank    *bankPlan
	Dispute string        // a dispute with this reason follows a success
	After   time.Duration // when the dispute or the return follows; 0: the simulator's BankDelay

	Fault Fault
	Delay time.Duration // the fault's length where it has one
}

// bankPlan is how a bank debit goes on after it was accepted.
type bankPlan struct {
	Delay   time.Duration // until it settles or fails; 0: the simulator's BankDelay
	Fail    *decline      // it fails instead of settling
	Returns *decline      // it settles and comes back later
	Never   bool          // it stays in processing until cancelled
}

func card(brand, last4, note string) behaviour {
	return behaviour{Kind: "card", Brand: brand, Last4: last4, Country: "US", Funding: "credit", Note: note}
}

func declining(brand, last4 string, d decline) behaviour {
	b := card(brand, last4, "declined: "+d.DeclineCode)
	b.Decline = &d
	return b
}

func bank(last4, note string, plan bankPlan) behaviour {
	return behaviour{Kind: "us_bank_account", Brand: "STRIPE TEST BANK", Last4: last4, Country: "US", Funding: "checking", Note: note, Bank: &plan}
}

func (b behaviour) with(change func(*behaviour)) behaviour {
	change(&b)
	return b
}

func (b behaviour) noted(note string) behaviour {
	b.Note = note
	return b
}

// documented are the test payment methods of docs.stripe.com/testing and docs.stripe.com/payments/ach-direct-debit that Recoup
// can meet. Any pm_card_<country> of two letters works as well.
var documented = map[string]behaviour{
	"pm_card_visa":               card("visa", "4242", "succeeds"),
	"pm_card_visa_debit":         card("visa", "5556", "succeeds").with(func(b *behaviour) { b.Funding = "debit" }),
	"pm_card_mastercard":         card("mastercard", "4444", "succeeds"),
	"pm_card_mastercard_debit":   card("mastercard", "8210", "succeeds").with(func(b *behaviour) { b.Funding = "debit" }),
	"pm_card_mastercard_prepaid": card("mastercard", "5100", "succeeds").with(func(b *behaviour) { b.Funding = "prepaid" }),
	"pm_card_amex":               card("amex", "8431", "succeeds"),
	"pm_card_discover":           card("discover", "1117", "succeeds"),
	"pm_card_diners":             card("diners", "0004", "succeeds"),
	"pm_card_jcb":                card("jcb", "0505", "succeeds"),
	"pm_card_unionpay":           card("unionpay", "0005", "succeeds"),

	"pm_card_chargeDeclined":                           declining("visa", "0002", declinedGeneric),
	"pm_card_visa_chargeDeclined":                      declining("visa", "0002", declinedGeneric),
	"pm_card_visa_chargeDeclinedInsufficientFunds":     declining("visa", "9995", declinedFunds),
	"pm_card_chargeDeclinedInsufficientFunds":          declining("visa", "9995", declinedFunds),
	"pm_card_visa_chargeDeclinedLostCard":              declining("visa", "9987", declinedLost),
	"pm_card_visa_chargeDeclinedStolenCard":            declining("visa", "9979", declinedStolen),
	"pm_card_chargeDeclinedExpiredCard":                declining("visa", "0069", declinedExpired),
	"pm_card_chargeDeclinedIncorrectCvc":               declining("visa", "0127", declinedCVC),
	"pm_card_chargeDeclinedProcessingError":            declining("visa", "0119", declinedProcess),
	"pm_card_visa_chargeDeclinedVelocityLimitExceeded": declining("visa", "6975", declinedVeloc),
	"pm_card_chargeCustomerFail":                       declining("visa", "0341", declinedGeneric).noted("attaches, then every charge is declined"),
	"pm_card_radarBlock":                               declining("visa", "0019", declinedFraud).noted("blocked by the risk check (fraudulent)"),
	"pm_card_riskLevelHighest":                         declining("visa", "4954", declinedFraud).noted("blocked by the risk check (fraudulent)"),
	"pm_card_riskLevelElevated":                        card("visa", "9235", "succeeds"),

	"pm_card_authenticationRequired": card("visa", "3184", "always asks the customer: declined off-session with authentication_required").with(needsCustomer),
	"pm_card_authenticationRequiredOnSetup": card("visa", "3155", "asks the customer unless set up before; here always").
		with(needsCustomer),
	"pm_card_authenticationRequiredSetupForOffSession": card("visa", "3178", "set up before: succeeds off-session"),
	"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": declining("visa", "8260", declinedFunds).with(needsCustomer).
		noted("asks the customer, then insufficient_funds"),
	"pm_card_threeDSecure2Required": card("visa", "3220", "3D Secure must be completed: declined off-session").with(needsCustomer),
	"pm_card_threeDSecureRequired":  card("visa", "3063", "3D Secure must be completed: declined off-session").with(needsCustomer),
	"pm_card_threeDSecureRequiredChargeDeclined": declining("visa", "1629", declinedGeneric).with(needsCustomer).
		noted("3D Secure must be completed, then declined"),
	"pm_card_threeDSecureOptional": card("visa", "3055", "succeeds"),

	"pm_card_createDispute": card("visa", "0259", "succeeds, then a dispute (fraudulent) takes it back").
		with(func(b *behaviour) { b.Dispute = "fraudulent" }),
	"pm_card_createDisputeProductNotReceived": card("visa", "2685", "succeeds, then a dispute (product_not_received)").
		with(func(b *behaviour) { b.Dispute = "product_not_received" }),

	"pm_usBankAccount_success":             bank("6789", "processing, then settles", bankPlan{}),
	"pm_usBankAccount_accountClosed":       bank("1113", "processing, then fails: account_closed", bankPlan{Fail: &bankClosed}),
	"pm_usBankAccount_noAccount":           bank("1116", "processing, then fails: no_account", bankPlan{Fail: &bankNoAccount}),
	"pm_usBankAccount_insufficientFunds":   bank("2227", "processing, then fails: insufficient_funds", bankPlan{Fail: &bankFunds}),
	"pm_usBankAccount_debitNotAuthorized":  bank("3335", "processing, then fails: debit_not_authorized", bankPlan{Fail: &bankNotAllowed}),
	"pm_usBankAccount_invalidCurrency":     bank("4440", "processing, then fails: invalid_currency", bankPlan{Fail: &bankCurrency}),
	"pm_usBankAccount_weeklyLimitExceeded": bank("7771", "processing, then fails: charge_exceeds_weekly_limit", bankPlan{Fail: &bankWeekly}),
	"pm_usBankAccount_dispute":             bank("5559", "settles, then is returned as unauthorized", bankPlan{Returns: &bankNotAllowed}),
	"pm_usBankAccount_processing":          bank("0009", "stays in processing until cancelled", bankPlan{Never: true}),
}

func needsCustomer(b *behaviour) { b.AuthOffSession, b.AuthOnSession = true, true }

// behaviourOf finds what a token does; false when it is no test payment method.
func behaviourOf(token string) (behaviour, bool) {
	if b, ok := documented[token]; ok {
		return b, true
	}
	if rest, ok := strings.CutPrefix(token, "pm_sim_"); ok {
		return ownBehaviour(rest)
	}
	country, ok := strings.CutPrefix(token, "pm_card_")
	if ok && len(country) == 2 && strings.ToLower(country) == country {
		b := card("visa", "0000", "succeeds")
		b.Country = strings.ToUpper(country)
		return b, true
	}
	return behaviour{}, false
}
