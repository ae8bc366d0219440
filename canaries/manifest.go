package main

import "strings"

// canary is one planted bug.
type canary struct {
	name   string
	files  []string // where it lies; with the tag they stand in for the file without _canary (or with another ending)
	rule   string   // what it breaks: rules, invariants, faults (docs/rules.md, docs/faults.md)
	bug    string   // in plain words
	layers []layer  // what must see it
}

// tag is the build tag that lets the canary hatch.
func (c canary) tag() string { return "canary_" + c.name }

// layer is some tests of one package, of one sort.
type layer struct {
	name  string // unit, property, fuzz, conformance, store, races, play, replay, webhook, notify, audit, console
	pkg   string // relative to the module's root
	tests []string
}

func by(name, pkg, tests string) layer { return layer{name, pkg, strings.Fields(tests)} }

func at(files ...string) []string { return files }

var canaries = []canary{
	{"key_with_run_id", at("gateway/stripe/key_canary.go"), "PM5", "the idempotency key holds the time of the try, so a second send charges again", []layer{
		by("unit", "gateway/stripe", "TestPM5TheKeyIsTheAttempt"), by("conformance", "gateway/stripe", "TestConformance")}},
	{"timeout_new_key", at("activities/send_canary.go"), "PM4, PM5, D2", "a timeout is tried once more under a new key", []layer{
		by("play", "workflows", "TestPM3CascadeOnlyAfterAFinalDecline")}},
	{"unknown_is_declined", at("gateway/stripe/silence_canary.go"), "D2, U2, PM3", "silence is a decline, so the backup is charged as well", []layer{
		by("unit", "gateway/stripe", "TestD2EveryAnswerFindsItsOutcome"), by("conformance", "gateway/stripe", "TestConformance")}},
	{"pending_cascades", at("dunning/owned_canary.go"), "PM3, U3", "while a bank debit settles the round goes on to the backup", []layer{
		by("unit", "dunning", "TestU3AnOpenAttemptOwnsItsRound"),
		by("property", "dunning", "TestD7DecideOnAnyFacts"),
		by("store", "store", "TestU3EventOfAPendingDebitBringsItsLookUpForward")}},
	{"second_send_proves", at("activities/proved_canary.go"), "D2, PM4", "\"not processed\" of a second send ends an attempt whose first send may have charged", []layer{
		by("play", "workflows", "TestPM4NotProcessedAfterAnUnansweredSendProvesNothing")}},
	{"miss_is_negative", at("gateway/stripe/miss_canary.go"), "U6, A19", "a look-up that finds nothing at once is taken for a proof", []layer{
		by("conformance", "gateway/stripe", "TestConformance")}},
	{"resend_after_window", at("store/key_window_canary.go"), "I13, U1", "the key's window starts over with each send, so a key that died is sent again", []layer{
		by("store", "store", "TestPM5CrashBetweenIntentAndAnswerResumesTheSameAttempt")}},
	{"amount_frozen", at("store/amount_to_charge_canary.go"), "PM6", "the amount is the one planned, not the one due at the last look", []layer{
		by("store", "store", "TestAF1CreditsThenFundsThenPrimary")}},
	{"hard_decline_retried", at("store/method_after_canary.go"), "D1, D3", "a card reported lost is charged again in the next round", []layer{
		by("play", "workflows", "TestD1HardDeclineIsNeverTriedAgain")}},
	{"budget_per_invoice", at("store/same_budget_canary.go"), "D4, I12", "the networks' budgets are counted for each invoice by itself", []layer{
		by("store", "store", "TestD4BudgetsAreOfTheInstrumentAcrossAccounts TestD4TwoAccountsAtOnceTakeTheLastPlaceOnce")}},
	{"credit_read_then_insert", at("store/spending_credit_canary.go"), "M4, I6", "a credit is read without a lock, then spent", []layer{
		by("races", "store/races", "TestM4ABalanceIsLookedAtUnderItsLock")}},
	{"deposit_read_then_insert", at("store/spending_deposit_canary.go"), "M4, AF4", "a deposit is read without a lock, then spent", []layer{
		by("races", "store/races", "TestM4ABalanceIsLookedAtUnderItsLock")}},
	{"expiry_by_sweeper", at("billing/usable_canary.go"), "CR3", "an expired credit pays until a sweep has marked it", []layer{
		by("unit", "billing", "TestCR3Eligibility"), by("property", "billing", "TestCR3LotsStayInBounds")}},
	{"missing_leg", at("billing/reversal_legs_canary.go"), "M2, I2", "what a reversal takes and nobody holds any more is booked nowhere", []layer{
		by("property", "billing", "TestU5ReversalIsDividedWhole"), by("store", "store", "TestU5ExcessGoesBackBeforeTheInvoiceReopens")}},
	{"two_decimals_everywhere", at("gateway/stripe/exponent_canary.go"), "M1", "yen are sent to the gateway as if they had cents", []layer{
		by("unit", "gateway/stripe", "TestM1AmountsInStripesUnits"), by("conformance", "gateway/stripe", "TestConformance")}},
	{"receipt_not_unique", at("store/receipt_key_canary.go"), "I2", "late money told by look-up and webhook is booked twice", []layer{
		by("store", "store", "TestU1PersonProvesTheNegative")}},
	{"late_success_dropped", at("store/late_answer_canary.go"), "U4", "money of an attempt that had ended is ignored", []layer{
		by("store", "store", "TestU1PersonProvesTheNegative"), by("webhook", "workers", "TestU4LateMoneyOfAnEndedAttemptIsFound")}},
	{"webhook_unsigned", at("gateway/stripe/webhook_signature_canary.go"), "B4", "a webhook without a signature is accepted", []layer{
		by("unit", "gateway/stripe", "TestWebhookSignatures"), by("webhook", "workers", "TestB4UnsignedWebhookIsRefused")}},
	{"webhook_twice", at("store/event_once_canary.go"), "B2", "the second copy of a webhook is acted on again", []layer{
		by("store", "store", "TestB1DuplicateEventsAreOne")}},
	{"webhook_believed", at("store/event_effect_canary.go"), "B2, R9", "what a webhook says is believed without asking the gateway", []layer{
		by("store", "store", "TestU3EventOfAPendingDebitBringsItsLookUpForward"),
		by("webhook", "workers", "TestU3WebhookSettlesAPendingDebit TestB1B2DuplicatesAndReordering")}},
	{"suspend_without_last_look", at("store/suspend_guard_canary.go", "store/last_look_canary.go"), "S2, I8", "an account is suspended because a workflow asks, without looking again", []layer{
		by("store", "store", "TestStandardPolicyToSuspensionAndBack TestS2SecondInvoiceOfASuspendedAccountIsGuardedToo")}},
	{"hold_ignored", at("dunning/escalation_held_canary.go"), "S2", "a hold of attempts alone lets notices and the suspension go on", []layer{
		by("unit", "dunning", "TestDecide")}},
	{"escalation_first", at("dunning/round_to_come_canary.go"), "D6", "an escalation goes before a round that could prevent it", []layer{
		by("unit", "dunning", "TestD6NoEscalationWhileARoundIsComing")}},
	{"cancelled_timer_is_fired", at("workflows/after_wait_canary.go", "store/last_look_canary.go"), "D6, R1", "a wait that a message ended is taken for the timer's end", []layer{
		by("play", "workflows", "TestR9APokeBringsNoEscalationForward"),
		by("replay", "workflows", "TestReplay")}},
	{"outage_counts", at("store/lateness_canary.go"), "T1, E5", "our own lateness brings a customer closer to suspension", []layer{
		by("store", "store", "TestT1OurLatenessMovesTheStageClock")}},
	{"reinstate_without_generation", at("store/standing_order_canary.go"), "S3", "a late suspend undoes a newer reinstate", []layer{
		by("notify", "notify", "TestS3LateSuspendNeverUndoesANewerReinstate")}},
	{"notice_without_record", at("store/notice_mark_canary.go"), "N2, F1", "a mail is handed over before it is recorded, so a crash sends it twice", []layer{
		by("store", "store", "TestF1CrashAfterTheServerTookIt TestF1InDoubtAnswer"), by("notify", "notify", "TestF1CrashAfterTheServerTookIt")}},
	{"resolution_not_idempotent", at("store/request_key_canary.go"), "R2", "the same request id records a payment twice", []layer{
		by("store", "store", "TestStandardPolicyToSuspensionAndBack"), by("play", "workflows", "TestR2OneRequestIDThroughTwoDoors"),
		by("console", "console", "TestR2PaymentIsRecordedOnce")}},
	{"events_updated", at("store/case_event_canary.go"), "I15", "a case's timeline is updated in place", []layer{
		by("store", "store", "TestCR7CoveredByCreditsTouchesNoMethod"), by("audit", "audit", "TestACleanStoryHoldsEveryInvariant")}},
	{"second_case", at("store/live_case_canary.go"), "I20", "the due scan opens a second case of an invoice", []layer{
		by("store", "store", "TestI20OpeningAgainReturnsTheLiveCase")}},
}
