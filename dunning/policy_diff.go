package dunning

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"recoup/money"
)

// PolicyChange is one difference between two policies, in words.
type PolicyChange struct {
	Field string // as in a policy file
	Says  string // "on day 20 instead of day 27: 7 days earlier"
}

// Diff says how to differs from from: nothing when they treat every case alike, whatever their names and versions are.
func Diff(from, to Policy) []PolicyChange {
	var out []PolicyChange
	add := func(name, format string, args ...any) {
		out = append(out, PolicyChange{name, fmt.Sprintf(format, args...)})
	}
	if from.Unit != to.Unit {
		add("unit", "counts in %ss instead of %ss", to.Unit, from.Unit)
	}
	if !slices.Equal(from.Rounds, to.Rounds) {
		add("rounds", "%s", roundsChange(from, to))
	}
	for _, s := range []struct {
		name    string
		was, is int
	}{
		{"final_notice", from.FinalNotice, to.FinalNotice}, {"suspension_notice", from.SuspensionNotice, to.SuspensionNotice},
		{"suspend", from.Suspend, to.Suspend}, {"close", from.Close, to.Close},
	} {
		switch {
		case s.was == s.is:
		case s.was == 0:
			add(s.name, "on %s; there was none", to.UnitWords(s.is))
		case s.is == 0:
			add(s.name, "none any more; it was on %s", from.UnitWords(s.was))
		case from.Unit != to.Unit:
			add(s.name, "on %s instead of %s", to.UnitWords(s.is), from.UnitWords(s.was))
		default:
			add(s.name, "on %s instead of %s: %s", to.UnitWords(s.is), from.UnitWords(s.was), moved(s.is-s.was, to.Unit))
		}
	}
	out = append(out, amountChanges("minimum_to_suspend", from.MinimumToSuspend, to.MinimumToSuspend)...)
	out = append(out, amountChanges("second_person_above", from.SecondPersonAbove, to.SecondPersonAbove)...)
	if from.MarketplaceFunds != to.MarketplaceFunds {
		says := "advance funds no longer pay marketplace invoices"
		if to.MarketplaceFunds {
			says = "advance funds pay marketplace invoices too"
		}
		add("marketplace_funds", "%s", says)
	}
	if from.ChargesPerDay != to.ChargesPerDay {
		add("charges_per_day", "at most %d instead of %d within 24 hours", to.ChargesPerDay, from.ChargesPerDay)
	}
	return append(out, limitChanges(from.Limits, to.Limits)...)
}

// Same reports whether both are one version that says the same, however it is written.
func (p Policy) Same(other Policy) bool {
	return p.Name == other.Name && p.Version == other.Version && len(Diff(p, other)) == 0
}

func moved(by int, unit Unit) string {
	n, way := by, "later"
	if by < 0 {
		n, way = -by, "earlier"
	}
	plural := "s"
	if n == 1 {
		plural = ""
	}
	return fmt.Sprintf("%d %s%s %s", n, unit, plural, way)
}

func roundsChange(from, to Policy) string {
	if from.Unit != to.Unit {
		return fmt.Sprintf("%ss %s instead of %ss %s", to.Unit, numbersText(to.Rounds), from.Unit, numbersText(from.Rounds))
	}
	only := func(these, others []int) []int {
		return slices.DeleteFunc(slices.Clone(these), func(n int) bool { return slices.Contains(others, n) })
	}
	var parts []string
	if added := only(to.Rounds, from.Rounds); len(added) > 0 {
		parts = append(parts, fmt.Sprintf("also on %s %s", to.Unit, numbersText(added)))
	}
	if gone := only(from.Rounds, to.Rounds); len(gone) > 0 {
		parts = append(parts, fmt.Sprintf("no longer on %s %s", to.Unit, numbersText(gone)))
	}
	return fmt.Sprintf("%s: %d rounds instead of %d", strings.Join(parts, ", "), len(to.Rounds), len(from.Rounds))
}

func numbersText(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ", "), "[]")
}

// amountChanges compares amounts by currency; a currency that one side leaves to its default is compared with that.
func amountChanges(name string, from, to map[string]int64) []PolicyChange {
	codes := map[string]bool{}
	for _, amounts := range []map[string]int64{from, to} {
		for code := range amounts {
			codes[code] = true
		}
	}
	in := func(amounts map[string]int64, code string) int64 {
		if minor, ok := amounts[code]; ok {
			return minor
		}
		return amounts[DefaultAmount]
	}
	var out []PolicyChange
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		was, is := in(from, code), in(to, code)
		if was == is {
			continue
		}
		field, says := name+"."+code, fmt.Sprintf("%d instead of %d minor units in every other currency", is, was)
		if c, err := money.ParseCurrency(code); err == nil {
			says = fmt.Sprintf("%s instead of %s", money.New(is, c), money.New(was, c))
		}
		out = append(out, PolicyChange{field, says})
	}
	return out
}
