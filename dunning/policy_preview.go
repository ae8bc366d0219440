package dunning

import (
	"fmt"
	"strings"
	"time"

	"recoup/billing"
	"recoup/money"
)

// PreviewInput is the invoice that a preview is for: one there is, or one made up.
type PreviewInput struct {
	// DueDate is the local date on which it is due; Zone the account's IANA zone.
	DueDate string
	Zone    string
	// Invoice decides the minute of its mornings (T2); "" takes the morning's first.
	Invoice billing.InvoiceID
	Amount  money.Amount
	// Start is when its case opened, zero when that is yet to come: then it opens as soon as collecting may begin.
	Start time.Time
	// Shift is how long the stage clock stood still already (T1).
	Shift time.Duration
}

// Preview is every date, round and notice that an invoice would see if nobody paid and nobody stepped in.
type Preview struct {
	Policy  string
	Version int
	Zone    string
	DueAt   time.Time
	Steps   []PreviewStep
	// Notes say in plain words what else the policy has for this invoice.
	Notes []string
}

// PreviewStep is one thing that would happen.
type PreviewStep struct {
	At time.Time
	// Unit counts the policy's units from the case's start: its day 4.
	Unit int
	Do   Do
	// Round is the number of the round, from 1; 0 for any other step.
	Round int
	// Notice is what the customer is told and NoticeAt when, outside of quiet hours (N4); "" and zero when nothing is said.
	Notice   NoticeKind
	NoticeAt time.Time
	Says     string
}

// Preview says what an invoice would see under this policy. The dates are those that a case would have (DatesFor): wall times of the
// account's zone, right across changes of the clocks.
func (p Policy) Preview(in PreviewInput) (Preview, error) {
	out := Preview{Policy: p.Name, Version: p.Version, Zone: in.Zone}
	if !in.Amount.IsPositive() {
		return out, fmt.Errorf("amount %s: must be above zero: nothing is collected otherwise", in.Amount)
	}
	var err error
	if out.DueAt, err = DueAt(in.DueDate, in.Zone); err != nil {
		return out, err
	}
	start := in.Start
	if start.IsZero() {
		if start, err = p.CollectAt(out.DueAt, in.Zone, in.Invoice); err != nil {
			return out, err
		}
	}
	dates, err := p.DatesFor(start, in.Shift, in.Zone, in.Invoice)
	if err != nil {
		return out, err
	}
	for i, at := range dates.Rounds {
		says := fmt.Sprintf("round %d of %d", i+1, len(dates.Rounds))
		if i == 0 {
			says = fmt.Sprintf("the case opens: credits and funds, then round 1 of %d", len(dates.Rounds))
		}
		out.Steps = append(out.Steps, PreviewStep{At: at, Unit: p.Rounds[i], Do: DoBeginRound, Round: i + 1, Notice: NoticePaymentFailed, Says: says})
	}
	out.Steps = append(out.Steps, p.previewEscalations(dates, in.Amount)...)
	for i, s := range out.Steps {
		if s.Notice == "" {
			continue
		}
		quiet, err := p.QuietUntil(s.At, in.Zone)
		if err != nil {
			return out, err
		}
		out.Steps[i].NoticeAt = later(s.At, quiet)
	}
	out.Notes = p.previewNotes(in)
	return out, nil
}

// previewEscalations are the steps after the last round. Below the policy's minimum nobody is suspended, and without a suspension no
// account is closed (S2).
func (p Policy) previewEscalations(d Dates, amount money.Amount) []PreviewStep {
	var steps []PreviewStep
	add := func(s PreviewStep) {
		if !s.At.IsZero() {
			steps = append(steps, s)
		}
	}
	add(PreviewStep{At: d.FinalNotice, Unit: p.FinalNotice, Do: DoFinalNotice, Notice: NoticeFinalNotice, Says: "final notice: automatic attempts have ended"})
	add(PreviewStep{At: d.SuspensionNotice, Unit: p.SuspensionNotice, Do: DoScheduleSuspension, Notice: NoticeSuspensionScheduled,
		Says: "last reminder before the suspension"})
	if minimum := p.SuspendsAbove(amount.Currency()); amount.Minor() < minimum.Minor() {
		add(PreviewStep{At: d.Suspend, Unit: p.Suspend, Do: DoWait,
			Says: fmt.Sprintf("not suspended: %s is below the policy's minimum of %s", amount, minimum)})
		return steps
	}
	add(PreviewStep{At: d.Suspend, Unit: p.Suspend, Do: DoSuspend, Notice: NoticeSuspended,
		Says: "the account is suspended"})
	add(PreviewStep{At: d.Close, Unit: p.Close, Do: DoCloseAccount, Says: "the account is closed, a person decides"})
	return steps
}

func (p Policy) previewNotes(in PreviewInput) []string {
	notes := []string{
		"A round asks every usable payment method in its order, until one pays.",
		"A suspension is put off while an attempt is open, the case is held, or a notice was not delivered.",
		fmt.Sprintf("A person's decision about more than %s needs a second person.", p.SecondPersonFrom(in.Amount.Currency())),
		fmt.Sprintf("At most %d attempts within 24 hours; more park the case.", p.ChargesPerDay),
	}
	if p.MarketplaceFunds {
		notes = append(notes, "Advance funds pay marketplace invoices too.")
	}
	if in.Invoice == "" && p.Unit == UnitDay {
		notes = append(notes, "Each invoice has a minute of its own between 09:00 and 09:59; without one this shows 09:00.")
	}
	if in.Shift > 0 {
		notes = append(notes, fmt.Sprintf("The stage clock stood still for %s so far; the dates count that in.", in.Shift.Round(time.Second)))
	}
	var missing []string
	for _, s := range []struct {
		name string
		at   int
	}{{"final notice", p.FinalNotice}, {"reminder", p.SuspensionNotice}, {"suspension", p.Suspend}, {"closing", p.Close}} {
		if s.at == 0 {
			missing = append(missing, s.name)
		}
	}
	if len(missing) > 0 {
		notes = append(notes, "The policy has no "+strings.Join(missing, ", no ")+".")
	}
	return notes
}

// UnitWords names a number of the policy's units: "day 4", "second 27".
func (p Policy) UnitWords(n int) string { return fmt.Sprintf("%s %d", p.Unit, n) }
