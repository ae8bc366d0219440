package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"recoup/activities"
	"recoup/dunning"
)

// Search attributes by which operators filter cases. They are registered by recoup migrate and by the dev stack: an unregistered one
// fails the start. Never personal data: they are stored in clear (I18).
var (
	AttrStage        = temporal.NewSearchAttributeKeyKeyword("RecoupStage")
	AttrAccount      = temporal.NewSearchAttributeKeyKeyword("RecoupAccount")
	AttrNextActionAt = temporal.NewSearchAttributeKeyTime("RecoupNextActionAt")
	AttrAmountDue    = temporal.NewSearchAttributeKeyInt64("RecoupAmountDue")
	AttrHeld         = temporal.NewSearchAttributeKeyBool("RecoupHeld")
	AttrWaitsFor     = temporal.NewSearchAttributeKeyKeyword("RecoupWaitsFor")
)

// shown is what was last published to the search attributes. A case is upserted only when it waits, changes stage or ends: each upsert
// rewrites its visibility row.
type shown struct {
	Stage dunning.Stage `json:"stage"`
	At    time.Time     `json:"at,omitzero"`
	Due   int64         `json:"due"`
	Held  bool          `json:"held"`
	// WaitsFor is whom or what the case waits for.
	WaitsFor dunning.WaitsFor `json:"waits_for,omitempty"`
}

func (c *collection) show(ctx workflow.Context, next dunning.Step) error {
	workflow.SetCurrentDetails(ctx, details(next, c.tried))
	if next.Do != dunning.DoWait && next.Do != dunning.DoFinish {
		return nil
	}
	s := shown{Stage: next.Stage, At: next.At, Due: next.Due.Minor(), Held: next.Held, WaitsFor: next.WaitsFor()}
	if s == c.shown {
		return nil
	}
	updates := []temporal.SearchAttributeUpdate{AttrStage.ValueSet(string(s.Stage)), AttrAmountDue.ValueSet(s.Due), AttrHeld.ValueSet(s.Held)}
	if s.WaitsFor == dunning.WaitsForNothing {
		updates = append(updates, AttrWaitsFor.ValueUnset())
	} else {
		updates = append(updates, AttrWaitsFor.ValueSet(string(s.WaitsFor)))
	}
	if s.At.IsZero() {
		updates = append(updates, AttrNextActionAt.ValueUnset())
	} else {
		updates = append(updates, AttrNextActionAt.ValueSet(s.At))
	}
	c.shown = s
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		return fmt.Errorf("publish stage %s: %w", s.Stage, err)
	}
	return nil
}

// note keeps what became of an attempt, for the table of what was tried.
func (c *collection) note(asked dunning.Step, out activities.CaseResult) {
	if out.Attempt != "" {
		c.tried = dunning.AddTry(c.tried, dunning.Try{Attempt: out.Attempt, Round: asked.Round, Masked: asked.Masked, Outcome: out.Outcome})
	}
}

// details is what an operator reads in the Temporal UI: where the case stands, what was tried, how to act. Ids, amounts and codes only.
func details(next dunning.Step, tried []dunning.Try) string {
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	b.WriteString("| | |\n|---|---|\n")
	row("Stage", string(next.Stage))
	row("Due", next.Due.String())
	row("Rounds", fmt.Sprint(next.Round))
	row("Next", nextInWords(next))
	if waits := next.WaitsFor(); waits != dunning.WaitsForNothing {
		row("Waits for", string(waits))
	}
	if next.Held {
		row("Held", "yes")
	}
	row("Changed by", "money arriving, a payment method changed, a resolution, `poke`")
	if len(tried) > 0 {
		b.WriteString("\n| Round | Method | Outcome | Attempt |\n|---|---|---|---|\n")
		for _, t := range tried {
			fmt.Fprintf(&b, "| %d | %s | %s | `%s` |\n", t.Round, t.Masked, t.Outcome, t.Attempt)
		}
	}
	b.WriteString(howToAct(next))
	return b.String()
}

// howToAct says what a person would do here, in one line that can be copied.
func howToAct(next dunning.Step) string {
	const form = "\nTo act: Update `resolve` with `{\"request_id\":\"…\",\"actor\":\"…\",\"reason\":\"…\",%s}`\n"
	switch {
	case next.Do == dunning.DoFinish:
		return ""
	case next.WaitsFor() == dunning.WaitsForPerson && next.Attempt != "":
		return fmt.Sprintf(form, `"kind":"resolve_unknown","verdict":"captured","reference":"pi_…"`) + "or `\"verdict\":\"not_captured\",\"evidence\":\"…\"`.\n"
	case next.Held:
		return fmt.Sprintf(form, `"kind":"release"`)
	}
	return fmt.Sprintf(form, `"kind":"retry_now"`) + "or kind `hold`, `paid_out_of_band`, …\n"
}

func nextInWords(next dunning.Step) string {
	switch {
	case next.Do == dunning.DoFinish:
		return "finished: " + string(next.Outcome)
	case next.Do == dunning.DoCharge:
		return "charge " + next.Masked + " now"
	case next.Do == dunning.DoWait && next.At.IsZero():
		return "waiting for " + next.Why
	case next.Do == dunning.DoWait:
		return "waiting for " + next.Why + " until " + next.At.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return string(next.Do)
}
