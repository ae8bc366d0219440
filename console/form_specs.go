package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"recoup/access"
	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// formSpec is a form of one kind of decision beyond the common ones, which have pages' own markup: what it asks and says.
type formSpec struct {
	Kind                      billing.ResolutionKind
	Title, Icon, Text, Button string
	Fields                    []fieldSpec
	Confirms                  string // the decision that it confirms; it then asks for nothing else
}

// fieldSpec is one field of such a form.
type fieldSpec struct {
	Name, Label string
	Type        string // money, time, text, choice or tick
	Options     [][2]string
	Optional    bool
	Value       string
	Wants       access.Action // the field is for who may do this too; "": for all who may use the form
}

// action is what the form asks the table for.
func (s formSpec) action() access.Action {
	if s.Confirms != "" {
		return access.ConfirmDecision
	}
	return access.Resolve(s.Kind)
}

// offered leaves the forms and fields that somebody may use.
func offered(specs []formSpec, may func(access.Action) bool) []formSpec {
	var out []formSpec
	for _, s := range specs {
		if !may(s.action()) {
			continue
		}
		s.Fields = slices.DeleteFunc(slices.Clone(s.Fields), func(f fieldSpec) bool { return f.Wants != "" && !may(f.Wants) })
		out = append(out, s)
	}
	return out
}

var amountField = fieldSpec{Name: "amount", Label: "Amount", Type: "money"}

// caseSpecs are the further forms of an open case, in the order of rules.md §8.
func caseSpecs(d store.CaseDetail, now time.Time) []formSpec {
	var specs []formSpec
	until := func(days int) fieldSpec {
		return fieldSpec{Name: "until", Label: "Until", Type: "time", Value: now.AddDate(0, 0, days).Format("2006-01-02") + "T09:00"}
	}
	if d.FinishedAt.IsZero() {
		if d.Attempt != "" && d.Attempt != billing.AttemptIntent && d.Attempt != billing.AttemptSent {
			specs = append(specs, formSpec{Kind: billing.ResolveUnknown, Title: "Say what became of the attempt", Icon: "card", Button: "End the attempt",
				Text: "What you found at the gateway. Not captured is taken a day after the first send.", Fields: []fieldSpec{
					{Name: "verdict", Label: "Verdict", Type: "choice", Options: [][2]string{{"captured", "Captured"}, {"not_captured", "Not captured"}}},
					{Name: "reference", Label: "Payment at the gateway (captured)", Type: "text", Optional: true},
					{Name: "evidence", Label: "How it is known (not captured)", Type: "text", Optional: true}}})
		}
		specs = append(specs,
			formSpec{Kind: billing.PromiseToPay, Title: "Note a promise to pay", Icon: "clock", Button: "Note the promise",
				Text: fmt.Sprintf("Nothing is charged and nothing escalates until a day after the date, at most %d days ahead. An account promises once in %s.",
					d.Limits.PromiseDays, d.Limits.PromiseEveryWords()),
				Fields: []fieldSpec{amountField, until(7), {Name: "override", Label: "A supervisor allows one more", Type: "tick", Optional: true, Wants: access.OverrideLimit}}},
			disputeSpec(d),
			formSpec{Kind: billing.Extend, Title: "Extend", Icon: "clock", Button: "Extend", Fields: []fieldSpec{until(10)},
				Text: fmt.Sprintf("The next step of the policy comes on that date at the earliest, at most %d days later in all. The due date stays.",
					d.Limits.ExtendDays)},
			formSpec{Kind: billing.GrantCredit, Title: "Grant goodwill", Icon: "coins", Button: "Grant the credit", Fields: []fieldSpec{amountField},
				Text: "A credit for this invoice only, applied at once."},
			formSpec{Kind: billing.WriteOffInvoice, Title: "Write off", Icon: "warning", Button: "Write off", Text: "Gives up what is due and ends the case."},
			formSpec{Kind: billing.VoidInvoice, Title: "Void the invoice", Icon: "warning", Button: "Void",
				Text: "Credits and funds go back, money received waits to be refunded. This can't be taken back."})
	}
	return append(specs, decidedSpecs(d.Resolutions)...)
}

// disputeSpec notes a dispute, or ends the one that stands.
func disputeSpec(d store.CaseDetail) formSpec {
	if d.Disputed.IsPositive() {
		return formSpec{Kind: billing.EndDispute, Title: "End the dispute", Icon: "play", Button: "End the dispute", Fields: []fieldSpec{
			{Name: "outcome", Label: "Outcome", Type: "choice", Options: [][2]string{{"upheld", "Upheld: credit it"}, {"rejected", "Rejected: collect it"}}}}}
	}
	return formSpec{Kind: billing.Dispute, Title: "Note a dispute", Icon: "pause", Button: "Note the dispute",
		Text: "The disputed part is not collected; the rest is.", Fields: []fieldSpec{amountField, {Name: "claim", Label: "What the customer says", Type: "text"}}}
}

// accountSpecs are the forms of an account's page.
func accountSpecs(d store.AccountDetail, now time.Time) []formSpec {
	until := fieldSpec{Name: "until", Label: "Until", Type: "time", Value: now.AddDate(0, 0, 7).Format("2006-01-02") + "T09:00"}
	specs := []formSpec{
		{Kind: billing.Hold, Title: "Hold all cases", Icon: "pause", Button: "Hold", Text: fmt.Sprintf("At most %d days; new cases too.", d.Limits.HoldDays), Fields: []fieldSpec{until}},
		{Kind: billing.Release, Title: "Release", Icon: "play", Button: "Release"},
		{Kind: billing.NeverSuspend, Title: "Never suspend until", Icon: "clock", Button: "Keep from being suspended", Fields: []fieldSpec{until}},
	}
	switch d.Standing {
	case billing.StandingActive:
		specs = append(specs, formSpec{Kind: billing.SuspendNow, Title: "Suspend now", Icon: "warning", Button: "Suspend", Text: "Only staff reinstates it."})
	case billing.StandingSuspended, billing.StandingClosed:
		specs = append(specs, formSpec{Kind: billing.Reinstate, Title: "Reinstate", Icon: "check", Button: "Reinstate"})
	}
	if d.Standing != billing.StandingClosed {
		specs = append(specs, formSpec{Kind: billing.CloseAccount, Title: "Close the account", Icon: "warning", Button: "Close"})
	}
	return append(specs, decidedSpecs(d.Resolutions)...)
}

// decidedSpecs are the forms about what was decided before: confirming what waits for a second person, and taking back.
func decidedSpecs(all []store.ResolutionView) []formSpec {
	var specs []formSpec
	var options [][2]string
	for _, r := range all {
		if r.State == billing.ResolutionProposed {
			specs = append(specs, formSpec{Kind: billing.ResolutionKind(r.Kind), Title: "Confirm: " + strings.ToLower(sentence(r.Kind)), Icon: "check",
				Button: "Confirm", Text: r.Actor + " proposed it: “" + r.Reason + "”. You must be somebody else.", Confirms: r.RequestID})
		}
		if r.Reversible() {
			options = append(options, [2]string{r.RequestID, sentence(r.Kind) + " by " + r.Actor + ", " + r.At.UTC().Format("2 Jan 15:04")})
		}
	}
	if len(options) == 0 {
		return specs
	}
	slices.Reverse(options)
	return append(specs, formSpec{Kind: billing.Reverse, Title: "Take a decision back", Icon: "round", Button: "Take it back",
		Text: "By compensating entries; a settled invoice is collected again.", Fields: []fieldSpec{{Name: "reverses", Label: "Decision", Type: "choice", Options: options}}})
}

// formRow is such a form as the page shows it.
type formRow struct {
	formSpec
	Action, Token, RequestID string
	Open                     bool
	Rows                     []fieldRow
	Reason                   reasonFields
}

type fieldRow struct {
	fieldSpec
	Note    string // currency or zone
	Wrong   bool
	Problem string
	On      bool
}

// More returns the further forms with what was typed.
func (f *resolveForms) More() []formRow {
	var rows []formRow
	for _, s := range f.specs {
		open := f.Open == s.Kind && f.Values.Get("confirms") == s.Confirms
		row := formRow{formSpec: s, Action: f.Action, Token: f.Token, RequestID: f.RequestID, Open: open, Reason: f.For(s.Kind)}
		for _, field := range s.Fields {
			r := fieldRow{fieldSpec: field, Note: map[string]string{"money": f.Currency, "time": f.Zone}[field.Type],
				Wrong: f.Wrong(s.Kind, field.Name), Problem: f.Problem, On: f.Value(s.Kind, field.Name, "") != ""}
			r.fieldSpec.Value = f.Value(s.Kind, field.Name, field.Value)
			row.Rows = append(row.Rows, r)
		}
		rows = append(rows, row)
	}
	return rows
}

// readFields reads what the further forms ask for; what is missing or wrong beyond its shape is the Resolver's to say.
func (c *console) readFields(out billing.Resolution, f url.Values, currency money.Currency, zone string) (billing.Resolution, error) {
	if out.Confirms = f.Get("confirms"); out.Confirms != "" {
		return out, nil
	}
	var err error
	switch out.Kind {
	case billing.PromiseToPay, billing.Dispute, billing.GrantCredit:
		amount, err := readAmount(f.Get("amount"), currency)
		if err != nil {
			return out, err
		}
		out.Amount = &amount
	}
	switch out.Kind {
	case billing.PromiseToPay, billing.Extend, billing.NeverSuspend, billing.Hold:
		if out.Until, err = time.ParseInLocation(localMinute, f.Get("until"), zoneOf(zone)); err != nil {
			return out, billing.Refuse(billing.RefusedInvalid, "until", "Give a date and a time, such as 2026-11-30T09:00.")
		}
	}
	out.Override = f.Get("override") != ""
	out.Claim, out.Outcome, out.Reverses = strings.TrimSpace(f.Get("claim")), billing.DisputeOutcome(f.Get("outcome")), f.Get("reverses")
	out.Verdict, out.Evidence = billing.Verdict(f.Get("verdict")), strings.TrimSpace(f.Get("evidence"))
	if out.Kind == billing.ResolveUnknown {
		out.Reference = strings.TrimSpace(f.Get("reference"))
	}
	if out.Kind == billing.Hold {
		out.Scope = []string{string(dunning.HoldAttempts), string(dunning.HoldNotices), string(dunning.HoldSuspension)}
	}
	return out, nil
}
