package console

import (
	"fmt"
	"net/http"
	"time"

	"recoup/money"
	"recoup/store"
)

type overviewContent struct {
	Stages, Overlays []chip
	Open             int
	Outstanding      []money.Amount
	Currencies       []collectedIn
	Today            string
	Tasks            []taskRow
	TasksOpen        int
	WithoutCase      []store.InvoiceView
	WithoutCases     int
	Events           []entry
}

// collectedIn is what was collected today in one currency, by source.
type collectedIn struct {
	Total   money.Amount
	Sources []source
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) error {
	now := c.Now().In(c.Zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, c.Zone)
	o, err := c.Store.ReadOverview(r.Context(), midnight)
	if err != nil {
		return err
	}
	content := overviewContent{
		Stages: stageChips(store.CaseFilter{}, o.Counts)[1:], Overlays: overlayChips(store.CaseFilter{}, o.Counts), Open: o.Counts.Open,
		Outstanding: o.Outstanding, Today: now.Format("2 January 2006") + " " + zoneName(now), Tasks: c.taskRows(o.Tasks), TasksOpen: o.TasksOpen,
		WithoutCase: o.WithoutCase, WithoutCases: o.WithoutCases,
	}
	if content.Currencies, err = byCurrency(o.Collected); err != nil {
		return err
	}
	for _, e := range o.Events {
		line := c.eventEntry(e, c.Zone.String())
		line.At = c.moment(e.At, c.Zone.String(), true)
		content.Events = append(content.Events, line)
	}
	c.render(w, r, http.StatusOK, "overview.html", view{
		Title: "Overview", Summary: fmt.Sprintf("%d open cases, %d tasks", o.Counts.Open, o.TasksOpen), Content: content,
	})
	return nil
}

// byCurrency gathers what was collected by currency; sources keep the order in which money is used.
func byCurrency(collected []store.Collected) ([]collectedIn, error) {
	var out []collectedIn
	for _, order := range []bool{true, false} {
		for _, one := range collected {
			words, known := sourceWords[kindOf(one.Kind)]
			if known != order || words.tone == "grey" {
				continue // what is voided or written off is not collected
			}
			if !known {
				words.text, words.tone = sentence(one.Kind), "grey"
			}
			n := 0
			for n < len(out) && out[n].Total.Currency() != one.Amount.Currency() {
				n++
			}
			if n == len(out) {
				out = append(out, collectedIn{Total: money.Zero(one.Amount.Currency())})
			}
			sum, err := out[n].Total.Add(one.Amount)
			if err != nil {
				return nil, fmt.Errorf("add up what was collected: %w", err)
			}
			out[n].Total = sum
			out[n].Sources = append(out[n].Sources, source{Text: words.text, Tone: words.tone, Amount: one.Amount})
		}
	}
	for n := range out {
		placeOnBar(out[n].Sources, out[n].Total)
	}
	return out, nil
}
