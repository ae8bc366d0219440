package dunning_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

var escalations = map[dunning.Do]struct{ from, to dunning.Stage }{
	dunning.DoFinalNotice:        {dunning.StageRetrying, dunning.StageFinalNotice},
	dunning.DoScheduleSuspension: {dunning.StageFinalNotice, dunning.StageSuspensionScheduled},
	dunning.DoSuspend:            {dunning.StageSuspensionScheduled, dunning.StageSuspended},
	dunning.DoCloseAccount:       {dunning.StageSuspended, dunning.StageSuspended},
}

// anyFacts draws facts of every sort, also such as no store should ever give.
func anyFacts() *rapid.Generator[dunning.Facts] {
	return rapid.Custom(func(t *rapid.T) dunning.Facts {
		at := func(name string) time.Time {
			return rapid.OneOf(rapid.Just(time.Time{}),
				rapid.Map(rapid.IntRange(-40, 70*24), func(h int) time.Time { return start.Add(time.Duration(h) * time.Hour) })).Draw(t, name)
		}
		f := facts(start.Add(time.Duration(rapid.IntRange(-10, 65*24*60).Draw(t, "now")) * time.Minute))
		f.State = rapid.SampledFrom([]billing.InvoiceState{billing.InvoiceOpen, billing.InvoiceOpen, billing.InvoiceOpen, billing.InvoicePaid,
			billing.InvoiceVoid, billing.InvoiceWrittenOff}).Draw(t, "state")
		f.Stage = rapid.SampledFrom(dunning.Stages()[:5]).Draw(t, "stage")
		f.ScheduledRounds = rapid.IntRange(0, 3).Draw(t, "scheduled")
		f.Rounds = f.ScheduledRounds + rapid.IntRange(0, 3).Draw(t, "early")
		f.Wake = rapid.SampledFrom([]dunning.Wake{dunning.WakeNone, dunning.WakeNone, dunning.WakeMachine, dunning.WakePerson}).Draw(t, "wake")
		f.LastRoundBegan, f.HeldUntil, f.PostponedUntil, f.RoundDeferredUntil = at("last"), at("held"), at("postponed"), at("deferred")
		f.HeldScopes = rapid.SliceOfDistinct(rapid.SampledFrom([]dunning.HoldScope{dunning.HoldAttempts, dunning.HoldNotices,
			dunning.HoldSuspension}), rapid.ID).Draw(t, "scopes")
		f.AccountClosed = rapid.IntRange(0, 5).Draw(t, "closed") == 0
		if rapid.IntRange(0, 3).Draw(t, "round open") == 0 {
			f.Open = &dunning.OpenRound{Number: f.Rounds, Candidates: rapid.SliceOfN(rapid.Just(card), 0, 2).Draw(t, "candidates")}
		}
		if rapid.IntRange(0, 3).Draw(t, "attempt open") == 0 {
			f.Attempt = &dunning.OpenAttempt{ID: "a-1", Method: card, NextAt: at("next"), Waiting: "the gateway",
				State: rapid.SampledFrom([]billing.AttemptState{billing.AttemptIntent, billing.AttemptSent, billing.AttemptUnknown,
					billing.AttemptPending, billing.AttemptActionRequired}).Draw(t, "attempt")}
		}
		return f
	})
}

func held(f dunning.Facts, scope dunning.HoldScope) bool {
	for _, s := range f.HeldScopes {
		if s == scope || scope == "" {
			return f.HeldUntil.After(f.Now)
		}
	}
	return false
}

// checkStep holds a step against the rules that need nothing but the facts it answers.
func checkStep(t *rapid.T, f dunning.Facts, s dunning.Step) {
	e, escalates := escalations[s.Do]
	switch {
	case f.Attempt != nil && s.Do == dunning.DoCharge:
		if s.Attempt != f.Attempt.ID || f.Attempt.State != billing.AttemptIntent && f.Attempt.State != billing.AttemptSent {
			t.Fatalf("PM4: charges while attempt %+v is open: %+v", *f.Attempt, s)
		}
	case f.Attempt != nil && s.Do != dunning.DoWait && s.Do != dunning.DoLookUp:
		t.Fatalf("U2, U3: does %s while attempt %+v is open", s.Do, *f.Attempt)
	case f.Attempt == nil && s.Do == dunning.DoLookUp:
		t.Fatal("looks up nothing")
	case f.Attempt == nil && f.State != billing.InvoiceOpen && (s.Do != dunning.DoFinish || s.Outcome != f.State):
		t.Fatalf("CR7: an invoice %s is not finished but: %+v", f.State, s)
	case s.Do == dunning.DoFinish && f.State == billing.InvoiceOpen:
		t.Fatal("finishes an open invoice")
	case f.Attempt == nil && s.Do == dunning.DoCharge:
		if f.Open == nil || len(f.Open.Candidates) == 0 || s.Method != f.Open.Candidates[0].Method || held(f, dunning.HoldAttempts) {
			t.Fatalf("charges %+v in round %+v, held %v", s, f.Open, f.HeldScopes)
		}
	case s.Do == dunning.DoBeginRound && (f.Open != nil || held(f, dunning.HoldAttempts)):
		t.Fatalf("begins a round in round %+v, held %v", f.Open, f.HeldScopes)
	case escalates && (f.Open != nil || held(f, "") || f.AccountClosed || f.Stage != e.from):
		t.Fatalf("S2: %s in stage %s, round %+v, held %v, closed %v", s.Do, f.Stage, f.Open, f.HeldScopes, f.AccountClosed)
	case s.Do == dunning.DoWait && !s.At.IsZero() && !s.At.After(f.Now):
		t.Fatalf("waits until %v, which is past", s.At)
	}
	idle := f.Attempt == nil && f.State == billing.InvoiceOpen && f.Open == nil && !held(f, dunning.HoldAttempts)
	deferred := f.RoundDeferredUntil.After(f.Now) // our outage stopped the round that the person asked for
	if idle && f.Wake == dunning.WakePerson && !deferred && f.Stage != dunning.StageFinished && s.Do != dunning.DoBeginRound {
		t.Fatalf("D7: a person asked for a round and gets %s (%s)", s.Do, s.Why)
	}
	if f.AccountClosed && f.Wake != dunning.WakePerson && s.Do == dunning.DoBeginRound {
		t.Fatal("begins a round of a closed account that no person asked for")
	}
	if s.Why == "" {
		t.Fatalf("step %s does not say why", s.Do)
	}
	if s.Do != dunning.DoWait && !s.At.IsZero() {
		t.Fatalf("step %s has the date of a wait", s.Do)
	}
}

func TestD7DecideOnAnyFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts().Draw(t, "facts")
		s := dunning.Decide(f)
		checkStep(t, f, s)
		if again := dunning.Decide(f); !cmp.Equal(s, again, cmp.Comparer(func(a, b money.Amount) bool { return a == b })) {
			t.Fatalf("the same facts gave %+v and %+v", s, again)
		}
	})
}

// What a wait says will happen does happen when its time comes and nothing else changed.
func TestDecideWaitsForWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts().Draw(t, "facts")
		s := dunning.Decide(f)
		if s.Do != dunning.DoWait || s.At.IsZero() || s.Then == "" {
			return
		}
		f.Now = s.At
		if then := dunning.Decide(f); then.Do != s.Then {
			t.Fatalf("said %s at %v (%s), does %s (%s)", s.Then, s.At, s.Why, then.Do, then.Why)
		}
	})
}

func TestD6NoEscalationWhileARoundIsComing(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   time.Time
		set  func(*dunning.Facts)
		wait time.Time
	}{
		{"suspension waits the minutes until the round a changed method asked for", day(30), func(f *dunning.Facts) {
			f.Stage, f.ScheduledRounds, f.Wake = dunning.StageSuspensionScheduled, 3, dunning.WakeMachine
			f.LastRoundBegan = day(30).Add(-5 * time.Minute)
		}, day(30).Add(10 * time.Minute)},
		{"the final notice waits for the round that our outage stopped", day(27), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds = dunning.StageRetrying, 3, 2
			f.RoundDeferredUntil = day(27).Add(time.Hour)
		}, day(27).Add(time.Hour)},
	} {
		f := facts(tt.at)
		tt.set(&f)
		if s := dunning.Decide(f); s.Do != dunning.DoWait || !s.At.Equal(tt.wait) || s.Then != dunning.DoBeginRound {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// world plays a case's store, gateway and people: it does what Decide says and checks what only a whole story shows.
type world struct {
	t       *rapid.T
	f       dunning.Facts
	policy  dunning.Policy
	started time.Time
	shift   time.Duration
	began   []time.Time // rounds
	clean   bool        // nobody asks, holds or loses anything: the plain story
}

func newWorld(t *rapid.T, clean bool) *world {
	w := &world{t: t, clean: clean, started: start}
	w.policy = rapid.SampledFrom(dunning.Shipped()).Draw(t, "policy")
	w.f = facts(start)
	w.redate()
	return w
}

func (w *world) redate() {
	d, err := w.policy.DatesFor(w.started, w.shift, "Europe/Berlin", "inv-1")
	if err != nil {
		w.t.Fatal(err)
	}
	w.f.Dates = d
}

func (w *world) chance(of int, name string) bool {
	return !w.clean && rapid.IntRange(1, of).Draw(w.t, name) == 1
}

// run plays up to n steps and returns the last.
func (w *world) run(n int) dunning.Step {
	atOnce := 0
	for range n {
		s := dunning.Decide(w.f)
		checkStep(w.t, w.f, s)
		if atOnce++; atOnce > 60 {
			w.t.Fatalf("60 steps without time passing, the last: %+v", s)
		}
		switch s.Do {
		case dunning.DoFinish:
			return s
		case dunning.DoWait:
			if s.At.IsZero() && w.clean {
				return s
			}
			w.sleep(s)
			atOnce = 0
		default:
			w.act(s)
		}
	}
	return dunning.Step{}
}

// sleep lets time pass to a wait's end, unless somebody comes in between.
func (w *world) sleep(s dunning.Step) {
	until := s.At
	if until.IsZero() {
		until = w.f.Now.Add(24 * time.Hour)
	}
	if w.chance(6, "message") {
		until = w.f.Now.Add(until.Sub(w.f.Now) / 2)
		switch rapid.IntRange(0, 4).Draw(w.t, "which") {
		case 0:
			w.f.Wake = dunning.WakePerson
		case 1, 2:
			if w.f.Wake == dunning.WakeNone {
				w.f.Wake = dunning.WakeMachine
			}
		case 3:
			w.f.HeldUntil, w.f.HeldScopes = until.Add(48*time.Hour), []dunning.HoldScope{dunning.HoldAttempts, dunning.HoldSuspension}
		case 4:
			if w.f.Attempt != nil {
				w.answer(billing.AttemptDeclined) // a person's verdict
			}
		}
	}
	w.f.Now = until
}

func (w *world) act(s dunning.Step) {
	if e, ok := escalations[s.Do]; ok {
		w.escalate(s, e.to)
		return
	}
	switch s.Do {
	case dunning.DoBeginRound:
		w.begin()
	case dunning.DoEndRound:
		w.f.Open = nil
		if w.f.Stage == dunning.StageCollecting {
			w.f.Stage = dunning.StageRetrying
		}
		w.deferRound()
	case dunning.DoCharge, dunning.DoLookUp:
		if w.f.Attempt == nil {
			w.f.Open.Candidates = w.f.Open.Candidates[1:]
			w.f.Attempt = &dunning.OpenAttempt{ID: "a", Method: card, State: billing.AttemptIntent, Waiting: "the gateway"}
		}
		state := billing.AttemptDeclined
		if w.chance(4, "not final") {
			state = rapid.SampledFrom([]billing.AttemptState{billing.AttemptSent, billing.AttemptUnknown, billing.AttemptPending}).Draw(w.t, "state")
		}
		w.answer(state)
	default:
		w.t.Fatalf("what is %q?", s.Do)
	}
}

func (w *world) begin() {
	f := &w.f
	scheduled := f.ScheduledRounds < len(f.Dates.Rounds) && !f.Dates.Rounds[f.ScheduledRounds].After(f.Now) &&
		(f.Stage == dunning.StageCollecting || f.Stage == dunning.StageRetrying)
	if !scheduled && f.Wake == dunning.WakeNone {
		w.t.Fatalf("a round nobody asked for, %d of %d scheduled", f.ScheduledRounds, len(f.Dates.Rounds))
	}
	if n := len(w.began); !scheduled && f.Wake == dunning.WakeMachine && n > 0 && f.Now.Sub(w.began[n-1]) < dunning.MachineWakeEvery {
		w.t.Fatalf("D7: machines got two rounds within %v", f.Now.Sub(w.began[n-1]))
	}
	if scheduled {
		if late := f.Now.Sub(f.Dates.Rounds[f.ScheduledRounds]); late > 2*time.Hour {
			w.shift += late
			w.redate()
		}
		f.ScheduledRounds++
	}
	f.Rounds++
	f.Wake, f.LastRoundBegan, f.RoundDeferredUntil = dunning.WakeNone, f.Now, time.Time{}
	f.Open = &dunning.OpenRound{Number: f.Rounds, Candidates: rapid.SliceOfN(rapid.Just(card), 0, 2).Draw(w.t, "candidates")}
	w.began = append(w.began, f.Now)
}

// deferRound now and then takes a scheduled round for stopped by our outage.
func (w *world) deferRound() {
	early := w.f.Stage == dunning.StageCollecting || w.f.Stage == dunning.StageRetrying
	if early && w.f.ScheduledRounds > 0 && w.chance(8, "outage") {
		w.f.ScheduledRounds--
		w.f.RoundDeferredUntil = w.f.Now.Add(time.Hour)
	}
}

func (w *world) answer(state billing.AttemptState) {
	if state.Final() {
		w.f.Attempt = nil
		return
	}
	w.f.Attempt.State = state
	w.f.Attempt.NextAt = w.f.Now.Add(w.policy.Unit.LookUpAfter(rapid.IntRange(0, 6).Draw(w.t, "look-ups")))
	if state == billing.AttemptUnknown && w.chance(4, "ask a person") {
		w.f.Attempt.NextAt = time.Time{}
	}
}

func (w *world) escalate(s dunning.Step, to dunning.Stage) {
	f := &w.f
	if s.Do != dunning.DoCloseAccount && !f.Stage.CanBecome(to) {
		w.t.Fatalf("I14: %s to %s", f.Stage, to)
	}
	if f.Wake != dunning.WakeNone || f.ScheduledRounds < len(f.Dates.Rounds) {
		w.t.Fatalf("D6: %s before a round that could prevent it: wake %q, %d of %d scheduled", s.Do, f.Wake, f.ScheduledRounds, len(f.Dates.Rounds))
	}
	at := map[dunning.Do]time.Time{dunning.DoFinalNotice: f.Dates.FinalNotice, dunning.DoScheduleSuspension: f.Dates.SuspensionNotice,
		dunning.DoSuspend: f.Dates.Suspend, dunning.DoCloseAccount: f.Dates.Close}[s.Do]
	if f.Now.Before(at) {
		w.t.Fatalf("T1: %s at %v, before its day %v", s.Do, f.Now, at)
	}
	switch {
	case s.Do == dunning.DoCloseAccount:
		f.AccountClosed = true
	case s.Do == dunning.DoSuspend && w.chance(3, "put off"):
		f.PostponedUntil, f.PostponedWhy = f.Now.Add(24*time.Hour), "a notice was not delivered"
	default:
		f.Stage = to
	}
}

func TestDecideThroughWholeStories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newWorld(t, false).run(250) })
}

// I17: with nobody interfering every unpaid case goes through all rounds and stages on their dates and ends with a closed account,
// waiting for money or a person; a paid one finishes.
func TestI17AnUnpaidCaseGoesToItsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, true)
		s := w.run(400)
		if s.Do != dunning.DoWait || s.At != (time.Time{}) || !w.f.AccountClosed || w.f.Stage != dunning.StageSuspended {
			t.Fatalf("ended in stage %s with %+v", w.f.Stage, s)
		}
		if got, want := fmt.Sprint(w.began), fmt.Sprint(w.f.Dates.Rounds); got != want {
			t.Fatalf("rounds at %s, want %s", got, want)
		}
		w.f.State = billing.InvoicePaid
		if s := w.run(1); s.Do != dunning.DoFinish || s.Outcome != billing.InvoicePaid || s.Stage != dunning.StageFinished {
			t.Fatalf("after payment: %+v", s)
		}
	})
}
