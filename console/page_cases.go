package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
	"recoup/store"
)

// chip is a filter with its count.
type chip struct {
	Text    string
	Tone    string
	Count   int
	Link    string
	Current bool
}

// caseRow is one case in a list.
type caseRow struct {
	Path, Number string
	Episode      int
	Account      billing.AccountID
	AccountName  string
	Stage        badge
	Overlays     []badge
	Due, Total   money.Amount
	Next         string
	NextAt       moment
	Late, Now    bool
	Finished     moment
}

type casesContent struct {
	Stages, Overlays []chip
	Currencies       []string
	Filter           store.CaseFilter
	Hidden           [][2]string // filters that the search form carries along
	Rows             []caseRow
	More, First      string
	Filtered         bool
	Finished         bool
}

// currenciesShown are offered as filters; others work in the address as well.
var currenciesShown = []string{"USD", "EUR", "GBP", "JPY", "KWD", "CHF", "CAD", "AUD"}

func (c *console) cases(w http.ResponseWriter, r *http.Request) error {
	f, err := caseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	list, err := c.Store.ListCases(r.Context(), f)
	if err != nil {
		return err
	}
	counts, err := c.Store.CountCases(r.Context())
	if err != nil {
		return err
	}
	content := casesContent{
		Stages: stageChips(f, counts), Overlays: overlayChips(f, counts), Currencies: currenciesShown, Filter: f,
		Filtered: f.Stage != "" || f.Overlay != "" || f.Currency != "" || f.Search != "", Finished: f.Stage == dunning.StageFinished,
	}
	for _, v := range list.Cases {
		content.Rows = append(content.Rows, c.caseRow(v))
	}
	if list.Next != "" {
		content.More = casesLink(f, func(f *store.CaseFilter) { f.After = list.Next })
	}
	if f.After != "" {
		content.First = casesLink(f, func(f *store.CaseFilter) { f.After = "" })
	}
	if f.Stage != "" {
		content.Hidden = append(content.Hidden, [2]string{"stage", string(f.Stage)})
	}
	if f.Overlay != "" {
		content.Hidden = append(content.Hidden, [2]string{"overlay", string(f.Overlay)})
	}
	c.render(w, r, http.StatusOK, "cases.html", view{
		Title: "Cases", Nav: "cases", Summary: fmt.Sprintf("%d open cases", counts.Open), Content: content,
	})
	return nil
}

func (c *console) caseRow(v store.CaseView) caseRow {
	next, at := c.nextOf(v)
	return caseRow{
		Path: casePath(v.ID), Number: v.Number, Episode: v.Episode, Account: v.Account, AccountName: v.AccountName,
		Stage: stageBadge(v.Stage, v.Outcome), Overlays: c.overlays(v), Due: v.Due, Total: v.Total, Next: next,
		NextAt: c.moment(at, v.TimeZone, false), Late: c.late(at), Now: actsNow(v), Finished: c.moment(v.FinishedAt, v.TimeZone, false),
	}
}

// actsNow reports whether a case has work at hand and waits for nothing.
func actsNow(v store.CaseView) bool {
	return v.FinishedAt.IsZero() && v.Next.Do != "" && v.Next.Do != dunning.DoWait && v.Next.At.IsZero()
}

// late reports whether an action's time has passed by more than a moment: something is behind.
func (c *console) late(at time.Time) bool { return !at.IsZero() && c.Now().Sub(at) > 5*time.Second }

// caseFilter reads a list's filters from an address.
func caseFilter(q url.Values) (store.CaseFilter, error) {
	f := store.CaseFilter{
		Stage: dunning.Stage(q.Get("stage")), Overlay: store.CaseOverlay(q.Get("overlay")), Currency: q.Get("currency"),
		Search: q.Get("q"), After: q.Get("after"),
	}
	if len(f.Search) > 100 {
		f.Search = f.Search[:100]
	}
	if limit := q.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > store.PageMax {
			return f, billing.Refuse(billing.RefusedInvalid, "limit", "must be a number from 1 to %d", store.PageMax)
		}
		f.Limit = n
	}
	return f, nil
}

func casesLink(f store.CaseFilter, change func(*store.CaseFilter)) string {
	change(&f)
	q := url.Values{}
	for name, value := range map[string]string{
		"stage": string(f.Stage), "overlay": string(f.Overlay), "currency": f.Currency, "q": f.Search, "after": f.After,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if len(q) == 0 {
		return "/cases"
	}
	return "/cases?" + q.Encode()
}

func stageChips(f store.CaseFilter, counts store.CaseCounts) []chip {
	link := func(stage dunning.Stage) string {
		return casesLink(f, func(f *store.CaseFilter) { f.Stage, f.After = stage, "" })
	}
	chips := []chip{{Text: "All open", Count: counts.Open, Link: link(""), Current: f.Stage == ""}}
	for _, s := range dunning.Stages() {
		b := stageBadges[s]
		chips = append(chips, chip{Text: b.Text, Tone: b.Tone, Count: counts.ByStage[s], Link: link(s), Current: f.Stage == s})
	}
	return chips
}

func overlayChips(f store.CaseFilter, counts store.CaseCounts) []chip {
	var chips []chip
	for _, o := range store.CaseOverlays() {
		b := overlayBadges[o]
		if counts.ByOverlay[o] == 0 && f.Overlay != o {
			continue
		}
		to := o
		if f.Overlay == o {
			to = store.OverlayAny // a second press takes the filter off
		}
		chips = append(chips, chip{Text: b.Text, Tone: b.Tone, Count: counts.ByOverlay[o], Current: f.Overlay == o,
			Link: casesLink(f, func(f *store.CaseFilter) { f.Overlay, f.After = to, "" })})
	}
	return chips
}

// nextOf says what a case does next and when; a zero time is now, or never by itself when it waits.
func (c *console) nextOf(v store.CaseView) (string, time.Time) {
	step := v.Next
	switch {
	case !v.FinishedAt.IsZero():
		return "", time.Time{}
	case step.Do == "":
		return "Begin", v.OpenedAt
	case step.Do == dunning.DoWait && step.At.IsZero():
		return "Wait for " + step.Why, time.Time{}
	case step.Do == dunning.DoWait && step.Then == "" && step.Held:
		return "The hold ends", step.At
	case step.Do == dunning.DoWait && step.Then == "":
		return sentence(step.Why), step.At
	case step.Do == dunning.DoWait:
		return doing(step.Then, step.Masked), step.At
	}
	return doing(step.Do, step.Masked), step.At
}
