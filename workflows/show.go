package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

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
)

// shown is what was last published to the search attributes. A case is upserted only when it waits, changes stage or ends: each upsert
// rewrites its visibility row.
type shown struct {
	Stage dunning.Stage `json:"stage"`
	At    time.Time     `json:"at,omitzero"`
	Due   int64         `json:"due"`
	Held  bool          `json:"held"`
}

func (c *collection) show(ctx workflow.Context, next dunning.Step) error {
	workflow.SetCurrentDetails(ctx, details(next))
	if next.Do != dunning.DoWait && next.Do != dunning.DoFinish {
		return nil
	}
	s := shown{Stage: next.Stage, At: next.At, Due: next.Due.Minor(), Held: next.Held}
	if s == c.shown {
		return nil
	}
	updates := []temporal.SearchAttributeUpdate{AttrStage.ValueSet(string(s.Stage)), AttrAmountDue.ValueSet(s.Due), AttrHeld.ValueSet(s.Held)}
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

// details is the small table that an operator reads in the Temporal UI.
func details(next dunning.Step) string {
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	b.WriteString("| | |\n|---|---|\n")
	row("Stage", string(next.Stage))
	row("Due", next.Due.String())
	row("Rounds", fmt.Sprint(next.Round))
	row("Next", nextInWords(next))
	if next.Held {
		row("Held", "yes")
	}
	row("Changed by", "money arriving, a payment method changed, a resolution (`resolve`), `poke`")
	return b.String()
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
