package dunning

import (
	"testing"
	"time"

	"recoup/billing"
	"recoup/money"
)

// retrying is a case after its first round, with a round and a final notice ahead.
func retrying() Facts {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	usd := money.MustCurrency("USD")
	return Facts{Now: now, State: billing.InvoiceOpen, Due: money.New(4900, usd), Stage: StageRetrying, ScheduledRounds: 1, Rounds: 1,
		Dates: Dates{Rounds: []time.Time{now.AddDate(0, 0, -1), now.AddDate(0, 0, 3)}, FinalNotice: now.AddDate(0, 0, 10),
			Suspend: now.AddDate(0, 0, 12), Close: now.AddDate(0, 0, 30)}}
}

func TestWhatPeopleDecidedComesFirst(t *testing.T) {
	usd := money.MustCurrency("USD")
	for name, c := range map[string]struct {
		change func(*Facts)
		do     Do
		then   Do
		days   int // until it ends a wait; 0: no date
	}{
		"nothing":                   {func(*Facts) {}, DoWait, DoBeginRound, 3},
		"a promise stops the round": {func(f *Facts) { f.PromisedUntil = f.Now.AddDate(0, 0, 5) }, DoWait, "", 5},
		"a promise stops a machine's wake": {func(f *Facts) {
			f.PromisedUntil, f.Wake = f.Now.AddDate(0, 0, 5), WakeMachine
		}, DoWait, "", 5},
		"a promise inside a longer hold": {func(f *Facts) {
			f.PromisedUntil, f.HeldUntil, f.HeldScopes = f.Now.AddDate(0, 0, 2), f.Now.AddDate(0, 0, 7), []HoldScope{HoldNotices}
		}, DoWait, "", 2},
		"a promise that is over": {func(f *Facts) { f.PromisedUntil = f.Now }, DoWait, DoBeginRound, 3},
		"a part is disputed":     {func(f *Facts) { f.Disputed = money.New(900, usd) }, DoWait, DoBeginRound, 3},
		"all is disputed":        {func(f *Facts) { f.Disputed = money.New(4900, usd) }, DoWait, "", 0},
		"all is disputed in a round": {func(f *Facts) {
			f.Disputed, f.Open = money.New(4900, usd), &OpenRound{Number: 2, Candidates: []Candidate{{Method: "pm"}}}
		}, DoEndRound, "", 0},
		"disputed when the final notice is due": {func(f *Facts) {
			f.Disputed, f.ScheduledRounds, f.Dates.FinalNotice = money.New(900, usd), 2, f.Now
		}, DoWait, "", 0},
		"never suspend": {func(f *Facts) {
			f.Stage, f.ScheduledRounds, f.Dates.Suspend, f.NeverSuspendUntil = StageSuspensionScheduled, 2, f.Now, f.Now.AddDate(0, 0, 40)
		}, DoWait, DoSuspend, 40},
		"never close": {func(f *Facts) {
			f.Stage, f.ScheduledRounds, f.Dates.Close, f.NeverSuspendUntil = StageSuspended, 2, f.Now, f.Now.AddDate(0, 0, 40)
		}, DoWait, DoCloseAccount, 40},
		"the end is decided": {func(f *Facts) { f.Closing = billing.InvoiceVoid }, DoCarryOut, "", 0},
		"the end is decided, a charge is open": {func(f *Facts) {
			f.Closing, f.Attempt = billing.InvoiceVoid, &OpenAttempt{State: billing.AttemptUnknown, NextAt: f.Now.AddDate(0, 0, 1)}
		}, DoWait, DoLookUp, 1},
	} {
		f := retrying()
		c.change(&f)
		step := Decide(f)
		var at time.Time
		if c.days > 0 {
			at = f.Now.AddDate(0, 0, c.days)
		}
		if step.Do != c.do || step.Then != c.then || !step.At.Equal(at) {
			t.Errorf("%s: %s, then %s at %s (%s)", name, step.Do, step.Then, step.At, step.Why)
		}
	}
}

func TestStepChargesWhatIsNotDisputed(t *testing.T) {
	usd := money.MustCurrency("USD")
	s := Step{Due: money.New(4900, usd)}
	if s.Charges().Minor() != 4900 {
		t.Errorf("charges %s", s.Charges())
	}
	s.Disputed = money.New(900, usd)
	if s.Charges().Minor() != 4000 {
		t.Errorf("charges %s", s.Charges())
	}
}
