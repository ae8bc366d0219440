package console

import (
	"math/big"
	"strings"

	"recoup/billing"
	"recoup/money"
	"recoup/store"
)

// source is where a part of an invoice's money came from, with its place on a bar of 100 units.
type source struct {
	Text   string
	Tone   string
	Amount money.Amount
	Start  string // left end and width on the bar, "12.5"
	Width  string
	Open   bool // not paid: what is still due
}

// sourceWords name what a posting brought (billing.PostingKind); a receipt is named by its method instead.
var sourceWords = map[billing.PostingKind]struct{ text, tone string }{
	billing.PostCreditApplied: {"Credits", "violet"},
	billing.PostFundsUsed:     {"Advance funds", "green"},
	billing.PostUnappliedUsed: {"Unapplied funds", "teal"},
	billing.PostOutOfBand:     {"Paid outside Recoup", "amber"},
	billing.PostReceipt:       {"Payment methods", "blue"},
	billing.PostVoid:          {"Voided", "grey"},
	billing.PostWriteOff:      {"Written off", "grey"},
}

// sourceOf names the source of a booking; a reversal has the name of what it takes back.
func sourceOf(b store.Booking, attempts []store.AttemptView) (text, tone string, attempt bool) {
	for _, a := range attempts {
		if strings.Contains(b.Key, string(a.ID)) {
			return methodName(a.Masked), "blue", true
		}
	}
	if w, ok := sourceWords[kindOf(b.Kind)]; ok {
		return w.text, w.tone, false
	}
	return sentence(string(kindOf(b.Kind))), "grey", false
}

// sourcesOf adds up what paid an invoice, by source in the order they came, and what is still open.
func sourcesOf(d store.CaseDetail) []source {
	var out []source
	for _, b := range d.Bookings {
		if b.Kind == string(billing.PostInvoiceIssued) {
			continue
		}
		text, tone, _ := sourceOf(b, d.Attempts)
		found := false
		for n := range out {
			if out[n].Text == text {
				if sum, err := out[n].Amount.Add(b.Amount); err == nil {
					out[n].Amount, found = sum, true
				}
			}
		}
		if !found {
			out = append(out, source{Text: text, Tone: tone, Amount: b.Amount})
		}
	}
	if d.Due.IsPositive() {
		out = append(out, source{Text: "Still due", Tone: "open", Amount: d.Due, Open: true})
	}
	placeOnBar(out, d.Total)
	return out
}

// placeOnBar gives each source its share of the total. Only pixels depend on it, so a rounded share will do.
func placeOnBar(sources []source, total money.Amount) {
	if !total.IsPositive() {
		return
	}
	hundredths := func(minor int64) *big.Rat { return big.NewRat(minor, total.Minor()) }
	at := new(big.Rat)
	hundred := big.NewRat(100, 1)
	for n := range sources {
		if sources[n].Amount.Minor() <= 0 {
			continue
		}
		share := hundredths(sources[n].Amount.Minor())
		sources[n].Start = new(big.Rat).Mul(at, hundred).FloatString(2)
		sources[n].Width = new(big.Rat).Mul(share, hundred).FloatString(2)
		at.Add(at, share)
	}
}

// kindOf is a booking's kind without the mark of a reversal.
func kindOf(kind string) billing.PostingKind {
	return billing.PostingKind(strings.TrimSuffix(kind, "_reversed"))
}
