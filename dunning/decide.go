package dunning

import (
	"fmt"
	"slices"
	"time"

	"recoup/billing"
)

// Decide answers "what comes next?" for one case. It is the whole policy in one place: an open attempt is owned before anything else,
// even when the invoice was paid otherwise meanwhile (PM3, U2, U3); holds stop what they cover and every escalation; a round that is due runs before an escalation it could prevent (D6);
// otherwise the case waits for the earliest date.
func Decide(f Facts) Step {
	s := Step{Stage: f.Stage, Due: f.Due, Round: f.Rounds, Held: f.held(), Disputed: f.Disputed}
	switch {
	case f.ownedByAttempt():
		return f.ownAttempt(s)
	case f.Closing != "" && f.Stage != StageFinished:
		s.Do, s.Why = DoCarryOut, "a person decided it"
		return s
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
	s.AttemptState = a.State
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
	case f.AllDisputed():
		s.Do, s.Why = DoEndRound, "all that is due is disputed"
	case f.holds(HoldAttempts):
		s.Do, s.At, s.Then, s.Why = DoWait, f.heldUntil(), DoCharge, "held: no attempts"
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
	if f.holds(HoldAttempts) || f.AccountClosed && f.Wake != WakePerson || f.AllDisputed() {
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

// escalationDue returns the escalation whose day has come, or "". Any hold stops every escalation (S2), a dispute does (S1), and so does a round that is
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
		return f.unlessNever(f.suspension())
	case StageSuspended:
		if f.SuspendAgain {
			return f.unlessNever(f.suspension())
		}
		return f.unlessNever(DoCloseAccount, f.Dates.Close, "the closing of the account")
	case StageCollecting, StageFinished:
	}
	return "", time.Time{}, ""
}

// suspension is due on its day, or when it was put off to; where a hold had lifted it, on the day that the hold moved it to.
func (f Facts) suspension() (Do, time.Time, string) {
	at, why := f.Dates.Suspend, "the suspension"
	if f.NoticesRun.After(at) {
		at, why = f.NoticesRun, "the suspension: its notice came late, and leaves its full time"
	}
	if f.PostponedUntil.After(at) {
		at, why = f.PostponedUntil, "the suspension, put off: "+f.PostponedWhy
	}
	return DoSuspend, at, why
}

// wait finds the earliest date that changes anything.
func (f Facts) wait(s Step) Step {
	s.Do, s.Why = DoWait, "money, or a person's decision"
	earlier := func(at time.Time, then Do, why string) {
		if !at.IsZero() && (s.At.IsZero() || at.Before(s.At)) {
			s.At, s.Then, s.Why = at, then, why
		}
	}
	if f.Disputed.IsPositive() {
		s.Why, s.Person = waitsForDispute, f.AllDisputed()
	}
	if f.PromisedUntil.After(f.Now) {
		earlier(f.PromisedUntil, "", "the end of a promise to pay")
	}
	if len(f.HeldScopes) > 0 && f.HeldUntil.After(f.Now) {
		earlier(f.HeldUntil, "", "the end of a hold")
	}
	if at, why := f.nextRound(); !at.IsZero() {
		earlier(at, DoBeginRound, why)
	} else if do, at, why := f.nextEscalation(); do != "" && !f.escalationHeld() {
		earlier(at, do, why)
	}
	return s
}

// waitsForDispute: no date ends a dispute; a person does, and has a task for it.
const waitsForDispute = "a person to end the dispute"

// unlessNever puts an escalation against the account off for as long as a person keeps it from being suspended.
func (f Facts) unlessNever(do Do, at time.Time, why string) (Do, time.Time, string) {
	if !at.IsZero() && f.NeverSuspendUntil.After(at) {
		return do, f.NeverSuspendUntil, why + ", which a person put off"
	}
	return do, at, why
}

// held reports whether a hold or a promise to pay stands.
func (f Facts) held() bool { return f.heldUntil().After(f.Now) }

// heldUntil is when the last of what holds the case ends; zero when nothing does.
func (f Facts) heldUntil() time.Time {
	if len(f.HeldScopes) == 0 {
		return f.PromisedUntil
	}
	return later(f.HeldUntil, f.PromisedUntil)
}

// AllDisputed reports whether nothing of what is due may be collected now.
func (f Facts) AllDisputed() bool { return f.Disputed.IsPositive() && !f.Collectable().IsPositive() }

// StopsAttempts reports whether a hold of attempts or a promise keeps an attempt that was not sent from going out.
func (f Facts) StopsAttempts() bool { return f.holds(HoldAttempts) }

// holds reports whether something stops that scope now; a promise to pay stops them all.
func (f Facts) holds(scope HoldScope) bool {
	if f.PromisedUntil.After(f.Now) {
		return true
	}
	return f.HeldUntil.After(f.Now) && slices.Contains(f.HeldScopes, scope)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
