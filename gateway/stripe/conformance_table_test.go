package stripe_test

import (
	"strings"

	"recoup/billing"
	"recoup/gateway/conformance"
	"recoup/gateway/stripesim"
)

// tokens gives the instrument of each behaviour.
var tokens = map[conformance.Behaviour]string{
	conformance.Succeeds:            "pm_card_visa",
	conformance.DeclinedFunds:       "pm_card_visa_chargeDeclinedInsufficientFunds",
	conformance.DeclinedLost:        "pm_card_visa_chargeDeclinedLostCard",
	conformance.DeclinedAdvice:      "pm_sim_mastercard_advice_03",
	conformance.DeclinedExpired:     "pm_card_chargeDeclinedExpiredCard",
	conformance.DeclinedRisk:        "pm_sim_decline_code_fraudulent",
	conformance.DeclinedIssuer:      "pm_sim_decline_code_do_not_honor",
	conformance.DeclinedProcessing:  "pm_card_chargeDeclinedProcessingError",
	conformance.DeclinedLater:       "pm_sim_advice_try_again_later",
	conformance.NeedsAuthentication: "pm_card_authenticationRequired",
	conformance.WaitsForCustomer:    "pm_sim_requires_action",
	conformance.TakesAPart:          "pm_sim_partial_60",
	conformance.TakesTooMuch:        "pm_sim_off_by_one",
	conformance.UnknownMethod:       "pm_nobody",
	conformance.BankSettles:         "pm_usBankAccount_success",
	conformance.BankFails:           "pm_usBankAccount_insufficientFunds",
	conformance.BankClosed:          "pm_usBankAccount_accountClosed",
	conformance.BankStays:           "pm_usBankAccount_processing",
	conformance.BankReturns:         "pm_usBankAccount_dispute",
	conformance.Disputed:            "pm_card_createDispute",
	conformance.TimeoutBefore:       "pm_sim_timeout_before_effect",
	conformance.TimeoutAfter:        "pm_sim_timeout_after_effect",
	conformance.LateEffect:          "pm_sim_late_effect_2s",
	conformance.ServerErrBefore:     "pm_sim_error_500_before",
	conformance.ServerErrAfter:      "pm_sim_error_500_after",
	conformance.ServerErrKept:       "pm_sim_error_500_stored",
	conformance.ServerErrPaid:       "pm_sim_error_500_stored_paid",
	conformance.ProxyErrBefore:      "pm_sim_error_503_before",
	conformance.ResetBefore:         "pm_sim_reset_before",
	conformance.ResetAfter:          "pm_sim_reset",
	conformance.Slow:                "pm_sim_slow_200ms",
	conformance.Truncated:           "pm_sim_malformed",
	conformance.HTMLAnswer:          "pm_sim_malformed_html",
	conformance.UnknownStatus:       "pm_sim_malformed_enum",
	conformance.WrongType:           "pm_sim_malformed_type",
	conformance.EmptyAnswer:         "pm_sim_malformed_empty",
	conformance.HugeAnswer:          "pm_sim_huge_body",
	conformance.RateLimited:         "pm_sim_rate_limited_429",
	conformance.InProgress:          "pm_sim_conflict_409_then_ok",
	conformance.Unauthorized:        "pm_sim_unauthorized_401",
}

func instruments() map[conformance.Behaviour]conformance.Instrument {
	all := map[conformance.Behaviour]conformance.Instrument{}
	for behaviour, token := range tokens {
		i := conformance.Instrument{Token: token, Kind: billing.MethodCard}
		if strings.HasPrefix(token, "pm_usBankAccount_") {
			i.Kind = billing.MethodUSBankAccount
		}
		all[behaviour] = i
	}
	return all
}

// broken are the ways a read can fail, each a set of fault scripts.
var broken = map[conformance.Read][][]stripesim.Script{
	conformance.ReadAttempt: append(brokenEndpoint("payment_intents.search"),
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}}, // the index lags; the list knows
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.Error500Before}},
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.TimeoutBefore}},
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.Malformed}},
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.LookupMiss}, {Endpoint: "payment_intents.list", Fault: stripesim.MalformedEmpty}},
		[]stripesim.Script{{Endpoint: "payment_intents.search", Fault: stripesim.MalformedEmpty}, {Endpoint: "payment_intents.list", Fault: stripesim.MalformedEmpty}},
	),
	conformance.ReadReversals: brokenEndpoint("disputes.list"),
	conformance.ReadList:      brokenEndpoint("payment_intents.list"),
	conformance.ReadTakenBack: brokenEndpoint("disputes.list"),
}

func brokenEndpoint(endpoint string) (ways [][]stripesim.Script) {
	for _, fault := range []stripesim.Fault{stripesim.Error500Before, stripesim.Error503Before, stripesim.TimeoutBefore, stripesim.Malformed,
		stripesim.MalformedHTML, stripesim.MalformedEmpty, stripesim.HugeBody, stripesim.RateLimited429, stripesim.Unauthorized401, stripesim.Reset} {
		ways = append(ways, []stripesim.Script{{Endpoint: endpoint, Fault: fault}})
	}
	return ways
}

var brokenWebhooks = map[conformance.WebhookFault]stripesim.Fault{
	conformance.WebhookLost:      stripesim.WebhookLost,
	conformance.WebhookDoubled:   stripesim.WebhookDuplicate,
	conformance.WebhookReordered: stripesim.WebhookDelayed,
	conformance.WebhookForged:    stripesim.WebhookForged,
	conformance.WebhookOld:       stripesim.WebhookOld,
}
