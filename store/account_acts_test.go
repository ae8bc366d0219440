package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
)

func about(account billing.AccountID, kind billing.ResolutionKind) billing.Resolution {
	return billing.Resolution{Kind: kind, Account: account}
}

func (w *world) calls() string {
	w.t.Helper()
	return scan[string](w, `select coalesce(string_agg(generation || ' ' || standing, ', ' order by generation), '') from standing_calls`)
}

func TestS3StaffSuspendsAndReinstatesByGeneration(t *testing.T) {
	w, id := declinedOnce(t)
	w.refuses(about("acme", billing.Reinstate), "kind", "is active")
	answer := w.decide(about("acme", billing.SuspendNow))
	if w.standing() != "suspended 1" || w.calls() != "1 suspended" || !strings.Contains(answer.Next, "suspended") {
		t.Errorf("the account is %s, calls are %s, next %q", w.standing(), w.calls(), answer.Next)
	}
	again := about("acme", billing.SuspendNow)
	again.RequestID = "again"
	w.refuses(again, "kind", "already")
	if repeated := w.decide(about("acme", billing.SuspendNow)); !repeated.Repeated || w.standing() != "suspended 1" {
		t.Errorf("R2: the same request again: %+v", repeated)
	}
	if n := scan[int](w, `select count(*)::int from pokes where case_id = $1`, id); n != 1 {
		t.Error("its case is not told")
	}
	w.decide(about("acme", billing.Reinstate))
	if w.standing() != "active 2" || w.calls() != "1 suspended, 2 active" || w.told("suspended") != 1 || w.told("reinstated") != 1 {
		t.Errorf("the account is %s, calls are %s", w.standing(), w.calls())
	}
	if got := scan[string](w, `select string_agg(act, ' ' order by id) from audit_log where account_id = 'acme' and case_id is null and reason <> ''`); got != "suspend_now reinstate" {
		t.Errorf("the audit log has %q", got)
	}
}

func TestS1PaymentDoesNotUndoWhatStaffSuspended(t *testing.T) {
	w, id := declinedOnce(t)
	w.suspendedFor(id)
	w.decide(about("acme", billing.SuspendNow))
	if w.standing() != "suspended 2" {
		t.Fatalf("the account is %s", w.standing())
	}
	w.decide(paid(id, "cheque", 4900))
	if w.standing() != "suspended 3" || scan[int](w, `select count(*)::int from suspensions where lifted_at is null`) != 1 {
		t.Errorf("paid: the account is %s", w.standing())
	}
	w.decide(about("acme", billing.Reinstate))
	if w.standing() != "active 4" {
		t.Errorf("the account is %s", w.standing())
	}
}

func TestStandingIsDecidedThroughACaseToo(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(billing.Resolution{Kind: billing.SuspendNow, Case: id})
	w.decide(billing.Resolution{Kind: billing.Reinstate, Case: id})
	if w.standing() != "active 2" {
		t.Errorf("the account is %s", w.standing())
	}
	never := billing.Resolution{Kind: billing.NeverSuspend, Case: id, Until: w.now.Add(100 * day)}
	w.decide(never)
	w.refuses(about("acme", billing.SuspendNow), "kind", "keeps the account")
}

func TestS2NeverSuspendPutsTheSuspensionOff(t *testing.T) {
	w, id := declinedOnce(t)
	until := w.now.Add(90 * day)
	never := about("acme", billing.NeverSuspend)
	never.Until = w.now
	w.refuses(never, "until", "future")
	never.Until = w.now.Add(400 * day)
	w.refuses(never, "until", "a year")
	never.Until = until
	w.decide(never)
	step := w.toScheduled(id)
	if step.Then != dunning.DoSuspend || !step.At.Equal(until) {
		t.Fatalf("next is %s at %s, want the suspension at %s", step.Then, step.At, until)
	}
	// A worker with an old mind: the guarded statement refuses by itself.
	if _, err := w.Suspend(context.Background(), id); err != nil || w.standing() != "active 0" {
		t.Errorf("%v, the account is %s", err, w.standing())
	}
	w.decide(billing.Resolution{Kind: billing.Reverse, Account: "acme", Reverses: "r-never_suspend"})
	if step = w.review(id); step.At.Equal(until) {
		t.Errorf("taken back: next is %s at %s", step.Then, step.At)
	}
}

// toScheduled plays a case to where the suspension is next.
func (w *world) toScheduled(id billing.CaseID) dunning.Step {
	w.t.Helper()
	w.exec(`update payment_methods set state = 'disabled'`)
	for range 40 {
		step := w.review(id)
		var err error
		switch {
		case step.Do == dunning.DoFinalNotice:
			_, err = w.FinalNotice(context.Background(), id)
		case step.Do == dunning.DoScheduleSuspension:
			_, err = w.ScheduleSuspension(context.Background(), id)
		case step.Stage == dunning.StageSuspensionScheduled:
			w.exec(`update notices set state = 'sent', sent_at = $1 where state = 'queued'`, w.now)
			return step
		default:
			w.now = step.At
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("no suspension scheduled")
	return dunning.Step{}
}

func TestS2NoSuspensionAgainstADecision(t *testing.T) {
	for name, r := range map[string]billing.Resolution{
		"never": {Kind: billing.NeverSuspend}, "dispute": disputed("", 100), "promise": promised("", time.Time{}, 100),
	} {
		t.Run(name, func(t *testing.T) {
			w, id := declinedOnce(t)
			step := w.toScheduled(id)
			w.now = step.At
			r.Case, r.Until = id, w.now.Add(3*day)
			w.decide(r)
			// The clock is taken back to the day, so that only the guards of S2 stand between.
			w.exec(`update cases set clock_shift_seconds = 0`)
			if next := w.review(id); next.Do != dunning.DoWait {
				t.Errorf("next is %s", next.Do)
			}
			if _, err := w.Suspend(context.Background(), id); err != nil || w.standing() != "active 0" {
				t.Errorf("%v, the account is %s", err, w.standing())
			}
		})
	}
}

func TestHoldOfAnAccountHoldsAllItsCases(t *testing.T) {
	w, id := declinedOnce(t)
	w.invoice("inv-2", "acme", 1000)
	second := w.open("inv-2")
	w.review(second)
	w.decide(billing.Resolution{RequestID: "own", Kind: billing.Hold, Case: second, Until: w.now.Add(9 * day), Scope: []string{"notices"}})
	hold := about("acme", billing.Hold)
	hold.Until, hold.Scope = w.now.Add(15*day), []string{"attempts"}
	w.refuses(hold, "until", "14 days")
	hold.Until = w.now.Add(4 * day)
	answer := w.decide(hold)
	if !strings.Contains(answer.Changed, "2 open cases") {
		t.Errorf("says %q", answer.Changed)
	}
	const query = `select to_char(held_until, 'DD') || ' ' || array_to_string(hold_scopes, ',') || ' ' || round(clock_shift_seconds / 86400.0) from cases where id = $1`
	if got := scan[string](w, query, id); got != "06 attempts 4" {
		t.Errorf("the first is held %q", got)
	}
	if got := scan[string](w, query, second); got != "11 notices,attempts 9" {
		t.Errorf("the second is held %q", got)
	}
	// One that is opened meanwhile.
	w.invoice("inv-3", "acme", 1000)
	third := w.open("inv-3")
	if got := scan[string](w, query, third); got != "06 attempts 4" {
		t.Errorf("the third is held %q", got)
	}
	w.want(w.review(third), dunning.DoWait, dunning.StageCollecting)
	hold.RequestID, hold.Until = "longer", w.now.Add(10*day)
	w.decide(hold)
	hold.RequestID, hold.Until = "still longer", w.now.Add(12*day)
	hold.RequestID = "still-longer"
	w.refuses(hold, "kind", "extended once already")
	w.decide(about("acme", billing.Release))
	if n := scan[int](w, `select count(*)::int from cases where held_until is not null or clock_shift_seconds > 0`); n != 0 {
		t.Errorf("%d cases are still held", n)
	}
	w.refuses(billing.Resolution{RequestID: "again", Kind: billing.Release, Account: "acme"}, "kind", "not held")
	if n := scan[int](w, `select count(*)::int from case_events where kind = 'resolution' and case_id = 'inv-3'`); n != 2 {
		t.Errorf("%d decisions on the third's timeline, want 2", n)
	}
}

func TestS1HoldOfAnAccountReinstates(t *testing.T) {
	w, id := declinedOnce(t)
	w.suspendedFor(id)
	hold := about("acme", billing.Hold)
	hold.Until = w.now.Add(2 * day)
	answer := w.decide(hold)
	if w.standing() != "active 2" || !strings.Contains(answer.Next, "active") {
		t.Errorf("the account is %s, says %q", w.standing(), answer.Next)
	}
}

func TestCloseAnAccountAndOpenItAgain(t *testing.T) {
	w, id := declinedOnce(t)
	w.decide(about("acme", billing.CloseAccount))
	if w.standing() != "closed 1" {
		t.Fatalf("the account is %s", w.standing())
	}
	if step := w.review(id); step.Do != dunning.DoWait || !step.At.IsZero() {
		t.Errorf("next is %s at %s: a closed account is not charged by itself", step.Do, step.At)
	}
	w.refuses(about("acme", billing.SuspendNow), "kind", "closed")
	again := about("acme", billing.CloseAccount)
	again.RequestID = "again"
	w.refuses(again, "kind", "closed already")
	w.decide(about("acme", billing.Reinstate))
	if w.standing() != "active 2" || w.review(id).At.IsZero() {
		t.Errorf("the account is %s", w.standing())
	}
}

func TestAccountDecisionsAreAboutAccounts(t *testing.T) {
	w, id := declinedOnce(t)
	w.refuses(about("nobody", billing.SuspendNow), "account", "there is no account")
	w.refuses(about("acme", billing.RetryNow), "kind", "about one case")
	both := about("acme", billing.SuspendNow)
	both.Case = id
	w.refuses(both, "account", "not both")
}
