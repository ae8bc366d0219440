package dunning

import "fmt"

// check refuses policies that contradict themselves or the rules, naming line and field.
func (r *policyReader) check(p Policy) {
	if !policyName.MatchString(p.Name) {
		r.wrong("name", "%q must be 1 to 32 of a-z, 0-9 and -, starting with a letter", p.Name)
	}
	if p.Version < 1 {
		r.wrong("version", "must be 1 or more, got %d", p.Version)
	}
	limit := policyDays
	switch p.Unit {
	case UnitDay:
	case UnitSecond:
		limit = policySeconds
	default:
		r.wrong("unit", "must be %q or %q, got %q", UnitDay, UnitSecond, p.Unit)
	}
	if p.ChargesPerDay < 1 || p.ChargesPerDay > policyChargeMax {
		r.wrong("charges_per_day", "must be 1 to %d, got %d", policyChargeMax, p.ChargesPerDay)
	}
	last := r.checkRounds(p, limit)
	r.checkSteps(p, last, limit)
}

// wrong reports a value of a known field; a field that isn't in the file is reported at the file's start.
// A field that could not be read is not judged.
func (r *policyReader) wrong(name, format string, args ...any) {
	at := place{1, 1}
	if f, ok := r.fields[name]; ok {
		at = f.at
	}
	r.fail(at, name, format, args...)
}

// checkRounds returns when the last round is.
func (r *policyReader) checkRounds(p Policy, limit int) int {
	for i := range p.Rounds {
		if r.bad[fmt.Sprintf("rounds[%d]", i)] {
			return 0
		}
	}
	switch n := len(p.Rounds); {
	case n == 0:
		r.wrong("rounds", "needs at least the round 0")
		return 0
	case n > policyRoundsMax:
		r.wrong("rounds", "at most %d rounds, got %d: networks allow no more attempts in a month (D4)", policyRoundsMax, n)
	case p.Rounds[0] != 0:
		r.wrong("rounds", "the first round must be 0, the case's start, got %d", p.Rounds[0])
	}
	for i := 1; i < len(p.Rounds); i++ {
		if p.Rounds[i] <= p.Rounds[i-1] {
			r.wrong("rounds", "must ascend: %d comes after %d", p.Rounds[i], p.Rounds[i-1])
		}
	}
	last := p.Rounds[len(p.Rounds)-1]
	if last > limit {
		r.wrong("rounds", "must be at most %d, got %d", limit, last)
	}
	return last
}

// checkSteps wants each step after the one before (D6: never an escalation before a round it could prevent), and no step without it.
func (r *policyReader) checkSteps(p Policy, lastRound, limit int) {
	steps := []struct {
		name string
		at   int
	}{
		{"final_notice", p.FinalNotice},
		{"suspension_notice", p.SuspensionNotice},
		{"suspend", p.Suspend},
		{"close", p.Close},
	}
	before, at, missing := "the last round", lastRound, ""
	for _, s := range steps {
		if _, there := r.fields[s.name]; !there {
			if missing == "" {
				missing = s.name
			}
			continue
		}
		switch {
		case r.bad[s.name]:
			continue
		case missing != "":
			r.wrong(s.name, "needs %s, which is missing", missing)
		case s.at <= at:
			r.wrong(s.name, "must come after %s (%d), got %d", before, at, s.at)
		case s.at > limit:
			r.wrong(s.name, "must be at most %d, got %d", limit, s.at)
		}
		before, at = s.name, s.at
	}
}
