package dunning

import (
	"fmt"
	"time"

	"recoup/billing"
)

// MoveFrom is where a live case stands when it is to follow another policy.
type MoveFrom struct {
	Now     time.Time
	Policy  Policy
	Stage   Stage
	Start   time.Time
	Shift   time.Duration
	Zone    string
	Invoice billing.InvoiceID
	// ScheduledRounds have begun. DeferredUntil is when a round that our outage stopped is taken up again; zero for none.
	ScheduledRounds int
	DeferredUntil   time.Time
}

// Move is what following another policy changes for a live case.
type Move struct {
	Was, Is Dates
	// ScheduledRounds counts the new policy's rounds whose date is past: they are not made up for, but for one that is owed already.
	ScheduledRounds int
	// Next are the dates still to come, of either policy, in the order of the new one.
	Next []MovedDate
	// Refused says why the case must not move now; "" when it may.
	Refused string
}

// MovedDate is one date of a case before and after a move; zero where a policy has no such step.
type MovedDate struct {
	Do      Do
	Round   int // from 1, for rounds
	Was, Is time.Time
}

// PreviewMove says what changes when a case follows another policy from now on. The stage, the case's start and its stage clock stay.
//
// A move never takes time from a customer that a notice must give or gave (T1): the notices still to come must lie ahead, so that all of
// the new policy's interval between them and the suspension is left; a date that a notice has told never comes nearer; and the end of an
// account that is suspended does not either. Rounds whose date is past are not made up for: several at once would help nobody.
func PreviewMove(from MoveFrom, to Policy) (Move, error) {
	var m Move
	var err error
	if m.Was, err = from.Policy.DatesFor(from.Start, from.Shift, from.Zone, from.Invoice); err != nil {
		return m, err
	}
	if m.Is, err = to.DatesFor(from.Start, from.Shift, from.Zone, from.Invoice); err != nil {
		return m, err
	}
	for _, at := range m.Is.Rounds {
		if at.After(from.Now) {
			break
		}
		m.ScheduledRounds++
	}
	// A round that is owed already (a hold kept it back) stays owed.
	owed := -from.ScheduledRounds
	for _, at := range m.Was.Rounds {
		if !at.After(from.Now) {
			owed++
		}
	}
	if owed > 0 && m.ScheduledRounds > 0 {
		m.ScheduledRounds--
	}
	m.Next = m.next(from)
	m.Refused = m.refusal(from, to)
	return m, nil
}

// next lists the dates to come of either policy.
func (m Move) next(from MoveFrom) []MovedDate {
	var out []MovedDate
	add := func(do Do, round int, was, is time.Time) {
		if was.After(from.Now) || is.After(from.Now) {
			out = append(out, MovedDate{do, round, was, is})
		}
	}
	rank, _ := from.Stage.Rank()
	before := func(s Stage) bool { n, _ := s.Rank(); return rank < n }
	if before(StageFinalNotice) {
		at := func(rounds []time.Time, i int) time.Time {
			if i < len(rounds) {
				return rounds[i]
			}
			return time.Time{}
		}
		for i := range max(len(m.Was.Rounds), len(m.Is.Rounds)) {
			add(DoBeginRound, i+1, at(m.Was.Rounds, i), at(m.Is.Rounds, i))
		}
		add(DoFinalNotice, 0, m.Was.FinalNotice, m.Is.FinalNotice)
	}
	if before(StageSuspensionScheduled) {
		add(DoScheduleSuspension, 0, m.Was.SuspensionNotice, m.Is.SuspensionNotice)
	}
	if before(StageSuspended) {
		add(DoSuspend, 0, m.Was.Suspend, m.Is.Suspend)
	}
	add(DoCloseAccount, 0, m.Was.Close, m.Is.Close)
	return out
}

// refusal says why the case must not move now.
func (m Move) refusal(from MoveFrom, to Policy) string {
	past := func(at time.Time) bool { return !at.IsZero() && !at.After(from.Now) }
	nearer := func(was, is time.Time) bool { return !is.IsZero() && (was.IsZero() || is.Before(was)) }
	day := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	interval := func(n int) string { return fmt.Sprintf("%d %ss", to.Suspend-n, to.Unit) }
	switch {
	case from.Stage == StageFinished:
		return "the case is finished"
	case from.Policy.Unit != to.Unit:
		return fmt.Sprintf("%s counts in %ss and %s in %ss", from.Policy.Name, from.Policy.Unit, to.Name, to.Unit)
	case from.DeferredUntil.After(from.Now):
		return "a round that our outage stopped is taken up again at " + day(from.DeferredUntil) + ": move the case after it"
	}
	switch from.Stage {
	case StageCollecting, StageRetrying:
		if past(m.Is.FinalNotice) && to.Suspend != 0 {
			return fmt.Sprintf("its final notice would have been on %s: the customer would not have the %s from it to the suspension",
				day(m.Is.FinalNotice), interval(to.FinalNotice))
		}
	case StageFinalNotice:
		if past(m.Is.SuspensionNotice) && to.Suspend != 0 {
			return fmt.Sprintf("its last reminder would have been on %s: the customer would not have the %s from it to the suspension",
				day(m.Is.SuspensionNotice), interval(to.SuspensionNotice))
		}
		if nearer(m.Was.Suspend, m.Is.Suspend) {
			return toldAlready(m)
		}
	case StageSuspensionScheduled:
		if nearer(m.Was.Suspend, m.Is.Suspend) {
			return toldAlready(m)
		}
	case StageSuspended:
		if nearer(m.Was.Close, m.Is.Close) {
			return fmt.Sprintf("the suspended account would be closed on %s, nearer than now", day(m.Is.Close))
		}
	case StageFinished:
	}
	return ""
}

func toldAlready(m Move) string {
	was := "was told of none"
	if !m.Was.Suspend.IsZero() {
		was = "was told " + m.Was.Suspend.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("the suspension would come on %s, and the customer %s", m.Is.Suspend.UTC().Format(time.RFC3339), was)
}
