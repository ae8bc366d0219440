package e2e

import (
	"fmt"
	"regexp"
	"strings"
)

// ending is how one invoice of the sample story must end, worked out by hand from examples/README.md and the rules. Amounts are in minor
// units.
type ending struct {
	invoice                 string
	credits, funds, charged int64
	// tried is what was tried and what came of it, "pm-1 declined, pm-2 succeeded", without the account's name.
	tried string
	// rounds is the number of rounds that tried; 0: any.
	rounds int
	// states is what the last attempt went through.
	states string
}

const straight = "intent sent succeeded"

// paidEndings are the invoices that the story collects, scene by scene.
var paidEndings = []ending{
	// Paid by credits: no method is touched (CR7).
	{invoice: "inv-aurora-1", credits: 59955},
	{invoice: "inv-birkenhain-1", credits: 41224},
	{invoice: "inv-sakura-1", credits: 87387},
	{invoice: "inv-delphi-1", credits: 58969},
	// Paid by funds (AF1).
	{invoice: "inv-evergreen-1", funds: 151471},
	{invoice: "inv-fontaine-1", funds: 112800},
	{invoice: "inv-ginza-1", funds: 198550},
	// In parts: credits, then funds, then the primary for the rest.
	{invoice: "inv-ironwood-1", credits: 10000, funds: 25000, charged: 25921, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-juniper-1", credits: 4000, funds: 7550, charged: 11584, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-kumo-1", credits: 5000, funds: 20000, charged: 23211, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-larkspur-1", funds: 4800},
	{invoice: "inv-larkspur-2", charged: 12000, tried: "1 succeeded", rounds: 1, states: straight},
	// By the primary.
	{invoice: "inv-northwind-1", charged: 2999, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-orchid-1", charged: 138725, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-palisade-1", charged: 929511, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-quinta-1", charged: 40211, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-ravnkilde-1", charged: 204400, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-shinjuku-1", charged: 10780, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-timberline-1", charged: 65500, tried: "1 succeeded", rounds: 1, states: "intent sent pending succeeded"},
	{invoice: "inv-umbra-1", charged: 84509, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-verbena-1", charged: 8688, tried: "1 succeeded", rounds: 1, states: straight},
	{invoice: "inv-willow-1", charged: 1840, tried: "1 succeeded", rounds: 1, states: straight},
	// By a backup (PM7). Zephyr's expired card is not even asked.
	{invoice: "inv-xenia-1", charged: 74000, tried: "1 declined, 2 succeeded", rounds: 1, states: straight},
	{invoice: "inv-yarrow-1", charged: 32644, tried: "1 declined, 2 succeeded", rounds: 1, states: straight},
	{invoice: "inv-zephyr-1", charged: 5820, tried: "2 succeeded", rounds: 1, states: straight},
	{invoice: "inv-acacia-1", charged: 31900, tried: "1 declined, 2 succeeded", rounds: 1, states: straight},
	{invoice: "inv-basalt-1", charged: 223987, tried: "1 declined, 2 declined, 3 succeeded", rounds: 1, states: straight},
	// Retried (D5). Ember's card has no money for 12 s, so its rounds depend on how busy this machine is.
	{invoice: "inv-cobalt-1", charged: 6400, tried: "1 declined, 1 succeeded", rounds: 2, states: straight},
	{invoice: "inv-dovetail-1", charged: 14950, tried: "1 declined, 1 declined, 1 succeeded", rounds: 3, states: straight},
	{invoice: "inv-ember-1", charged: 27500, tried: "(1 declined, ){2,}1 succeeded", states: straight},
	{invoice: "inv-foxglove-1", charged: 8875, tried: "1 declined, 2 declined, 1 declined, 2 declined, 1 declined, 2 succeeded", rounds: 3, states: straight},
	// Outcome unknown: one attempt on one method, looked up, charged once, the backup not touched (U1, U2, PM3).
	{invoice: "inv-granite-1", charged: 312000, tried: "1 succeeded", rounds: 1, states: "intent sent unknown succeeded"},
	{invoice: "inv-heron-1", charged: 41560, tried: "1 succeeded", rounds: 1, states: "intent sent unknown succeeded"},
	{invoice: "inv-indigo-1", charged: 9210, tried: "1 succeeded", rounds: 1, states: "intent sent unknown succeeded"},
	{invoice: "inv-jasmine-1", charged: 15400, tried: "1 succeeded", rounds: 1, states: "intent sent unknown succeeded"},
	{invoice: "inv-kestrel-1", charged: 50100, tried: "1 succeeded", rounds: 1, states: "intent sent unknown intent sent succeeded"},
	{invoice: "inv-lantern-1", charged: 3660, tried: "1 succeeded", rounds: 1, states: "intent sent intent sent succeeded"},
	// Organisations whose credits are not shared (CR4); Monolith's are in sharedEndings.
	{invoice: "inv-nimbus-1", credits: 12000},
	{invoice: "inv-nimbus-wetter-1", charged: 28000, tried: "1 succeeded", rounds: 1, states: straight},
}

// sharedEnding is a balance that several invoices compete for: which of them comes first is the machine's to say, the sums are not (AF4,
// CR4).
type sharedEnding struct {
	invoices                []string
	credits, funds, charged int64
}

var sharedEndings = []sharedEnding{
	{[]string{"inv-meridian-1", "inv-meridian-2"}, 0, 15000, 5500},
	{[]string{"inv-monolith-1", "inv-monolith-retail-1", "inv-monolith-cargo-1"}, 100000, 0, 37000},
}

// unpaidEnding is an invoice that nothing pays; its account is suspended, unless it owes too little.
type unpaidEnding struct {
	account string
	due     int64
	stage   string
	putOff  string // why it is not suspended
	mails   map[string]int
}

func (e unpaidEnding) invoice() string { return "inv-" + e.account + "-1" }

var (
	toldToTheEnd = map[string]int{"payment_failed": 6, "final_notice": 1, "suspension_scheduled": 1, "suspended": 1}
	notSuspended = map[string]int{"payment_failed": 6, "final_notice": 1, "suspension_scheduled": 1}
)

var unpaidEndings = []unpaidEnding{
	{"quartz", 66000, "suspended", "", toldToTheEnd},
	{"rosewood", 21000, "suspended", "", toldToTheEnd},
	{"saffron", 14000, "suspended", "", toldToTheEnd},
	{"tundra", 7700, "suspended", "", toldToTheEnd},
	{"ultramarine", 64, "suspension_scheduled", "the amount due is below the policy's minimum", notSuspended},
}

// laterEnding is an account that was suspended when the story went on: money or a new card reinstates it.
type laterEnding struct {
	account        string
	funds, charged int64
	method         string // charged last
	mails          map[string]int
}

var laterEndings = []laterEnding{
	{"obsidian", 97500, 0, "pm-obsidian-1", map[string]int{
		"payment_failed": 6, "final_notice": 1, "suspension_scheduled": 1, "suspended": 1, "receipt": 1, "reinstated": 1}},
	// The new card is the second in order, so its owner is told that a backup was charged.
	{"peregrine", 0, 43000, "pm-peregrine-2", map[string]int{
		"payment_failed": 6, "final_notice": 1, "suspension_scheduled": 1, "suspended": 1, "receipt": 1, "reinstated": 1, "backup_charged": 1}},
}

// account is the account of an invoice of the story.
func (e ending) account() string {
	name := strings.TrimPrefix(e.invoice, "inv-")
	return name[:strings.LastIndex(name, "-")]
}

// objections says how a case differs from its ending.
func (e ending) objections(c shownCase) []string {
	var wrong []string
	objectTo := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if c.Outcome != "paid" || c.InvoiceState != "paid" || c.Stage != "finished" || c.Due.Minor != 0 {
		objectTo("ends %s, the invoice %s with %d due", c.Stage, c.InvoiceState, c.Due.Minor)
	}
	if credits, funds, charged := c.paid(fromCredits), c.paid(fromFunds), c.paid(fromGateway); credits != e.credits || funds != e.funds || charged != e.charged {
		objectTo("paid by credits %d, funds %d, gateway %d; want %d, %d, %d", credits, funds, charged, e.credits, e.funds, e.charged)
	}
	if c.Total.Minor != e.credits+e.funds+e.charged {
		objectTo("its total is %d", c.Total.Minor)
	}
	var tried []string
	rounds := 0
	for _, a := range c.Attempts {
		position := strings.TrimPrefix(a.Method, "pm-"+e.account()+"-")
		tried = append(tried, position+" "+a.State)
		rounds = max(rounds, a.Round)
	}
	got := strings.Join(tried, ", ")
	if !regexp.MustCompile("^(?:" + e.tried + ")$").MatchString(got) {
		objectTo("tried %q, want %q", got, e.tried)
	}
	if e.rounds != 0 && rounds != e.rounds {
		objectTo("%d rounds, want %d", rounds, e.rounds)
	}
	return wrong
}
