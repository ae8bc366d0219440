package dunning_test

import (
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func day(n int) time.Time { return start.AddDate(0, 0, n) }

func facts(at time.Time) dunning.Facts {
	return dunning.Facts{
		Now: at, Invoice: "inv-1", State: billing.InvoiceOpen, Due: money.New(4900, money.MustCurrency("USD")),
		Stage: dunning.StageCollecting,
		Dates: dunning.Dates{
			Rounds:      []time.Time{day(0), day(4), day(7)},
			FinalNotice: day(27), SuspensionNotice: day(29), Suspend: day(30), Close: day(60),
		},
	}
}

var card = dunning.Candidate{Method: "pm-1", Gateway: "stripe", Masked: "visa ···4242", Position: 1}

func TestDecide(t *testing.T) {
	tests := []struct {
		name string
		at   time.Time
		set  func(*dunning.Facts)
		do   dunning.Do
		wait time.Time
	}{
		{"first round begins at the start", day(0), nil, dunning.DoBeginRound, time.Time{}},
		{"a paid invoice finishes", day(9), func(f *dunning.Facts) { f.State = billing.InvoicePaid }, dunning.DoFinish, time.Time{}},
		{"an open round charges its next candidate", day(0), func(f *dunning.Facts) {
			f.Rounds, f.ScheduledRounds, f.Open = 1, 1, &dunning.OpenRound{Number: 1, Candidates: []dunning.Candidate{card}}
		}, dunning.DoCharge, time.Time{}},
		{"PM9 a round without candidates ends", day(0), func(f *dunning.Facts) {
			f.Rounds, f.ScheduledRounds, f.Open = 1, 1, &dunning.OpenRound{Number: 1}
		}, dunning.DoEndRound, time.Time{}},
		{"U2 unknown waits for its look-up, never the next method", day(0), func(f *dunning.Facts) {
			f.Open = &dunning.OpenRound{Number: 1, Candidates: []dunning.Candidate{card}}
			f.Attempt = &dunning.OpenAttempt{ID: "a", State: billing.AttemptUnknown, NextAt: day(1)}
		}, dunning.DoWait, day(1)},
		{"U2 no suspension while unknown", day(31), func(f *dunning.Facts) {
			f.Stage, f.ScheduledRounds = dunning.StageSuspensionScheduled, 3
			f.Attempt = &dunning.OpenAttempt{ID: "a", State: billing.AttemptUnknown, NextAt: day(32)}
		}, dunning.DoWait, day(32)},
		{"a look-up that is due", day(1), func(f *dunning.Facts) {
			f.Attempt = &dunning.OpenAttempt{ID: "a", State: billing.AttemptPending, NextAt: day(1)}
		}, dunning.DoLookUp, time.Time{}},
		{"an intent whose worker died is resumed", day(1), func(f *dunning.Facts) {
			f.Attempt = &dunning.OpenAttempt{ID: "a", State: billing.AttemptSent}
		}, dunning.DoCharge, time.Time{}},
		{"between rounds it waits", day(1), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds = dunning.StageRetrying, 1, 1
		}, dunning.DoWait, day(4)},
		{"D6 a due round goes before the final notice", day(27), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds = dunning.StageRetrying, 2, 2
		}, dunning.DoBeginRound, time.Time{}},
		{"final notice", day(27), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds = dunning.StageRetrying, 3, 3
		}, dunning.DoFinalNotice, time.Time{}},
		{"notice of suspension", day(29), func(f *dunning.Facts) { f.Stage = dunning.StageFinalNotice }, dunning.DoScheduleSuspension, time.Time{}},
		{"suspension", day(30), func(f *dunning.Facts) { f.Stage = dunning.StageSuspensionScheduled }, dunning.DoSuspend, time.Time{}},
		{"S2 a suspension put off waits", day(30), func(f *dunning.Facts) {
			f.Stage, f.PostponedUntil = dunning.StageSuspensionScheduled, day(31)
		}, dunning.DoWait, day(31)},
		{"a hold stops a due round", day(4), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds = dunning.StageRetrying, 1, 1
			f.HeldUntil, f.HeldScopes = day(10), []dunning.HoldScope{dunning.HoldAttempts}
		}, dunning.DoWait, day(10)},
		{"any hold stops suspension", day(30), func(f *dunning.Facts) {
			f.Stage = dunning.StageSuspensionScheduled
			f.HeldUntil, f.HeldScopes = day(33), []dunning.HoldScope{dunning.HoldNotices}
		}, dunning.DoWait, day(33)},
		{"an elapsed hold stops nothing", day(30), func(f *dunning.Facts) {
			f.Stage = dunning.StageSuspensionScheduled
			f.HeldUntil, f.HeldScopes = day(30), []dunning.HoldScope{dunning.HoldSuspension}
		}, dunning.DoSuspend, time.Time{}},
		{"D7 a person's wake begins a round at once", day(2), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds, f.LastRoundBegan = dunning.StageRetrying, 1, 1, day(2)
			f.Wake = dunning.WakePerson
		}, dunning.DoBeginRound, time.Time{}},
		{"D7 a machine's wake waits its 15 minutes", day(2), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds, f.LastRoundBegan = dunning.StageRetrying, 1, 1, day(2).Add(-5*time.Minute)
			f.Wake = dunning.WakeMachine
		}, dunning.DoWait, day(2).Add(10 * time.Minute)},
		{"T1 a round stopped by our outage is taken up later", day(4), func(f *dunning.Facts) {
			f.Stage, f.Rounds, f.ScheduledRounds, f.RoundDeferredUntil = dunning.StageRetrying, 2, 1, day(4).Add(time.Hour)
		}, dunning.DoWait, day(4).Add(time.Hour)},
		{"a suspended case still takes a person's wake", day(40), func(f *dunning.Facts) {
			f.Stage, f.Wake = dunning.StageSuspended, dunning.WakePerson
		}, dunning.DoBeginRound, time.Time{}},
		{"closing", day(60), func(f *dunning.Facts) { f.Stage = dunning.StageSuspended }, dunning.DoCloseAccount, time.Time{}},
		{"after closing only money or a person", day(61), func(f *dunning.Facts) {
			f.Stage, f.AccountClosed = dunning.StageSuspended, true
		}, dunning.DoWait, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := facts(tt.at)
			if tt.set != nil {
				tt.set(&f)
			}
			got := dunning.Decide(f)
			if got.Do != tt.do || !got.At.Equal(tt.wait) {
				t.Errorf("Decide = %s until %s (%s), want %s until %s", got.Do, got.At, got.Why, tt.do, tt.wait)
			}
			if got.Why == "" && f.Attempt == nil {
				t.Errorf("step %s does not say why", got.Do)
			}
		})
	}
}
