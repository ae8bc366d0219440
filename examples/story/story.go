package main

// What the simulated gateway does with a token is listed in gateway/stripesim/README.md.
const (
	pays       = "pm_card_visa"
	paysToo    = "pm_card_mastercard"
	noMoney    = "pm_card_visa_chargeDeclinedInsufficientFunds"
	lost       = "pm_card_visa_chargeDeclinedLostCard"
	generic    = "pm_card_visa_chargeDeclined"
	asksToAuth = "pm_card_authenticationRequired"
)

// story is the cast in the order of examples/README.md.
func story() []any {
	var objects []any
	for _, scene := range [][]*actor{byCredits(), byFunds(), inParts(), byPrimary(), byBackup(), retried(), unknown(), organisations(), unpaid()} {
		for _, a := range scene {
			objects = append(objects, a.objects...)
		}
	}
	return objects
}

// byCredits: promotional credits pay everything, no method is touched (CR7).
func byCredits() []*actor {
	return []*actor{
		// CR1: the one that expires first goes first, though it is for every service.
		enter("Aurora Analytics", newYork, "Maya Lindqvist").card(pays, "visa 4242").
			credit("500.00", "startup programme", until("2099-12-31", "Compute")).credit("400.00", "conference voucher", until("2098-06-30")).
			owes(usage("Object Storage", "312.40"), usage("Compute", "287.15")),
		// CR1: the same expiry, so the one for fewer services goes first.
		enter("Birkenhain Software GmbH", berlin, "Jonas Hartwig").card(pays, "visa 4242").
			credit("300.00", "migration bonus", until("2099-03-31", "Compute", "Object Storage", "Managed Postgres")).
			credit("150.00", "database trial", until("2099-03-31", "Managed Postgres")).
			owes(usage("Managed Postgres", "210.00"), usage("Compute", "189.90"), usage("Object Storage", "12.34")),
		// Yen have no cents (M1).
		enter("Sakura Robotics KK", tokyo, "Haruka Mori").card("pm_card_jcb", "jcb 0505").
			credit("120000", "partner programme", nil).
			owes(usage("Compute", "84210"), usage("Data Transfer", "3177")),
		// CR3: credits leave out support and tax unless they say otherwise.
		enter("Delphi Diagnostics", chicago, "Priya Raman").
			credit("900.00", "service level missed in September", func(c *credit) { c.IncludedKinds = []string{"support", "tax"} }).
			owes(usage("Compute", "455.00"), charge("support", "Support Plan", "Business support", "100.00"), charge("tax", "Sales Tax", "Illinois", "34.69")),
	}
}

// byFunds: prepaid money pays everything (AF1).
func byFunds() []*actor {
	return []*actor{
		enter("Evergreen Freight", seattle, "Tomas Okafor").funds("2500.00").
			owes(usage("Compute", "1204.66"), usage("Log Search", "310.05")),
		enter("Fontaine Textiles SARL", paris, "Camille Durand").card(pays, "visa 4242").funds("800.00").funds("500.00").
			owes(usage("Managed Postgres", "940.00"), charge("tax", "TVA", "20 %", "188.00")),
		enter("Ginza Media KK", tokyo, "Kenji Watanabe").funds("250000").
			owes(usage("Compute", "180500"), charge("tax", "Consumption Tax", "10 %", "18050")),
		// Nothing to pay: paid at once, without a case.
		enter("Halcyon Labs", denver, "Ruth Abramson").
			owes(usage("Compute", "41.20"), charge("adjustment", "Compute", "free tier", "-41.20")),
	}
}

// inParts: credits, then funds, then the primary for the rest.
func inParts() []*actor {
	return []*actor{
		enter("Ironwood Games", seattle, "Diego Salazar").card(pays, "visa 4242").
			credit("100.00", "launch voucher", until("2099-12-31")).funds("250.00").
			owes(usage("Compute", "512.80"), usage("Data Transfer", "96.41")),
		enter("Juniper Verlag GmbH", berlin, "Lena Brandt").card(paysToo, "mastercard 4444").
			credit("40.00", "goodwill", until("2099-01-31", "Object Storage")).funds("75.50").
			owes(usage("Object Storage", "61.07"), usage("Compute", "133.33"), charge("tax", "Umsatzsteuer", "19 %", "36.94")),
		enter("Kumo Logistics KK", tokyo, "Aiko Tanaka").card("pm_card_jcb", "jcb 0505").
			credit("5000", "voucher", nil).funds("20000").
			owes(usage("Compute", "48211")),
		// AF2: funds don't pay for what others sell.
		enter("Larkspur Legal LLP", newYork, "Owen Whitfield").card(pays, "visa 4242").funds("300.00").
			owes(usage("Object Storage", "48.00")).
			owesMarketplace(charge("marketplace", "Contract Scanner by Vellum", "licence", "120.00")),
		// AF4: two invoices, one balance; the primary pays what is missing.
		enter("Meridian Surveys", denver, "Hannah Cho").card(pays, "visa 4242").funds("150.00").
			owes(usage("Compute", "110.00")).owes(usage("Log Search", "95.00")),
	}
}

// byPrimary: the ordinary case.
func byPrimary() []*actor {
	return []*actor{
		enter("Northwind Bakery", newYork, "Grace Adeyemi").card(pays, "visa 4242").owes(usage("Compute", "29.99")),
		enter("Orchid Hotels", sydney, "Liam Carver").card(paysToo, "mastercard 4444").owes(usage("Managed Postgres", "1310.00"), usage("Log Search", "77.25")),
		enter("Palisade Security", chicago, "Noor Haddad").card("pm_card_amex", "amex 8431").owes(usage("Compute", "8450.10"), charge("support", "Support Plan", "Enterprise support", "845.01")),
		enter("Quinta Sol Energia Ltda", saoPaulo, "Beatriz Nunes").card(pays, "visa 4242").owes(usage("Compute", "402.11")),
		enter("Ravnkilde Shipping Oy", helsinki, "Aino Laine").card(pays, "visa 4242").owes(usage("Data Transfer", "2044.00")),
		enter("Shinjuku Books KK", tokyo, "Sora Ito").card("pm_card_jcb", "jcb 0505").owes(usage("Object Storage", "9800"), charge("tax", "Consumption Tax", "10 %", "980")),
		// A bank debit is accepted first and settles later (U3).
		enter("Timberline Credit Union", denver, "Carl Jensen").bank("pm_usBankAccount_success", "6789").owes(usage("Compute", "655.00")),
		// Announced money is not money yet (AF3).
		enter("Umbra Film", seattle, "Zoe Park").card(pays, "visa 4242").pendingFunds("1000.00").owes(usage("Compute", "333.00"), usage("Object Storage", "512.09")),
		enter("Verbena Cosmetics SL", madrid, "Lucia Romero").card("pm_card_visa_debit", "visa 5556").owes(usage("Compute", "71.80"), charge("tax", "IVA", "21 %", "15.08")),
		enter("Willow Trekking", kathmandu, "Pema Gurung").card(pays, "visa 4242").owes(usage("Log Search", "18.40")),
	}
}

// byBackup: the primary is declined or can't be used, a backup pays, and the customer is told which failed (PM7).
func byBackup() []*actor {
	return []*actor{
		enter("Xenia Architects", newYork, "Felix Moreau").card(noMoney, "visa 9995").card(paysToo, "mastercard 4444").owes(usage("Compute", "740.00")),
		// A lost card is blocked for good (D1).
		enter("Yarrow Clinics", dublin, "Siobhan Kelly").card(lost, "visa 9987").card(pays, "visa 4242").owes(usage("Managed Postgres", "265.40"), charge("tax", "VAT", "23 %", "61.04")),
		// An expired card is skipped without asking the gateway (PM2).
		enter("Zephyr Cycles", berlin, "Mats Ulrich").expiredCard("visa 0069").card(pays, "visa 4242").owes(usage("Compute", "58.20")),
		// A card that asks for the customer can't be charged without one (D1 auth_required).
		enter("Acacia Foods KK", tokyo, "Yui Kobayashi").card(asksToAuth, "visa 3184").card("pm_card_jcb", "jcb 0505").owes(usage("Compute", "31900")),
		// Two fail before the third pays.
		enter("Basalt Mining", denver, "Erin Doyle").card(generic, "visa 0002").card("pm_sim_mastercard_advice_24", "mastercard 4444").card("pm_card_discover", "discover 1117").
			owes(usage("Compute", "1999.00"), usage("Data Transfer", "240.87")),
	}
}

// retried: declined at first, paid in a later round (D5).
func retried() []*actor {
	return []*actor{
		enter("Cobalt Coffee", seattle, "Andre Baptiste").card("pm_sim_decline_then_ok_1", "visa 9995").owes(usage("Compute", "64.00")),
		enter("Dovetail Furniture", paris, "Ines Lambert").card("pm_sim_decline_then_ok_2", "visa 9995").owes(usage("Object Storage", "149.50")),
		enter("Ember Fitness KK", tokyo, "Ren Fujita").card("pm_sim_decline_for_12s", "visa 9995").owes(usage("Compute", "27500")),
		// The backup gets money before the primary does.
		enter("Foxglove Florists", chicago, "Wanda Kowalski").card(noMoney, "visa 9995").card("pm_sim_decline_then_ok_2", "mastercard 4444").owes(usage("Compute", "88.75")),
	}
}

// unknown: the gateway didn't say what happened; it is looked up, and nobody is charged twice (U1, PM3).
func unknown() []*actor {
	return []*actor{
		enter("Granite Insurance", newYork, "Paul Ivanov").card("pm_sim_timeout_after_effect", "visa 4242").card(pays, "visa 4242").owes(usage("Compute", "3120.00")),
		enter("Heron Travel SARL", paris, "Chloe Petit").card("pm_sim_error_500_after", "visa 4242").owes(usage("Compute", "415.60")),
		enter("Indigo Press", dublin, "Niamh Burke").card("pm_sim_reset", "visa 4242").owes(usage("Object Storage", "92.10")),
		enter("Jasmine Tea KK", tokyo, "Mei Sato").card("pm_sim_malformed", "visa 4242").owes(usage("Compute", "15400")),
		enter("Kestrel Drones", denver, "Amir Farouk").card("pm_sim_timeout_before_effect", "visa 4242").owes(usage("Compute", "501.00")),
		// Not sent at all: the same attempt goes again soon (D1 transient).
		enter("Lantern Schools", sydney, "Isla Morgan").card("pm_sim_rate_limited_429", "visa 4242").owes(usage("Log Search", "36.60")),
	}
}

// organisations: an owning account and its own (CR4).
func organisations() []*actor {
	return []*actor{
		enter("Monolith Group", newYork, "Victor Stone").shares().card(pays, "visa 4242").
			credit("1000.00", "enterprise agreement", until("2099-12-31")).owes(usage("Compute", "300.00")),
		enter("Monolith-Retail Inc", chicago, "Dana Fields").in("monolith").card(pays, "visa 4242").owes(usage("Compute", "450.00")),
		enter("Monolith-Cargo Inc", seattle, "Sam Ortega").in("monolith").card(pays, "visa 4242").owes(usage("Data Transfer", "620.00")),
		// Here the credits are not shared.
		enter("Nimbus Holding GmbH", berlin, "Katrin Vogel").card(pays, "visa 4242").
			credit("500.00", "partner bonus", until("2099-12-31")).owes(usage("Compute", "120.00")),
		enter("Nimbus-Wetter GmbH", berlin, "Oliver Kranz").in("nimbus").card(paysToo, "mastercard 4444").owes(usage("Compute", "280.00")),
	}
}

// unpaid: every round fails, the account is suspended (S1). story-later.jsonl brings Obsidian and Peregrine back.
func unpaid() []*actor {
	return []*actor{
		enter("Obsidian Studios", seattle, "Tessa Bright").card(noMoney, "visa 9995").owes(usage("Compute", "975.00")),
		enter("Peregrine Apps", berlin, "Timo Engel").card(generic, "visa 0002").owes(usage("Managed Postgres", "430.00")),
		enter("Quartz Watches KK", tokyo, "Daichi Hayashi").card(noMoney, "visa 9995").card(lost, "visa 9987").owes(usage("Compute", "66000")),
		enter("Rosewood Theatre", dublin, "Eoin Walsh").card(asksToAuth, "visa 3184").owes(usage("Object Storage", "210.00")),
		// No usable method: straight to notices with a way to pay (PM9).
		enter("Saffron Catering", chicago, "Leila Nasser").owes(usage("Compute", "140.00")),
		enter("Tundra Outdoor Oy", helsinki, "Eero Niemi").expiredCard("visa 0069").owes(usage("Compute", "77.00")),
		// Below the policy's minimum: never suspended for it (S2).
		enter("Ultramarine Prints", newYork, "June Castle").card(noMoney, "visa 9995").owes(usage("Object Storage", "0.64")),
	}
}

// later is what happens half a minute on: money arrives for one suspended account, a new card is added for another; both are
// reinstated (AF4, PM1, S1).
func later() []any {
	obsidian := &actor{id: "obsidian", currency: "USD"}
	obsidian.funds("1000.00")
	peregrine := &actor{id: "peregrine", currency: "EUR", methods: 1}
	peregrine.card(pays, "visa 4242")
	return append(obsidian.objects, peregrine.objects...)
}
