package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Entry is one fact of a case that somebody outside could see.
type Entry struct {
	At   time.Time
	What string
}

// Outcome is what the rules say of a case.
type Outcome struct {
	Timeline  []Entry
	Paid      map[string]Minor // what the invoice was paid with, by source: credit, funds, method, other
	Unapplied Minor            // money that belongs to no invoice (U4)
	Standing  string
	Stages    []string // the path of the last case
	Finished  bool
}

// Slack is how far apart an entry and its prediction may be: look-ups and records take moments that no rule counts.
const Slack = 2 * time.Minute

// Differences compares two timelines as sets of facts at their times, because facts of one transaction have no order.
func Differences(want, got []Entry) []string {
	byFact := func(entries []Entry) []Entry {
		out := slices.Clone(entries)
		slices.SortFunc(out, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.What, b.What), a.At.Compare(b.At)) })
		return out
	}
	w, g := byFact(want), byFact(got)
	var out []string
	for len(w) > 0 || len(g) > 0 {
		switch {
		case len(g) == 0 || len(w) > 0 && w[0].What < g[0].What:
			out = append(out, fmt.Sprintf("%s: the rules foresee %q, which did not happen", stamp(w[0].At), w[0].What))
			w = w[1:]
		case len(w) == 0 || g[0].What < w[0].What:
			out = append(out, fmt.Sprintf("%s: %q happened, which the rules don't foresee", stamp(g[0].At), g[0].What))
			g = g[1:]
		default:
			if d := g[0].At.Sub(w[0].At); d.Abs() > Slack {
				out = append(out, fmt.Sprintf("%q happened at %s, the rules foresee %s", g[0].What, stamp(g[0].At), stamp(w[0].At)))
			}
			w, g = w[1:], g[1:]
		}
	}
	return out
}

// SideBySide prints two timelines in columns, by time.
func SideBySide(zone *time.Location, want, got []Entry) string {
	type row struct {
		at    time.Time
		text  string
		right int
	}
	var rows []row
	for i, side := range [][]Entry{want, got} {
		for _, e := range side {
			rows = append(rows, row{e.At, e.What, i})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.at.Compare(b.at) })
	var out strings.Builder
	fmt.Fprintf(&out, "%-24s %-44s %s\n", "when", "the rules", "Recoup")
	for _, r := range rows {
		left, right := r.text, ""
		if r.right == 1 {
			left, right = "", r.text
		}
		fmt.Fprintf(&out, "%-24s %-44s %s\n", r.at.In(zone).Format("Mon 2006-01-02 15:04:05"), left, right)
	}
	return out.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) }
