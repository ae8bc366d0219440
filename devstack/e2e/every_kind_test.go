package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/money"
)

// Whom the lines of kindLines are about, at each door.
const (
	onCase    = "walk"  // a case that waits after a declined charge
	onLost    = "lost"  // a case whose charge was never answered
	onEnding  = "void"  // a case that waits, to be ended
	onBig     = "big"   // a case above the sum that wants a second person
	onAccount = "whole" // an account, through the doors that accounts have
)

// kindLine is one decision in the order in which they are made at each door, and what must hold in Postgres afterwards.
type kindLine struct {
	on     string
	kind   billing.ResolutionKind
	fields func(*billing.Resolution)
	// holds answers true once the decision has taken effect; {case}, {account}, {request} and {before} (the request of the line before) are
	// put in.
	holds string
	// ends: the case's workflow ends with it, so that only the other doors can repeat it.
	ends bool
}

// kindLines has a line for every kind (a test fails when one is missing). A decision about an account has no door in a workflow: workflows
// are of cases, and one of them would answer for others. The standing of an account can be decided there by its case.
var kindLines = []kindLine{
	{on: onCase, kind: billing.Extend, fields: until(10), holds: `select clock_shift_seconds > 0 from cases where id = {case}`},
	{on: onCase, kind: billing.PromiseToPay, fields: both(until(3), dollars(500)), holds: `select promised_until > now() from cases where id = {case}`},
	{on: onCase, kind: billing.Reverse, holds: `select state = 'withdrawn' from promises where request_id = {before}`},
	{on: onCase, kind: billing.Dispute, fields: both(dollars(2000), func(r *billing.Resolution) { r.Claim = "never ordered" }),
		holds: `select amount_minor = 2000 and ended_at is null from disputes where case_id = {case}`},
	{on: onCase, kind: billing.EndDispute, fields: func(r *billing.Resolution) { r.Outcome = billing.DisputeRejected },
		holds: `select outcome = 'rejected' from disputes where case_id = {case}`},
	{on: onCase, kind: billing.Hold, fields: both(until(2), func(r *billing.Resolution) { r.Scope = []string{"attempts", "suspension"} }),
		holds: `select held_until > now() from cases where id = {case}`},
	{on: onCase, kind: billing.Release, holds: `select held_until is null from cases where id = {case}`},
	{on: onCase, kind: billing.GrantCredit, fields: dollars(1000), holds: `select allocated_minor = 1000 from invoices where id = {case}`},
	{on: onCase, kind: billing.RetryNow, holds: `select count(*) = 2 and bool_and(state = 'declined') from attempts where case_id = {case}`},
	{on: onCase, kind: billing.PaidOutOfBand, fields: both(dollars(1500), func(r *billing.Resolution) { r.Reference, r.ReceivedOn = "CHQ 7", "2026-11-20" }),
		holds: `select allocated_minor = 2500 from invoices where id = {case}`},
	{on: onCase, kind: billing.SuspendNow, holds: standing("suspended")},
	{on: onCase, kind: billing.Reinstate, holds: standing("active")},
	{on: onCase, kind: billing.NeverSuspend, fields: until(20), holds: `select never_suspend_until > now() from accounts where id = {account}`},
	{on: onCase, kind: billing.CloseAccount, holds: standing("closed")},
	{on: onCase, kind: billing.WriteOffInvoice, ends: true, holds: `select state = 'written_off' from invoices where id = {case}`},
	{on: onLost, kind: billing.ResolveUnknown, fields: func(r *billing.Resolution) { r.Verdict, r.Evidence = billing.NotCaptured, "not in its books" },
		holds: `select state = 'not_sent' from attempts where case_id = {case} order by created_at limit 1`},
	{on: onEnding, kind: billing.VoidInvoice, ends: true, holds: `select state = 'void' from invoices where id = {case}`},
	{on: onAccount, kind: billing.Hold, fields: until(2), holds: `select held_until > now() from accounts where id = {account}`},
	{on: onAccount, kind: billing.Release, holds: `select held_until is null from accounts where id = {account}`},
	{on: onAccount, kind: billing.NeverSuspend, fields: until(20), holds: `select never_suspend_until > now() from accounts where id = {account}`},
	{on: onAccount, kind: billing.Reverse, holds: `select never_suspend_until is null from accounts where id = {account}`},
	{on: onAccount, kind: billing.SuspendNow, holds: standing("suspended")},
	{on: onAccount, kind: billing.Reinstate, holds: standing("active")},
	{on: onAccount, kind: billing.CloseAccount, holds: standing("closed")},
}

// ofStanding are decided on the account's page, or by the account's case at the doors that take one.
var ofStanding = []billing.ResolutionKind{billing.SuspendNow, billing.Reinstate, billing.NeverSuspend, billing.CloseAccount}

func until(days int) func(*billing.Resolution) {
	return func(r *billing.Resolution) { r.Until = time.Now().UTC().Truncate(time.Minute).AddDate(0, 0, days) }
}

func dollars(minor int64) func(*billing.Resolution) {
	return func(r *billing.Resolution) {
		amount := money.New(minor, money.MustCurrency("USD"))
		r.Amount = &amount
	}
}

func both(a, b func(*billing.Resolution)) func(*billing.Resolution) {
	return func(r *billing.Resolution) { a(r); b(r) }
}

func standing(is string) string {
	return `select standing = '` + is + `' from accounts where id = {account}`
}

// TestEveryKindThroughEveryDoor: each kind of decision through the console's form, the command line, the JSON API, and Update and Signal
// of the case's workflow. Each is one transaction that Postgres has, with its answer, its actor and the door it came by in the audit log,
// and the same request id again returns the first answer (R1, R2).
func TestEveryKindThroughEveryDoor(t *testing.T) {
	t.Parallel()
	for _, kind := range billing.ResolutionKinds() {
		if !slices.ContainsFunc(kindLines, func(l kindLine) bool { return l.kind == kind && l.on != onAccount }) {
			t.Errorf("%s has no line about a case", kind)
		}
		if ofAccount := slices.ContainsFunc(kindLines, func(l kindLine) bool { return l.kind == kind && l.on == onAccount }); ofAccount != slices.Contains(billing.AccountKinds(), kind) {
			t.Errorf("%s: a line about an account: %v", kind, ofAccount)
		}
	}
	s := storyStack(t)
	doors := kindDoors(t, s)
	var lines []string
	for _, d := range doors {
		for _, on := range []string{onCase, onEnding, onAccount} {
			lines = append(lines, owing(subject(d, on), "standard", actDueInText, noMoney)...)
		}
		lines = append(lines, owing(subject(d, onLost), "standard", actDueInText, neverArrives)...)
		lines = append(lines, owing(subject(d, onBig), "standard", "2000.00", noMoney)...)
	}
	s.imports(t, "every-kind", lines...)
	t.Run("door", func(t *testing.T) {
		for _, d := range doors {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				s.lost(t, subject(d, onLost))
				s.everyKind(t, d)
				s.secondPerson(t, d)
			})
		}
	})
	s.auditClean(t)
}

func subject(d kindDoor, on string) string { return "kind-" + d.name + "-" + on }

// lost waits until a charge is unanswered, and moves it back by a day: to where a person is asked what became of it.
func (s *stack) lost(t *testing.T, account string) {
	t.Helper()
	eventually(t, time.Minute, "the charge of "+account+" is unanswered", func() error {
		return pgx.BeginFunc(t.Context(), s.db, func(tx pgx.Tx) error {
			// The events of an attempt are kept from being changed (I15): that is for a day that really passes.
			if _, err := tx.Exec(t.Context(), `set local session_replication_role = replica`); err != nil {
				return err
			}
			const back = `with moved as (update attempts set next_at = now() + interval '1 hour', created_at = created_at - interval '25 hours',
					first_sent_at = first_sent_at - interval '25 hours' where account_id = $1 and state = 'unknown' returning id)
				update attempt_events set at = at - interval '25 hours' where attempt_id in (select id from moved)`
			tag, err := tx.Exec(t.Context(), back, account)
			if err == nil && tag.RowsAffected() == 0 {
				err = errors.New("it is not")
			}
			return err
		})
	})
}

func (s *stack) everyKind(t *testing.T, d kindDoor) {
	t.Helper()
	before := ""
	for n, l := range kindLines {
		if l.on == onAccount && d.workflow || l.on == onCase && d.pages && slices.Contains(ofStanding, l.kind) {
			continue
		}
		account := subject(d, l.on)
		r := billing.Resolution{RequestID: fmt.Sprintf("kind-%s-%d-%s", d.name, n, l.kind), Kind: l.kind, Actor: d.people[0], Reason: "asked by phone"}
		if l.on == onAccount {
			r.Account = billing.AccountID(account)
		} else {
			r.Case = billing.CaseID("inv-" + account + "-1")
		}
		switch {
		case l.fields != nil:
			l.fields(&r)
		case l.kind == billing.Reverse:
			r.Reverses = before
		}
		if l.on != onLost && l.on != onAccount && !slices.ContainsFunc(kindLines[:n], func(b kindLine) bool { return b.on == l.on }) {
			s.until(t, time.Minute, string(r.Case), "waits after its first attempt", waitsAfter(1))
		}
		s.decideTwice(t, d, r, l.ends)
		holds := strings.NewReplacer("{case}", "'"+string(r.Case)+"'", "{account}", "'"+account+"'", "{before}", "'"+before+"'").Replace(l.holds)
		eventually(t, 30*time.Second, string(l.kind)+" on "+account, func() error {
			if !one[bool](t, s, holds) {
				return errors.New(holds)
			}
			return nil
		})
		before = r.RequestID
	}
}

// decideTwice sends a decision through a door, and again under the same request id.
func (s *stack) decideTwice(t *testing.T, d kindDoor, r billing.Resolution, ends bool) {
	t.Helper()
	answer, refused := d.decide(t, s, r)
	if refused != "" {
		t.Fatalf("%s was refused: %s", r.Kind, refused)
	}
	first := s.answerOf(t, r)
	if answer == nil {
		answer = &first
	}
	if answer.RequestID != r.RequestID || answer.Changed == "" || answer.Next == "" || answer.Changed != first.Changed || answer.Next != first.Next {
		t.Errorf("%s: the door answers %+v, recorded is %+v", r.Kind, *answer, first)
	}
	again := d.decide
	if ends && d.workflow {
		again = func(t *testing.T, s *stack, r billing.Resolution) (*billing.ResolutionAnswer, string) {
			return saidByCommand(s.must(t, commandFor(r)...)), ""
		}
	}
	switch repeated, refused := again(t, s, r); {
	case refused != "":
		t.Errorf("%s again was refused: %s", r.Kind, refused)
	case repeated != nil && (!repeated.Repeated || repeated.Changed != first.Changed || repeated.Next != first.Next):
		t.Errorf("%s again is answered %+v, the first time %+v", r.Kind, *repeated, first)
	}
	const signed = `select count(*) from audit_log where request_id = $1 and act = $2 and actor = $3 and reason = $4 and starts_with(origin, $5)`
	if n := one[int](t, s, signed, r.RequestID, r.Kind, r.Actor, r.Reason, d.origin); n != 1 {
		t.Errorf("%s has %d entries in the audit log by %s from %q, want 1", r.Kind, n, r.Actor, d.origin)
	}
	if n := one[int](t, s, `select count(*) from case_events where kind = 'resolution' and case_id = $1 and data->>'kind' = $2 and data->>'actor' = $3`, r.Case, r.Kind, r.Actor); r.Case != "" && n != 1 {
		t.Errorf("%s is told %d times on the case, want once", r.Kind, n)
	}
}

// answerOf waits until a decision is recorded, once, and returns its answer.
func (s *stack) answerOf(t *testing.T, r billing.Resolution) billing.ResolutionAnswer {
	t.Helper()
	var answer billing.ResolutionAnswer
	eventually(t, 20*time.Second, r.RequestID+" is recorded", func() error {
		found, err := column[billing.ResolutionAnswer](t, s, `select answer from resolutions where request_id = $1 and kind = $2 and actor = $3`, r.RequestID, r.Kind, r.Actor)
		if err != nil || len(found) != 1 {
			return errors.Join(err, fmt.Errorf("%d of them", len(found)))
		}
		answer = found[0]
		return nil
	})
	return answer
}

// secondPerson: above the policy's sum nothing happens until somebody else confirms it, through the same door.
func (s *stack) secondPerson(t *testing.T, d kindDoor) {
	t.Helper()
	id := billing.CaseID("inv-" + subject(d, onBig) + "-1")
	s.until(t, time.Minute, string(id), "waits after its first attempt", waitsAfter(1))
	asked := billing.Resolution{RequestID: "kind-" + d.name + "-proposed", Kind: billing.VoidInvoice, Case: id, Actor: d.people[0], Reason: "wrong customer"}
	s.decideTwice(t, d, asked, false)
	if answer := s.answerOf(t, asked); answer.State != billing.ResolutionProposed || one[string](t, s, `select state from invoices where id = $1`, id) != "open" {
		t.Fatalf("one person voided %s: %+v", id, answer)
	}
	confirms := billing.Resolution{RequestID: "kind-" + d.name + "-confirmed", Kind: billing.VoidInvoice, Case: id, Actor: d.people[1], Reason: "I agree", Confirms: asked.RequestID}
	s.decideTwice(t, d, confirms, true)
	if state := one[string](t, s, `select state from invoices where id = $1`, id); state != "void" {
		t.Errorf("confirmed, %s is %s", id, state)
	}
}
