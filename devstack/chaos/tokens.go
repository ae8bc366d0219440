package chaos

import (
	"math/rand/v2"
	"slices"
	"strings"

	"recoup/gateway/stripesim"
)

// token is a test payment method of the simulated gateway (gateway/stripesim/README.md) and what its card looks like.
type token struct{ name, brand, last4 string }

func (t token) bank() bool {
	return strings.HasPrefix(t.name, "pm_usBankAccount") || strings.HasPrefix(t.name, "pm_sim_bank")
}

// What the methods do, by family. Each token of each family belongs to somebody.
var (
	paying = []token{
		{"pm_card_visa", "visa", "4242"}, {"pm_card_visa_debit", "visa", "5556"}, {"pm_card_mastercard", "mastercard", "4444"},
		{"pm_card_mastercard_debit", "mastercard", "8210"}, {"pm_card_mastercard_prepaid", "mastercard", "5100"}, {"pm_card_amex", "amex", "8431"},
		{"pm_card_discover", "discover", "1117"}, {"pm_card_diners", "diners", "0004"}, {"pm_card_jcb", "jcb", "0505"},
		{"pm_card_unionpay", "unionpay", "0005"}, {"pm_card_jp", "visa", "0000"}, {"pm_card_riskLevelElevated", "visa", "9235"},
		{"pm_card_authenticationRequiredSetupForOffSession", "visa", "3178"}, {"pm_card_threeDSecureOptional", "visa", "3055"},
	}
	declined = []token{
		{"pm_card_visa_chargeDeclined", "visa", "0002"}, {"pm_card_chargeCustomerFail", "visa", "0341"},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", "visa", "9995"}, {"pm_card_visa_chargeDeclinedLostCard", "visa", "9987"},
		{"pm_card_visa_chargeDeclinedStolenCard", "visa", "9979"}, {"pm_card_chargeDeclinedExpiredCard", "visa", "0069"},
		{"pm_card_chargeDeclinedIncorrectCvc", "visa", "0127"}, {"pm_card_chargeDeclinedProcessingError", "visa", "0119"},
		{"pm_card_visa_chargeDeclinedVelocityLimitExceeded", "visa", "6975"}, {"pm_card_radarBlock", "visa", "0019"},
		{"pm_card_riskLevelHighest", "visa", "4954"}, {"pm_sim_decline_code_do_not_honor", "visa", "0002"},
		{"pm_sim_advice_try_again_later", "visa", "0002"}, {"pm_sim_advice_do_not_try_again", "visa", "0002"},
		{"pm_sim_advice_confirm_card_data", "visa", "0002"}, {"pm_sim_mastercard_advice_03", "mastercard", "4444"},
		{"pm_sim_mastercard_advice_24", "mastercard", "4444"}, {"pm_sim_decline_until_2199-12-31", "visa", "9995"},
	}
	laterPaying = []token{
		{"pm_sim_decline_then_ok_1", "visa", "9995"}, {"pm_sim_decline_then_ok_2", "visa", "9995"}, {"pm_sim_decline_then_ok_4", "visa", "9995"},
		{"pm_sim_decline_for_10s", "visa", "9995"}, {"pm_sim_decline_until_2020-01-01", "visa", "9995"},
	}
	asking = []token{
		{"pm_card_authenticationRequired", "visa", "3184"}, {"pm_card_authenticationRequiredOnSetup", "visa", "3155"},
		{"pm_card_threeDSecure2Required", "visa", "3220"}, {"pm_card_threeDSecureRequired", "visa", "3063"},
		{"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "visa", "8260"}, {"pm_card_threeDSecureRequiredChargeDeclined", "visa", "1629"},
		{"pm_sim_requires_action", "visa", "3184"}, {"pm_sim_requires_action", "visa", "3184"}, {"pm_sim_requires_action", "visa", "3184"},
		{"pm_sim_requires_action", "visa", "3184"}, {"pm_sim_requires_action", "visa", "3184"}, {"pm_sim_requires_action", "visa", "3184"},
	}
	banks = []token{
		{"pm_usBankAccount_success", "", "6789"}, {"pm_usBankAccount_success", "", "6789"}, {"pm_usBankAccount_success", "", "6789"},
		{"pm_usBankAccount_success", "", "6789"}, {"pm_sim_bank_settles_after_5s", "", "6789"}, {"pm_usBankAccount_accountClosed", "", "1113"}, {"pm_usBankAccount_noAccount", "", "1116"},
		{"pm_usBankAccount_insufficientFunds", "", "2227"}, {"pm_usBankAccount_debitNotAuthorized", "", "3335"},
		{"pm_usBankAccount_invalidCurrency", "", "4440"}, {"pm_usBankAccount_weeklyLimitExceeded", "", "7771"},
		{"pm_usBankAccount_dispute", "", "5559"}, {"pm_usBankAccount_processing", "", "0009"},
		{"pm_sim_bank_settles_after_5s", "", "6789"}, {"pm_sim_bank_fails_after_5s", "", "2227"}, {"pm_sim_bank_returns_after_10s", "", "5559"},
	}
	takenBack = []token{
		{"pm_card_createDispute", "visa", "0259"}, {"pm_card_createDisputeProductNotReceived", "visa", "2685"}, {"pm_sim_dispute_after_10s", "visa", "0259"},
	}
	odd = []token{{"pm_sim_partial_60", "visa", "4242"}, {"pm_sim_off_by_one", "visa", "4242"}}
	// struck meet a fault on the first send of each key. Faults that end a key for good would strike every attempt, so that the case never
	// comes to rest: they are scripted only.
	struck = strikingTokens(stripesim.Unauthorized401, stripesim.Error500Stored)
)

// lateEffect is how long after the call a late effect may come. It is shorter than the gateway's declared lag of look-ups: a gateway that
// moves money after it has proved that it did not breaks its contract.
const lateEffect = "_3s"

func strikingTokens(but ...stripesim.Fault) []token {
	var all []token
	for _, f := range gatewayFaults {
		if slices.Contains(but, f) {
			continue
		}
		name := "pm_sim_" + string(f)
		if f == stripesim.LateEffect {
			name += lateEffect
		}
		all = append(all, token{name, "visa", "4242"})
	}
	return all
}

// share is how many of a hundred methods are of a family.
type share struct {
	percent int
	tokens  []token
}

// primaries and backups: most customers pay, else nothing but failures would be collected.
var (
	primaries = []share{{46, paying}, {16, struck}, {11, declined}, {7, laterPaying}, {6, asking}, {9, banks}, {3, takenBack}, {2, odd}}
	backups   = []share{{62, paying}, {15, struck}, {12, declined}, {4, laterPaying}, {4, banks}, {3, asking}}
)

// everyToken is each of them once.
func everyToken() []token {
	var all []token
	for _, s := range primaries {
		all = append(all, s.tokens...)
	}
	return all
}

// draw picks a token by the shares; bank debits only where the account may have one.
func draw(luck *rand.Rand, shares []share, banksToo bool) token {
	for {
		n := luck.IntN(100)
		for _, s := range shares {
			if n < s.percent {
				t := s.tokens[luck.IntN(len(s.tokens))]
				if t.bank() && !banksToo {
					break
				}
				return t
			}
			n -= s.percent
		}
	}
}
