package workflows_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"recoup/activities"
	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
	"recoup/workflows"
)

// lister is a gateway that lists these payments, one a page.
type lister struct {
	*scripted
	list []billing.ListedCharge
}

func (l *lister) ListCharges(_ context.Context, from, to time.Time, cursor string) (gateway.ChargePage, error) {
	at := len(cursor)
	var page gateway.ChargePage
	if at < len(l.list) {
		if c := l.list[at]; !c.At.Before(from) && c.At.Before(to) {
			page.Charges = []billing.ListedCharge{c}
		}
		page.Next = cursor + "x"
	}
	return page, nil
}

// disputed is a lister that also lists payments that were taken back, one a page.
type disputed struct {
	*lister
	payments []string
}

func (d *disputed) ListReversals(_ context.Context, _, _ time.Time, cursor string) (gateway.ReversalPage, error) {
	at := len(cursor)
	if at == len(d.payments) {
		return gateway.ReversalPage{}, nil
	}
	return gateway.ReversalPage{Payments: d.payments[at : at+1], Next: cursor + "x"}, nil
}

// TestB5AReconciliationFindsADisputeWithoutItsWebhook: the workers ask about it then, as if the webhook had come.
func TestB5AReconciliationFindsADisputeWithoutItsWebhook(t *testing.T) {
	p := newPlay(t, "a")
	p.books.says("a", yes)
	p.run()
	reference := read[string](p, `select gateway_reference from attempts`)
	if reference == "" || read[int](p, `select count(*)::int from reversal_checks`) != 0 {
		t.Fatalf("reference %q, or asked about before it is listed", reference)
	}
	g := &disputed{&lister{p.books, nil}, []string{"pi_of_others", reference}}
	r := activities.Reconciling{Books: p.store, Gateways: []gateway.Gateway{g}, Log: slog.New(slog.DiscardHandler)}
	report, err := r.Reconcile(context.Background(), activities.ReconcileInput{From: opening.Add(-time.Hour), To: opening.Add(-time.Minute)})
	if err != nil || report.TakenBack != 1 || len(report.Mismatches) != 0 {
		t.Errorf("%+v %v", report, err)
	}
	if got := read[int](p, `select count(*)::int from reversal_checks`); got != 1 {
		t.Errorf("%d payments are asked about, want 1", got)
	}
}

const stranger = "01942424-2424-7242-8242-424242424242"

func TestI2AReconciliationSeesEveryDifferenceOnce(t *testing.T) {
	p := newPlay(t, "a", "b")
	p.books.says("a", no)
	p.books.says("b", yes)
	p.run()
	paid := billing.AttemptID(read[string](p, `select id::text from attempts where state = 'succeeded'`))
	refused := billing.AttemptID(read[string](p, `select id::text from attempts where state = 'declined'`))
	end := p.env.Now()
	charge := func(reference string, attempt billing.AttemptID, minor int64) billing.ListedCharge {
		return billing.ListedCharge{Reference: reference, Attempt: attempt, Taken: money.New(minor, usd), At: opening.Add(time.Second)}
	}
	p.store.SetNow(func() time.Time { return end.Add(2 * time.Hour) })
	for _, c := range []struct {
		name string
		list []billing.ListedCharge
		want billing.MismatchKind
	}{
		{"all is well", []billing.ListedCharge{charge("pi_1", paid, 4900)}, ""},
		{"nobody's money", []billing.ListedCharge{charge("pi_1", paid, 4900), charge("pi_x", stranger, 100)}, billing.ChargeWithoutAttempt},
		{"unmarked money", []billing.ListedCharge{charge("pi_1", paid, 4900), charge("pi_y", "", 100)}, billing.ChargeWithoutAttempt},
		{"a decline that took money", []billing.ListedCharge{charge("pi_1", paid, 4900), charge("pi_2", refused, 4900)}, billing.ChargeWithoutReceipt},
		{"another amount", []billing.ListedCharge{charge("pi_1", paid, 4800)}, billing.AmountsDiffer},
		{"charged twice", []billing.ListedCharge{charge("pi_1", paid, 4900), charge("pi_3", paid, 4900)}, billing.ChargedTwice},
		{"booked, not taken", nil, billing.ReceiptWithoutCharge},
	} {
		r := activities.Reconciling{Books: p.store, Gateways: []gateway.Gateway{&lister{p.books, c.list}}, Log: slog.New(slog.DiscardHandler)}
		in := activities.ReconcileInput{From: opening.Add(-time.Hour), To: opening.Add(time.Hour)}
		for again := range 2 {
			report, err := r.Reconcile(context.Background(), in)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			switch {
			case c.want == "" && len(report.Mismatches) == 0:
			case len(report.Mismatches) != 1 || report.Mismatches[0].Kind != c.want || report.Raised != 1-again:
				t.Errorf("%s, time %d: %+v, want one %s", c.name, again+1, report, c.want)
			}
		}
	}
	if got, want := read[int](p, `select count(*)::int from tasks where kind = 'reconciliation_mismatch'`), 6; got != want {
		t.Errorf("%d tasks, want %d", got, want)
	}
}

func TestI2TheScheduledReconciliationRaisesTasks(t *testing.T) {
	p := newPlay(t, "a")
	now := opening.Add(48 * time.Hour)
	p.store.SetNow(func() time.Time { return now })
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartTime(now)
	env.RegisterWorkflow(workflows.Reconcile)
	stray := billing.ListedCharge{Reference: "pi_x", Attempt: stranger, Taken: money.New(100, usd), At: opening}
	env.RegisterActivity(&activities.Reconciling{Books: p.store, Gateways: []gateway.Gateway{&lister{p.books, []billing.ListedCharge{stray}}},
		Log: slog.New(slog.DiscardHandler)})
	env.ExecuteWorkflow(workflows.Reconcile)
	var report activities.ReconcileReport
	if err := env.GetWorkflowResult(&report); err != nil {
		t.Fatal(err)
	}
	if report.Raised != 1 || report.Charges != 1 {
		t.Errorf("%+v", report)
	}
}
