package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// badge is a short state with a tone; the tone only repeats what the text says.
type badge struct {
	Text string
	Tone string // a class of console.css: blue, amber, orange, rust, red, green, violet, grey
}

var stageBadges = map[dunning.Stage]badge{
	dunning.StageCollecting:          {"Collecting", "blue"},
	dunning.StageRetrying:            {"Retrying", "amber"},
	dunning.StageFinalNotice:         {"Final notice", "orange"},
	dunning.StageSuspensionScheduled: {"Suspension scheduled", "rust"},
	dunning.StageSuspended:           {"Suspended", "red"},
	dunning.StageFinished:            {"Finished", "grey"},
}

var outcomeBadges = map[billing.InvoiceState]badge{
	billing.InvoicePaid:       {"Paid", "green"},
	billing.InvoiceVoid:       {"Void", "grey"},
	billing.InvoiceWrittenOff: {"Written off", "grey"},
	billing.InvoiceOpen:       {"Open", "blue"},
}

// stageBadge names a stage; a finished case says how it ended.
func stageBadge(stage dunning.Stage, outcome billing.InvoiceState) badge {
	if stage == dunning.StageFinished {
		if b, ok := outcomeBadges[outcome]; ok {
			return b
		}
	}
	if b, ok := stageBadges[stage]; ok {
		return b
	}
	return badge{sentence(string(stage)), "grey"}
}

var standingBadges = map[billing.Standing]badge{
	billing.StandingActive:    {"Active", "green"},
	billing.StandingSuspended: {"Suspended", "red"},
	billing.StandingClosed:    {"Closed", "grey"},
}

var overlayBadges = map[store.CaseOverlay]badge{
	store.OverlayHeld:      {"On hold", "violet"},
	store.OverlayUnknown:   {"Outcome unknown", "rust"},
	store.OverlayPending:   {"Awaiting settlement", "blue"},
	store.OverlayCustomer:  {"Awaiting customer", "amber"},
	store.OverlayDisputed:  {"Disputed", "orange"},
	store.OverlayPromised:  {"Promised", "green"},
	store.OverlaySuspended: {"Account suspended", "red"},
}

var attemptBadges = map[billing.AttemptState]badge{
	billing.AttemptIntent:         {"About to be sent", "blue"},
	billing.AttemptSent:           {"Sent, no answer yet", "blue"},
	billing.AttemptSucceeded:      {"Succeeded", "green"},
	billing.AttemptDeclined:       {"Declined", "red"},
	billing.AttemptActionRequired: {"Customer must authenticate", "amber"},
	billing.AttemptPending:        {"Accepted, not settled yet", "blue"},
	billing.AttemptUnknown:        {"Outcome unknown", "rust"},
	billing.AttemptNotSent:        {"Not sent", "grey"},
}

// decidedBadges are what people decided and customers said that lies over a case's stage.
func (c *console) decidedBadges(held, promised time.Time, disputed money.Amount) []badge {
	var out []badge
	if held.After(c.Now()) {
		out = append(out, overlayBadges[store.OverlayHeld])
	}
	if disputed.IsPositive() {
		out = append(out, overlayBadges[store.OverlayDisputed])
	}
	if !promised.IsZero() {
		out = append(out, overlayBadges[store.OverlayPromised])
	}
	return out
}

// overlays are what lies over a case's stage.
func (c *console) overlays(v store.CaseView) []badge {
	var out []badge
	if v.FinishedAt.IsZero() {
		out = c.decidedBadges(v.HeldUntil, v.PromisedUntil, v.Disputed)
	}
	switch v.Attempt {
	case billing.AttemptUnknown:
		out = append(out, overlayBadges[store.OverlayUnknown])
	case billing.AttemptPending:
		out = append(out, overlayBadges[store.OverlayPending])
	case billing.AttemptActionRequired:
		out = append(out, overlayBadges[store.OverlayCustomer])
	}
	if v.AccountStanding == billing.StandingSuspended && v.Stage != dunning.StageSuspended {
		out = append(out, overlayBadges[store.OverlaySuspended])
	}
	return out
}

// doing says in plain words what a case does; masked names the method, where there is one.
func doing(do dunning.Do, masked string) string {
	switch do {
	case dunning.DoCharge:
		if masked != "" {
			return "Charge " + methodName(masked)
		}
		return "Charge the next method"
	case dunning.DoBeginRound:
		return "Try the payment methods in order"
	case dunning.DoLookUp:
		return "Ask the gateway what became of the attempt"
	case dunning.DoCancel:
		return "Cancel the attempt: its time is up"
	case dunning.DoEndRound:
		return "End the round and tell the customer"
	case dunning.DoFinalNotice:
		return "Send the final notice"
	case dunning.DoScheduleSuspension:
		return "Announce the suspension"
	case dunning.DoSuspend:
		return "Suspend the account"
	case dunning.DoCloseAccount:
		return "Close the account"
	case dunning.DoFinish:
		return "Finish"
	case dunning.DoWait:
		return "Look at the case again"
	}
	if do == "" {
		return "Look at the case again"
	}
	return sentence(string(do))
}

// properNames are written the way their owners write them.
var properNames = map[string]string{
	"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover", "jcb": "JCB", "diners": "Diners Club",
	"unionpay": "UnionPay", "card": "Card", "us_bank_account": "US bank account", "sepa_debit": "SEPA debit",
}

func methodName(masked string) string {
	brand, rest, _ := strings.Cut(masked, " ")
	if name, ok := properNames[brand]; ok {
		return strings.TrimSpace(name + " " + rest)
	}
	return masked
}

// nameMethods writes the brands in a text about masked methods ("visa ···4242") the way their owners do.
func nameMethods(text string) string {
	for brand, name := range properNames {
		text = strings.ReplaceAll(text, brand+" ···", name+" ···")
	}
	return text
}

// methodLine names a method without anything that could be misused (I18).
func methodLine(m billing.PaymentMethod) string {
	name := m.Brand
	if name == "" {
		name = string(m.Kind)
	}
	if proper, ok := properNames[name]; ok {
		name = proper
	}
	if m.Last4 == "" {
		return name
	}
	return name + " ···" + m.Last4
}

// placeOf says which method of the order it is: the primary or one of the backups.
func placeOf(position int) string {
	switch {
	case position == 1:
		return "Primary"
	case position == 2:
		return "Backup"
	case position > 2:
		return "Backup " + strconv.Itoa(position-1)
	}
	return ""
}

// sentence turns a code such as "final_notice" into words: "Final notice".
func sentence(code string) string {
	text := strings.TrimSpace(strings.NewReplacer("_", " ", "/", " ").Replace(code))
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// casePath is a case's page. Ids of cases are an invoice's id, and "/2" for its second episode.
func casePath(id billing.CaseID) string {
	if id == "" {
		return ""
	}
	invoice, episode, more := strings.Cut(string(id), "/")
	p := "/cases/" + url.PathEscape(invoice)
	if more {
		p += "/" + url.PathEscape(episode)
	}
	return p
}

// workflowLink is a case's workflow in Temporal's own UI.
func (c *console) workflowLink(id billing.CaseID) string {
	if c.TemporalUI == "" {
		return ""
	}
	return strings.TrimRight(c.TemporalUI, "/") + "/namespaces/" + url.PathEscape(c.Namespace) + "/workflows/" + url.PathEscape("case/"+string(id))
}
