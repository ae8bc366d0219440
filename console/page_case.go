package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// caseContent is one case's page.
type caseContent struct {
	Case     store.CaseDetail
	Path     string
	Zone     string
	Stage    badge
	Overlays []badge
	Covered  money.Amount
	Track    []trackStep
	Next     nextPanel
	Plan     []planned
	PlanNote string
	Sources  []source
	Methods  []methodRow
	Timeline []entry
	Tasks    []taskRow
	Workflow string
	Forms    *resolveForms
	Done     *doneNote
	Audit    *auditLog
}

// trackStep is one stage on the visible track.
type trackStep struct {
	Text  string
	Tone  string
	State string // done, current, planned, skipped
	Note  string // said in words, so that the state is never only a colour
	Date  moment
}

// nextPanel says what happens next, when and why.
type nextPanel struct {
	Title     string
	Why       string
	At        moment
	Late      bool // its time has passed: something is behind
	Now       bool
	Held      moment // when a hold ends, where that isn't At
	Scopes    string // what a hold stops
	Postponed string // why a suspension was put off, where Why does not say it
	Tone      string
}

// planned is a date of the policy still ahead.
type planned struct {
	Text string
	At   moment
}

func (c *console) showCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseIDOf(r)
	if err != nil {
		return err
	}
	d, err := c.Store.FindCase(r.Context(), id)
	if err != nil {
		return err
	}
	content := c.caseContent(d)
	content.Forms = c.forms(w, r, d)
	content.Done = doneNoteOf(d.Resolutions, r.URL.Query().Get("done"))
	return c.renderCase(w, r, http.StatusOK, content)
}

func (c *console) renderCase(w http.ResponseWriter, r *http.Request, status int, content caseContent) (err error) {
	d := content.Case
	if content.Audit, err = c.auditOf(r, store.AuditFilter{Case: d.ID}, d.TimeZone); err != nil {
		return err
	}
	c.render(w, r, status, "case.html", view{
		Title: d.Number, Nav: "cases", Watch: string(d.ID), Content: content,
		Summary: fmt.Sprintf("%s: %s, %s due", d.Number, content.Stage.Text, c.money(d.Due)),
	})
	return nil
}

// caseIDOf reads a case's id from the address: the invoice's id, and the episode from the second on.
func caseIDOf(r *http.Request) (billing.CaseID, error) {
	invoice, episode := r.PathValue("invoice"), r.PathValue("episode")
	if billing.CheckID(invoice) != nil || len(episode) > 9 {
		return "", billing.Refuse(billing.RefusedNotFound, "", "There is no such case.")
	}
	if episode == "" {
		return billing.CaseID(invoice), nil
	}
	return billing.CaseID(invoice + "/" + episode), nil
}

func (c *console) caseContent(d store.CaseDetail) caseContent {
	content := caseContent{
		Case: d, Path: casePath(d.ID), Zone: d.TimeZone, Stage: stageBadge(d.Stage, d.Outcome), Overlays: c.overlays(d.CaseView),
		Covered: d.Allocated, Next: c.nextPanel(d.CaseView), Sources: sourcesOf(d), Methods: c.methodRows(d.Methods, d.Total.Currency()),
		Timeline: c.timeline(d), Tasks: c.taskRows(d.Tasks), Workflow: c.workflowLink(d.ID),
	}
	content.Track = c.track(d, d.Dates)
	content.Plan = c.plan(d, d.Dates)
	switch {
	case d.Attempt != "":
		content.PlanNote = "None of this happens before the open attempt has an outcome."
	case d.HeldUntil.After(c.Now()):
		content.PlanNote = "The hold has moved these dates; releasing it brings them back."
	}
	return content
}

// track puts the case on the line of all stages: dates of those it reached, plans for those ahead.
func (c *console) track(d store.CaseDetail, dates dunning.Dates) []trackStep {
	reached := reachedAt(d)
	ahead := map[dunning.Stage]time.Time{
		dunning.StageFinalNotice: dates.FinalNotice, dunning.StageSuspensionScheduled: dates.SuspensionNotice, dunning.StageSuspended: dates.Suspend,
	}
	var steps []trackStep
	for _, stage := range dunning.Stages() {
		b := stageBadges[stage]
		step := trackStep{Text: b.Text, Tone: b.Tone}
		at, been := reached[stage]
		switch {
		case stage == d.Stage:
			step.State, step.Note, step.Date = "current", "now, since", c.moment(at, d.TimeZone, false)
			if stage == dunning.StageFinished {
				end := stageBadge(stage, d.Outcome)
				step.Text, step.Tone, step.Note = end.Text, end.Tone, "on"
			}
		case been:
			step.State, step.Note, step.Date = "done", "since", c.moment(at, d.TimeZone, false)
		case d.Stage == dunning.StageFinished:
			step.State, step.Note = "skipped", "not needed"
		default:
			step.State, step.Note = "planned", "not yet"
			if at := ahead[stage]; !at.IsZero() && at.After(c.Now()) {
				step.Note, step.Date = "planned", c.moment(at, d.TimeZone, false)
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// reachedAt says when the case reached each stage it has been in.
func reachedAt(d store.CaseDetail) map[dunning.Stage]time.Time {
	reached := map[dunning.Stage]time.Time{dunning.StageCollecting: d.OpenedAt}
	for _, e := range d.Events {
		data := readData(e.Data)
		if to := dunning.Stage(data.text("to")); e.Kind == "stage" && to != "" {
			reached[to] = e.At
		}
	}
	if !d.FinishedAt.IsZero() {
		reached[dunning.StageFinished] = d.FinishedAt
	}
	return reached
}

func (c *console) nextPanel(v store.CaseView) nextPanel {
	title, at := c.nextOf(v)
	p := nextPanel{Title: title, Why: sentence(nameMethods(v.Next.Why)), At: c.moment(at, v.TimeZone, false), Late: c.late(at), Tone: stageBadge(v.Stage, v.Outcome).Tone}
	p.Now = actsNow(v)
	if v.FinishedAt.IsZero() && !strings.Contains(v.Next.Why, v.PostponedWhy) {
		p.Postponed = v.PostponedWhy
	}
	if v.HeldUntil.After(c.Now()) {
		p.Scopes = strings.Join(v.HoldScopes, ", ")
		if !v.HeldUntil.Equal(at) {
			p.Held = c.moment(v.HeldUntil, v.TimeZone, false)
		}
	}
	switch {
	case !v.FinishedAt.IsZero():
		p.Title, p.Why = "Nothing more", "This case is finished: the invoice is "+invoiceWords(v.Outcome)+"."
	case v.Next.Do == "":
		p.Why = "The case was opened and waits for its workflow to take it up."
	case v.Next.Do == dunning.DoWait && v.Next.At.IsZero():
		p.Why = "No date is set: only a message wakes this case."
	case v.Next.Do == dunning.DoWait && !strings.ContainsAny(v.Next.Why, ":0123456789"):
		p.Why = "" // the title has said it
	}
	return p
}

func invoiceWords(state billing.InvoiceState) string {
	switch state {
	case billing.InvoicePaid:
		return "paid in full"
	case billing.InvoiceVoid:
		return "void"
	case billing.InvoiceWrittenOff:
		return "written off"
	case billing.InvoiceOpen:
	}
	return string(state)
}

// plan lists the policy's dates still ahead of an open case, in order: what happens if nobody pays and nothing changes.
func (c *console) plan(d store.CaseDetail, dates dunning.Dates) []planned {
	if !d.FinishedAt.IsZero() {
		return nil
	}
	rank, err := d.Stage.Rank()
	if err != nil {
		return nil
	}
	var out []planned
	add := func(text string, at time.Time) {
		if at.After(c.Now()) {
			out = append(out, planned{text, c.moment(at, d.TimeZone, false)})
		}
	}
	if rank <= 1 {
		for n, at := range dates.Rounds {
			add(fmt.Sprintf("Payment methods in order, round %d of %d", n+1, len(dates.Rounds)), at)
		}
	}
	escalations := []struct {
		text string
		at   time.Time
		rank int // the highest stage that still has it ahead
	}{
		{"Final notice", dates.FinalNotice, 1}, {"Notice of suspension", dates.SuspensionNotice, 2},
		{"Suspension of the account", dates.Suspend, 3}, {"Closing of the account", dates.Close, 4},
	}
	for _, e := range escalations {
		if rank <= e.rank {
			add(e.text, e.at)
		}
	}
	return out
}
