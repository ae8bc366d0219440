package stripesim

// decline is a refusal in Stripe's words.
type decline struct {
	Code, DeclineCode, Message                    string
	Advice, NetworkAdvice, NetworkDecline, Reason string
}

// Declines of Stripe's test cards. Codes and messages follow docs.stripe.com/declines/codes; the issuers' two-digit codes are the
// usual ISO 8583 ones for the reason.
var (
	declinedGeneric = decline{
		Code: "card_declined", DeclineCode: "generic_decline",
		Message: "Your card was declined.",
		Advice:  "try_again_later", NetworkDecline: "05",
	}
	declinedFunds = decline{
		Code: "card_declined", DeclineCode: "insufficient_funds",
		Message: "Your card has insufficient funds.",
		Advice:  "try_again_later", NetworkDecline: "51",
	}
	declinedLost = decline{
		Code: "card_declined", DeclineCode: "lost_card",
		Message: "Your card was declined.",
		Advice:  "do_not_try_again", NetworkDecline: "41",
	}
	declinedStolen = decline{
		Code: "card_declined", DeclineCode: "stolen_card",
		Message: "Your card was declined.",
		Advice:  "do_not_try_again", NetworkDecline: "43",
	}
	declinedExpired = decline{
		Code: "expired_card", DeclineCode: "expired_card",
		Message: "Your card has expired.",
		Advice:  "confirm_card_data", NetworkDecline: "54",
	}
	declinedCVC = decline{
		Code: "incorrect_cvc", DeclineCode: "incorrect_cvc",
		Message: "Your card's security code is incorrect.",
		Advice:  "confirm_card_data", NetworkDecline: "N7",
	}
	declinedProcess = decline{
		Code: "processing_error", DeclineCode: "processing_error",
		Message: "An error occurred while processing your card. Try again in a little bit.",
		Advice:  "try_again_later", NetworkDecline: "96",
	}
	declinedVeloc = decline{
		Code: "card_declined", DeclineCode: "card_velocity_exceeded",
		Message: "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
		Advice:  "try_again_later", NetworkDecline: "65",
	}
	declinedFraud = decline{
		Code: "card_declined", DeclineCode: "fraudulent",
		Message: "Your card was declined.",
		Advice:  "do_not_try_again", Reason: "highest_risk_level",
	}
	declinedAuth = decline{
		Code: "authentication_required", DeclineCode: "authentication_required",
		Message:        "Your card was declined. This transaction requires authentication.",
		NetworkDecline: "1A",
	}

	bankClosed = decline{
		Code:           "account_closed",
		Message:        "The customer's bank account has been closed.",
		NetworkDecline: "R02",
	}
	bankNoAccount = decline{
		Code:           "no_account",
		Message:        "The bank account could not be located.",
		NetworkDecline: "R03",
	}
	bankFunds = decline{
		Code:           "insufficient_funds",
		Message:        "The customer's account has insufficient funds to cover this payment.",
		NetworkDecline: "R01",
	}
	bankNotAllowed = decline{
		Code:           "debit_not_authorized",
		Message:        "The customer has notified their bank that this payment was unauthorized.",
		NetworkDecline: "R10",
	}
	bankCurrency = decline{
		Code:    "invalid_currency",
		Message: "The bank was unable to process this payment because of its currency.",
	}
	bankWeekly = decline{
		Code:    "charge_exceeds_weekly_limit",
		Message: "This payment exceeds the weekly volume limit of the bank account.",
	}
)
