package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"recoup/activities"
	"recoup/billing"
	"recoup/money"
	"recoup/workflows"
)

// kindPlay is one kind of decision in TestEveryKindAtEveryMoment.
type kindPlay struct {
	kind billing.ResolutionKind
	// before are decided first, at the same moment: what is released, ended, taken back.
	before []billing.Resolution
	fields billing.Resolution
	// inFlight, waiting, stopped, ended are why it is refused while a charge is at the gateway, while the case waits, while no workflow runs
	// and after the case was paid; "" when it is taken. A case that ends by it ends as ends says.
	inFlight, waiting, stopped, ended string
	ends                              billing.InvoiceState
	// unknown: it is about an attempt whose outcome nobody knows.
	unknown bool
}

func cents(minor int64) *money.Amount {
	amount := money.New(minor, usd)
	return &amount
}

const finished = "finished"

var (
	holdOfDays    = billing.Resolution{Kind: billing.Hold, Until: opening.Add(5 * day)}
	partDisputed  = billing.Resolution{Kind: billing.Dispute, Amount: cents(1000), Claim: "never ordered"}
	ofOneDollar   = billing.Resolution{Kind: billing.GrantCredit, Amount: cents(100)}
	partPaid      = billing.Resolution{Kind: billing.PaidOutOfBand, Amount: cents(1500), Reference: "CHQ 7", ReceivedOn: "2026-11-02"}
	suspendedOnce = billing.Resolution{Kind: billing.SuspendNow}
)

// kindPlays has a line for every kind; a kind without one fails the test.
var kindPlays = []kindPlay{
	{kind: billing.PaidOutOfBand, fields: partPaid},
	{kind: billing.RetryNow, inFlight: "open", ended: "is paid"},
	{kind: billing.PromiseToPay, fields: billing.Resolution{Amount: cents(1000), Until: opening.Add(6 * day)}, ended: finished},
	{kind: billing.Hold, fields: holdOfDays, ended: finished},
	{kind: billing.Release, before: []billing.Resolution{holdOfDays}, ended: "the case is finished"},
	{kind: billing.Dispute, fields: partDisputed, ended: finished},
	{kind: billing.EndDispute, before: []billing.Resolution{partDisputed}, fields: billing.Resolution{Outcome: billing.DisputeRejected}, ended: "nothing"},
	{kind: billing.Extend, fields: billing.Resolution{Until: opening.Add(12 * day)}, ended: finished},
	{kind: billing.GrantCredit, fields: ofOneDollar, ended: finished},
	{kind: billing.WriteOffInvoice, ends: billing.InvoiceWrittenOff, ended: "paid"},
	{kind: billing.VoidInvoice, ends: billing.InvoiceVoid, ended: "paid"},
	{kind: billing.ResolveUnknown, unknown: true, fields: billing.Resolution{Verdict: billing.Captured, Reference: "pi_1"}, inFlight: "sent",
		ends: billing.InvoicePaid, ended: "no attempt"},
	{kind: billing.SuspendNow},
	{kind: billing.Reinstate, before: []billing.Resolution{suspendedOnce}},
	{kind: billing.NeverSuspend, fields: billing.Resolution{Until: opening.Add(40 * day)}},
	{kind: billing.CloseAccount},
	{kind: billing.Reverse, before: []billing.Resolution{partPaid}},
}

// moments are when a decision can come, as a case's workflow sees it.
var moments = map[string]struct {
	refused func(kindPlay) string
	play    func(*decided, *testing.T)
}{
	"while a charge is in flight": {func(k kindPlay) string { return k.inFlight }, (*decided).inFlight},
	"while the case waits":        {func(k kindPlay) string { return k.waiting }, (*decided).waiting},
	"while no workflow runs":      {func(k kindPlay) string { return k.stopped }, (*decided).stopped},
	"after the case has ended":    {func(k kindPlay) string { return k.ended }, (*decided).ended},
}

// TestEveryKindAtEveryMoment: a decision that comes while a charge is in flight, while the case waits, while its workflow was terminated and
// after it has ended is taken once or refused with the reason; the case goes on from what Postgres then says, and the customer pays once
// at most (R1, PM4).
func TestEveryKindAtEveryMoment(t *testing.T) {
	plays := map[billing.ResolutionKind]kindPlay{}
	for _, k := range kindPlays {
		plays[k.kind] = k
	}
	for _, kind := range billing.ResolutionKinds() {
		k, ok := plays[kind]
		if !ok {
			t.Errorf("%s has no line", kind)
			continue
		}
		for name, moment := range moments {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				d := &decided{play: newPlay(t, "a"), k: k, want: moment.refused(k)}
				moment.play(d, t)
				d.judge(t, name)
			})
		}
	}
}

// decided is a play with one decision in it.
type decided struct {
	*play
	k       kindPlay
	want    string // part of the refusal
	outcome workflows.CaseResult
	asked   int // how often the decision was answered
}

// all are the decisions of the play in order, the one that it is about last.
func (d *decided) all() []billing.Resolution {
	last := d.k.fields
	last.Kind = d.k.kind
	decisions := append(append([]billing.Resolution{}, d.k.before...), last)
	for n := range decisions {
		decisions[n].RequestID, decisions[n].Case, decisions[n].Actor, decisions[n].Reason = fmt.Sprintf("d-%d", n), "inv-1", "ada", "asked"
		if decisions[n].Kind == billing.Reverse {
			decisions[n].Reverses = fmt.Sprintf("d-%d", n-1)
		}
	}
	return decisions
}

// says holds the answer to the decision against the line.
func (d *decided) says(t *testing.T, r billing.Resolution, err error) {
	t.Helper()
	if r.Kind != d.k.kind {
		if err != nil && d.want == "" {
			t.Errorf("%s before it: %v", r.Kind, err)
		}
		return
	}
	d.asked++
	var refusal *billing.Refusal
	if refusal = activities.RefusalFrom(err); refusal == nil {
		errors.As(err, &refusal)
	}
	switch {
	case d.want == "" && err != nil:
		t.Errorf("%s: %v", r.Kind, err)
	case d.want != "" && (refusal == nil || !strings.Contains(refusal.Message, d.want)):
		t.Errorf("%s: %v, want a refusal that says %q", r.Kind, err, d.want)
	}
}

// update sends the decisions as Updates, each when the one before is answered, and then calls done.
func (d *decided) update(t *testing.T, decisions []billing.Resolution, done func()) {
	if len(decisions) == 0 {
		done()
		return
	}
	r := decisions[0]
	d.env.UpdateWorkflow(workflows.MessageResolve, r.RequestID, &updated{t: t, complete: func(_ any, err error) {
		d.says(t, r, err)
		d.update(t, decisions[1:], done)
	}}, r)
}

// script says how the gateway answers: a decline first, then the money, or silence until asked.
func (d *decided) script() {
	d.books.says("a", no, yes)
	if d.k.unknown {
		d.books.says("a", silence)
		d.books.looks = []billing.Answer{silence}
	}
	// What nothing is charged for by itself, such as a closed account's, is paid by hand in the end.
	d.after(70*day, func() { d.resolve(d.t, paid("end", 4900)) })
}

func (d *decided) inFlight(t *testing.T) {
	d.script()
	d.books.onCharge = func() {
		d.books.onCharge = nil
		answered := make(chan struct{})
		d.update(t, d.all(), func() { close(answered) })
		select {
		case <-answered:
		case <-time.After(20 * time.Second):
			t.Error("a decision is not answered while a charge is in flight")
		}
	}
	if d.k.unknown {
		d.after(2*time.Minute, func() {
			d.resolve(t, billing.Resolution{RequestID: "later", Kind: billing.ResolveUnknown, Actor: "ada", Reason: "found", Verdict: billing.Captured, Reference: "pi_1"})
		})
	}
	d.outcome = d.run()
}

func (d *decided) waiting(t *testing.T) {
	d.script()
	d.after(2*time.Minute, func() { d.update(t, d.all(), func() {}) })
	d.outcome = d.run()
}

// direct decides as the console does: by the store, and the poke is all that the workflow hears.
func (d *decided) direct(t *testing.T) {
	t.Helper()
	for _, r := range d.all() {
		_, err := d.store.Resolve(context.Background(), r)
		d.says(t, r, err)
	}
}

// stopped decides after the workflow was terminated; the poker starts it again.
func (d *decided) stopped(t *testing.T) {
	d.script()
	d.after(2*time.Minute, func() { d.env.CancelWorkflow() })
	if err := d.start(); err == nil {
		t.Fatal("the workflow ended by itself")
	}
	at := d.env.Now()
	d.renew(at)
	d.exec(`delete from pokes`)
	d.direct(t)
	if got := read[int](d.play, `select count(*)::int from pokes where case_id = 'inv-1'`); got != 1 {
		t.Errorf("%d pokes for the workflow that doesn't run, want 1", got)
	}
	if d.outcome.Outcome = read[billing.InvoiceState](d.play, `select outcome from cases`); d.outcome.Outcome != "" {
		return // it ended with the decision: only an unpaid invoice needs its workflow again
	}
	d.after(70*day, func() { d.resolve(d.t, paid("end", 4900)) })
	d.outcome = d.run()
}

func (d *decided) ended(t *testing.T) {
	d.books.says("a", yes)
	d.outcome = d.run()
	d.direct(t)
	if got := read[int](d.play, `select count(*)::int from attempts`); got != 1 {
		t.Errorf("%d attempts after the case had ended, want the first only", got)
	}
}

// judge looks at what came of it all.
func (d *decided) judge(t *testing.T, moment string) {
	t.Helper()
	if d.asked != 1 {
		t.Errorf("it was answered %d times", d.asked)
	}
	want := billing.InvoicePaid
	if d.k.ends != "" && d.want == "" {
		want = d.k.ends
	}
	if d.outcome.Outcome != want {
		t.Errorf("the case ended %s, want %s", d.outcome.Outcome, want)
	}
	recorded := read[int](d.play, `select count(*)::int from resolutions where kind = $1 and request_id like 'd-%'`, d.k.kind)
	if (recorded == 1) != (d.want == "") {
		t.Errorf("%s is recorded %d times, refused for %q", d.k.kind, recorded, d.want)
	}
	if d.books.taken > 4900 {
		t.Errorf("the gateway took %d for an invoice of 4900", d.books.taken)
	}
	booked := read[int64](d.play, `select coalesce(sum(captured_minor), 0)::bigint from attempts where state = 'succeeded'`)
	if booked != d.books.taken && !d.k.unknown {
		t.Errorf("booked %d, the gateway took %d", booked, d.books.taken)
	}
}
