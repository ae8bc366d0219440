package dunning

import (
	"fmt"
	"time"

	"recoup/billing"
)

// Decide answers "what comes next?" for one case. It is the whole policy in one place: an open attempt is owned before anything else,
// even when the invoice was paid otherwise meanwhile (PM3, U2, U3); holds stop what they cover and every escalation; a round that is due runs before an escalation it could prevent (D6);
// otherwise the case waits for the earliest date.
func Decide(f Facts) Step {
	s := Step{Stage: f.Stage, Due: f.Due, Round: f.Rounds, Held: f.held()}
	switch {
	case f.ownedByAttempt():
		return f.ownAttempt(s)
	case f.State != billing.InvoiceOpen || f.Stage == StageFinished:
		s.Do, s.Outcome, s.Why = DoFinish, f.State, "the invoice is "+string(f.State)
		s.Stage = StageFinished
		return s
	case f.Parked != "":
		s.Do, s.Why, s.Paused = DoWait, "a person, because "+f.Parked, true
		return s
	case f.Open != nil:
		return f.goOnWithRound(s)
	case f.roundDue():
		s.Do, s.Why = DoBeginRound, "a round is due"
		return s
	}
	if do := f.escalationDue(); do != "" {
		s.Do, s.Why = do, "its day has come"
		return s
	}
	return f.wait(s)
}

// ownAttempt: nothing else happens to the invoice until its open attempt is final.
func (f Facts) ownAttempt(s Step) Step {
	a := f.Attempt
	s.Attempt, s.Method, s.Gateway, s.Masked, s.Position = a.ID, a.Method.Method, a.Method.Gateway, a.Method.Masked, a.Method.Position
	do := DoLookUp
	if a.State == billing.AttemptIntent || a.State == billing.AttemptSent {
		// Not sent, or its worker died on the way: the charge activity finds the row and resolves it.
		do = DoCharge
	}
	if stop := f.stopOf(a.Method.Gateway); stop != nil && a.State == billing.AttemptIntent {
		return f.untilChargingStarts(s, a.Method, stop)
	}
	if do == DoLookUp && a.overdue(f.State, later(f.Now, a.NextAt)) {
		do = DoCancel
	}
	switch {
	case a.NextAt.IsZero() && do != DoCharge:
		s.Do, s.Why = DoWait, fmt.Sprintf("a person to say what became of the attempt on %s", a.Method.Masked)
	case a.NextAt.After(f.Now):
		s.Do, s.At, s.Then, s.Why = DoWait, a.NextAt, do, a.Waiting
	default:
		s.Do, s.Why = do, a.Waiting
	}
	return s
}

// overdue reports whether an attempt that waits for the customer or a bank must go by then: its time is up, or the invoice no longer
// needs it and it could only take money that nobody owes (U3, faults.md A16).
func (a OpenAttempt) overdue(invoice billing.InvoiceState, by time.Time) bool {
	return !a.Deadline.IsZero() && (invoice != billing.InvoiceOpen || !a.Deadline.After(by))
}

func (f Facts) goOnWithRound(s Step) Step {
	switch {
	case len(f.Open.Candidates) == 0:
		s.Do, s.Why = DoEndRound, "every usable method was tried"
	case f.holds(HoldAttempts):
		s.Do, s.At, s.Then, s.Why = DoWait, f.HeldUntil, DoCharge, "held: no attempts"
	default:
		c := f.Open.Candidates[0]
		if stop := f.stopOf(c.Gateway); stop != nil {
			return f.untilChargingStarts(s, c, stop)
		}
		s.Do, s.Method, s.Gateway, s.Masked, s.Position = DoCharge, c.Method, c.Gateway, c.Masked, c.Position
		s.Why = "the next method of the round"
	}
	return s
}

func (f Facts) roundDue() bool {
	at, _ := f.nextRound()
	return !at.IsZero() && !at.After(f.Now)
}

// nextRound returns when the next round may begin and why; zero when none will by itself.
func (f Facts) nextRound() (time.Time, string) {
	if f.holds(HoldAttempts) || f.AccountClosed && f.Wake != WakePerson {
		return time.Time{}, ""
	}
	var at time.Time
	var why string
	if f.ScheduledRounds < len(f.Dates.Rounds) && (f.Stage == StageCollecting || f.Stage == StageRetrying) {
		at, why = f.Dates.Rounds[f.ScheduledRounds], fmt.Sprintf("round %d of %d", f.ScheduledRounds+1, len(f.Dates.Rounds))
		if f.RoundDeferredUntil.After(at) {
			at, why = f.RoundDeferredUntil, "the round that our outage stopped"
		}
	}
	switch f.Wake {
	case WakePerson:
		// A fresh request clears the deferral; one that our outage stopped waits with it.
		at, why = later(f.Now, f.RoundDeferredUntil), "a person asked for a round"
	case WakeMachine:
		early := later(f.Now, f.RoundDeferredUntil)
		if !f.LastRoundBegan.IsZero() {
			early = later(early, f.LastRoundBegan.Add(MachineWakeEvery))
		}
		if at.IsZero() || early.Before(at) {
			at, why = early, "a round, because something changed"
		}
	case WakeNone:
	}
	return at, why
}

// escalationDue returns the escalation whose day has come, or "". Any hold stops every escalation (S2), and so does a round that is
// still to come: a scheduled one that our outage put off, or one that a change asked for minutes ago, could prevent it (D6).
func (f Facts) escalationDue() Do {
	do, at, _ := f.nextEscalation()
	if do == "" || at.IsZero() || at.After(f.Now) || f.escalationHeld() {
		return ""
	}
	if f.roundToCome() {
		return ""
	}
	return do
}

// nextEscalation returns the one escalation that may follow the present stage, its date and what it is in plain words.
func (f Facts) nextEscalation() (Do, time.Time, string) {
	if f.AccountClosed {
		return "", time.Time{}, ""
	}
	switch f.Stage {
	case StageRetrying:
		return DoFinalNotice, f.Dates.FinalNotice, "the final notice"
	case StageFinalNotice:
		return DoScheduleSuspension, f.Dates.SuspensionNotice, "the notice of suspension"
	case StageSuspensionScheduled:
		at, why := f.Dates.Suspend, "the suspension"
		if f.NoticesRun.After(at) {
			at, why = f.NoticesRun, "the suspension: its notice came late, and leaves its full time"
		}
		if f.PostponedUntil.After(at) {
			at, why = f.PostponedUntil, "the suspension, put off: "+f.PostponedWhy
		}
		return DoSuspend, at, why
	case StageSuspended:
		return DoCloseAccount, f.Dates.Close, "the closing of the account"
	case StageCollecting, StageFinished:
	}
	return "", time.Time{}, ""
}

// wait finds the earliest date that changes anything.
func (f Facts) wait(s Step) Step {
	s.Do, s.Why = DoWait, "money, or a person's decision"
	earlier := func(at time.Time, then Do, why string) {
		if !at.IsZero() && (s.At.IsZero() || at.Before(s.At)) {
			s.At, s.Then, s.Why = at, then, why
		}
	}
	if f.held() {
		earlier(f.HeldUntil, "", "the end of a hold")
	}
	if at, why := f.nextRound(); !at.IsZero() {
		earlier(at, DoBeginRound, why)
	} else if do, at, why := f.nextEscalation(); do != "" && !f.escalationHeld() {
		earlier(at, do, why)
	}
	return s
}

func (f Facts) held() bool { return len(f.HeldScopes) > 0 && f.HeldUntil.After(f.Now) }

func (f Facts) holds(scope HoldScope) bool {
	if !f.held() {
		return false
	}
	for _, s := range f.HeldScopes {
		if s == scope {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
