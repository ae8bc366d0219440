package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/audit"
)

// judge fills the report in: what happened, and what is wrong.
func (r *run) judge(ctx context.Context, report *Report) error {
	var kills []kill
	report.Done, report.Missed, kills = r.tally.counts()
	injected, err := r.injected(ctx)
	if err != nil {
		return err
	}
	for f, n := range injected {
		report.Done[ofGateway(f)] += n
	}
	report.tellDecisions(r.staff.all())
	report.wrong("did not come to rest", report.Moving...)
	books, err := r.readBooks(ctx)
	if err != nil {
		return err
	}
	facts, err := r.readFacts(ctx)
	if err != nil {
		return err
	}
	report.Deaths = deathsAfterSuccess(facts.steps, books, kills)
	report.Ends, report.Parked = facts.ends, facts.parked
	report.DoubleCharges = report.wrong("charged twice", doubleCharges(books, facts.invoices)...)
	report.LostReceipts = report.wrong("took money without a receipt", lostReceipts(books, facts)...)
	report.LostReversals = report.wrong("took money back that is still booked", lostReversals(books, facts)...)
	report.WrongfulSuspensions = report.wrong("suspended wrongly", wrongfulSuspensions(books, facts)...)
	report.LostDecisions = report.wrong("decisions lost or made up", wrongDecisions(r.staff.all(), facts.decisions)...)
	report.WrongMails = report.wrong("mails lost, made up or doubled", wrongMails(r.relay.mails(), facts.mails)...)
	if err := r.audit(ctx, report); err != nil {
		return err
	}
	return r.reconcile(ctx, report)
}

// auditGrace is how long after its date something may be left undone.
const auditGrace = time.Minute

func (r *run) audit(ctx context.Context, report *Report) error {
	found, err := audit.Run(ctx, r.rig.Store.Pool(), audit.Options{Books: []audit.Books{audit.SimulatorBooks{URL: r.rig.GatewayURL()}}, Grace: auditGrace})
	if err != nil {
		return err
	}
	report.AuditHolds, report.AuditBreaches = len(found.Invariants)-len(found.Broken()), found.Total()
	if found.OK() {
		return nil
	}
	var text strings.Builder
	if err := found.Write(&text); err != nil {
		return err
	}
	for _, i := range found.Broken() {
		for _, b := range i.Breaches {
			report.wrong("breaches of the audit", fmt.Sprintf("%s: %s %s %s", i.ID, b.Kind, b.ID, b.Says))
		}
	}
	return nil
}

// reconcile compares the gateway's list with the ledger as people do, over the time of the run.
func (r *run) reconcile(ctx context.Context, report *Report) error {
	out, code, err := r.rig.Run(ctx, "reconcile", "--from", r.began.Add(-time.Hour).UTC().Format(time.RFC3339), "--to", time.Now().UTC().Format(time.RFC3339))
	if err != nil {
		return err
	}
	if code != 0 {
		report.Mismatches = report.wrong("reconcile differs", strings.Split(strings.TrimSpace(out), "\n")...)
	}
	return nil
}

// readBooks are the gateway's charges: the ground truth.
func (r *run) readBooks(ctx context.Context) ([]audit.Charge, error) {
	var all []audit.Charge
	err := audit.SimulatorBooks{URL: r.rig.GatewayURL()}.EachCharge(ctx, func(c audit.Charge) error {
		all = append(all, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the gateway's books: %w", err)
	}
	return all, nil
}

// kept reports whether a charge's money stayed with us.
func kept(c audit.Charge) bool { return c.Status == audit.ChargeSucceeded && c.RefundedMinor == 0 }

func took(c audit.Charge) bool { return c.Status != audit.ChargePending }

// doubleCharges: several charges of one invoice that stayed, and together are more than it. A gateway that takes a unit too much
// (pm_sim_off_by_one) is forgiven one per charge.
func doubleCharges(books []audit.Charge, invoices map[string]int64) []string {
	type sum struct{ n, minor int64 }
	sums := map[string]sum{}
	for _, c := range books {
		if kept(c) {
			s := sums[c.Invoice]
			sums[c.Invoice] = sum{s.n + 1, s.minor + c.Minor}
		}
	}
	var wrong []string
	for _, id := range slices.Sorted(maps.Keys(sums)) {
		if s := sums[id]; s.n > 1 && s.minor > invoices[id]+s.n {
			wrong = append(wrong, fmt.Sprintf("invoice %s of %d was charged %d times, %d together", id, invoices[id], s.n, s.minor))
		}
	}
	return wrong
}

// lostReceipts: money that the gateway took and no receipt tells of, unless its attempt is still being looked up.
func lostReceipts(books []audit.Charge, f facts) []string {
	var wrong []string
	for _, c := range books {
		if _, booked := f.receipts[c.Attempt]; took(c) && !booked && !f.open[c.Attempt] {
			wrong = append(wrong, fmt.Sprintf("charge %s of invoice %s, attempt %s, %d %s", c.ID, c.Invoice, c.Attempt, c.Minor, c.Currency))
		}
	}
	return wrong
}

// lostReversals: money that a bank or a card network took back, and no reversal tells of it (U5), unless its attempt is still being looked
// up: what is not booked can't be taken back, and a case that stays so has not come to rest.
func lostReversals(books []audit.Charge, f facts) []string {
	var wrong []string
	for _, c := range books {
		if c.Status == audit.ChargeReturned && !f.reversed[c.Attempt] && !f.open[c.Attempt] {
			wrong = append(wrong, fmt.Sprintf("charge %s of invoice %s, attempt %s, %d %s", c.ID, c.Invoice, c.Attempt, c.Minor, c.Currency))
		}
	}
	return wrong
}

// wrongfulSuspensions: nothing was due by the journal, or the gateway had taken money that the journal did not know.
func wrongfulSuspensions(books []audit.Charge, f facts) []string {
	byInvoice := map[string][]audit.Charge{}
	for _, c := range books {
		byInvoice[c.Invoice] = append(byInvoice[c.Invoice], c)
	}
	var wrong []string
	for _, s := range f.suspensions {
		if s.DueMinor <= 0 {
			wrong = append(wrong, fmt.Sprintf("account %s at %s for invoice %s: nothing was due", s.Account, s.At.UTC(), s.Invoice))
		}
		if s.Active && !s.Blocked {
			wrong = append(wrong, fmt.Sprintf("account %s is suspended, and no unpaid invoice blocks it", s.Account))
		}
		for _, c := range byInvoice[s.Invoice] {
			if booked, ok := f.receipts[c.Attempt]; took(c) && c.CreatedAt.Before(s.At) && (!ok || booked.After(s.At)) {
				wrong = append(wrong, fmt.Sprintf("account %s at %s for invoice %s: charge %s had succeeded at %s", s.Account, s.At.UTC(), s.Invoice, c.ID, c.CreatedAt.UTC()))
			}
		}
	}
	return wrong
}

// wrongDecisions: one that was accepted is recorded, one that was refused is not.
func wrongDecisions(given []decision, recorded map[string]string) []string {
	var wrong []string
	for _, d := range given {
		kind, there := recorded[d.RequestID]
		switch {
		case d.said == accepted && !there:
			wrong = append(wrong, fmt.Sprintf("%s (%s on case %s) was accepted at the %s and is not recorded", d.RequestID, d.Kind, d.Case, d.door))
		case d.said == refused && there:
			wrong = append(wrong, fmt.Sprintf("%s (%s on case %s) was refused at the %s and is recorded: %s", d.RequestID, d.Kind, d.Case, d.door, d.why))
		case there && kind != string(d.Kind):
			wrong = append(wrong, fmt.Sprintf("%s was %s and is recorded as %s", d.RequestID, d.Kind, kind))
		}
	}
	return wrong
}

// mustArrive are the kinds that go out again, under the same Message-ID, when nobody knows whether they went (faults.md F1).
var mustArrive = []string{
	"payment_failed", "payment_returned", "action_required", "final_notice", "suspension_scheduled", "suspended", "promise_broken",
	"method_changed", "method_blocked",
}

// wrongMails holds what the server took against the send records, both ways (N2, I10). After a crash or a lost answer a kind that must
// arrive may have come once for each try, and any other may have been given up in doubt.
func wrongMails(taken map[string]int, sent []sentMail) []string {
	left := maps.Clone(taken)
	var wrong []string
	for _, m := range sent {
		id := strings.Trim(m.MessageID, "<>")
		n := left[id]
		delete(left, id)
		again := slices.Contains(mustArrive, m.Kind)
		switch {
		case m.State == "sent" && n == 0 && (again || m.Tries == 1 && m.Problem == ""):
			wrong = append(wrong, fmt.Sprintf("notice %s (%s) is recorded as sent, and no mail came", m.ID, m.Kind))
		case n > 1 && (!again || n > m.Tries):
			wrong = append(wrong, fmt.Sprintf("notice %s (%s) came %d times in %d tries", m.ID, m.Kind, n, m.Tries))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		wrong = append(wrong, fmt.Sprintf("mail %s has no send record", id))
	}
	return wrong
}

// deathsAfterSuccess counts the attempts for which the gateway had taken the money, and a process died before that was recorded: by what
// died. The attempt's next event came after the death; it is a second send or a look-up.
func deathsAfterSuccess(steps []step, books []audit.Charge, kills []kill) Deaths {
	charged := map[string]time.Time{}
	for _, c := range books {
		charged[c.Attempt] = c.CreatedAt
	}
	var d Deaths
	for _, s := range steps {
		at, ok := charged[s.Attempt]
		if !ok || s.To != "sent" || at.Before(s.At) || s.Next != nil && at.After(*s.Next) {
			continue
		}
		next := time.Now()
		if s.Next != nil {
			next = *s.Next
		}
		if s.NextTo != "sent" && next.Sub(at) < answerWait {
			continue // its own answer was recorded, at last
		}
		switch {
		case slices.ContainsFunc(kills, func(k kill) bool { return k.kind == WorkerKilled && k.at.After(at) && k.at.Before(next) }):
			d.Worker = append(d.Worker, s.Attempt)
		case slices.ContainsFunc(kills, func(k kill) bool { return k.kind == PostgresKilled && k.at.Before(next) && k.until.After(at) }):
			d.Postgres = append(d.Postgres, s.Attempt)
		}
	}
	return d
}

// answerWait is longer than any call and the recording of its answer may take.
const answerWait = 8 * time.Second

// query collects rows into structs by their columns' order.
func query[T any](ctx context.Context, r *run, sql string) ([]T, error) {
	rows, _ := r.rig.Store.Pool().Query(ctx, sql)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[T])
}
