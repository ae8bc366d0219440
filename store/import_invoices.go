package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"recoup/billing"
	"recoup/dunning"
)

// lookAtInvoices finds out which invoices are new, and fills in the instants that follow from the account's zone and policy (T2).
func (i *importer) lookAtInvoices(ctx context.Context) error {
	type old struct {
		ID                       billing.InvoiceID
		ContentHash              []byte
		Number, Account, DueDate string
		Total                    string
	}
	ids := make([]string, len(i.in.Batch.Invoices))
	for n, v := range i.in.Batch.Invoices {
		ids[n] = string(v.Invoice.ID)
	}
	const query = `select id, content_hash, number, account_id, due_date::text, total_minor::text || ' ' || currency from invoices where id = any($1)`
	rows, _ := i.tx.Query(ctx, query, ids)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[old])
	if err != nil {
		return fmt.Errorf("look up invoices: %w", err)
	}
	there := make(map[billing.InvoiceID]old, len(found))
	for _, f := range found {
		there[f.ID] = f
	}
	dates := newDueDates()
	if dates.rules, err = readAssignments(ctx, i.tx, ""); err != nil {
		return err
	}
	for _, v := range i.in.Batch.Invoices {
		if !i.has(v.Line, "invoice.account", v.Invoice.AccountID) {
			continue
		}
		o, exists := there[v.Invoice.ID]
		if !exists {
			if v.Invoice.DueAt, v.Invoice.CollectAt, err = dates.of(ctx, i, v.Invoice); err != nil {
				i.problems.Add(v.Line, "invoice.due_date", "%v", err)
			}
			i.fresh.invoices = append(i.fresh.invoices, v)
			continue
		}
		hash := v.ContentHash()
		if bytes.Equal(hash[:], o.ContentHash) {
			i.result.Invoices.Unchanged++
			continue
		}
		total := fmt.Sprintf("%d %s", v.Invoice.Total.Minor(), v.Invoice.Total.Currency())
		i.same(v.Line, "invoice", string(v.Invoice.ID), attribute{"account", o.Account, v.Invoice.AccountID}, attribute{"number", o.Number, v.Invoice.Number},
			attribute{"due_date", o.DueDate, v.Invoice.DueDate}, attribute{"total", o.Total, total},
			attribute{"lines", "other lines or another marketplace flag", "these"})
	}
	i.result.Invoices.New = len(i.fresh.invoices)
	return nil
}

// dueDates computes the instants of invoices; files repeat the same few dates, zones and policies.
type dueDates struct {
	rules    []dunning.Assignment
	policies map[policyKey]dunning.Policy
	due      map[[2]string]time.Time
}

func newDueDates() dueDates {
	return dueDates{policies: map[policyKey]dunning.Policy{}, due: map[[2]string]time.Time{}}
}

// of returns when an invoice is due and when collecting begins: by the policy that a case opened now would follow, of which only the unit
// counts.
func (d dueDates) of(ctx context.Context, i *importer, v billing.Invoice) (due, collect time.Time, err error) {
	a := i.accounts[v.AccountID]
	key := [2]string{v.DueDate, a.zone}
	due, ok := d.due[key]
	if !ok {
		if due, err = dunning.DueAt(v.DueDate, a.zone); err != nil {
			return due, collect, err
		}
		d.due[key] = due
	}
	choice := dunning.Choose(d.rules, dunning.PolicySubject{Account: v.AccountID, Own: a.policy, Country: a.country, Plan: a.plan, Total: v.Total})
	chosen := policyKey{choice.Policy, choice.Version}
	policy, ok := d.policies[chosen]
	if !ok {
		if policy, err = i.store.policy(ctx, i.tx, chosen.name, chosen.version); err != nil {
			return due, collect, err
		}
		d.policies[chosen] = policy
	}
	collect, err = policy.CollectAt(due, a.zone, v.ID)
	return due, collect, err
}

// invoicesAtOnce bounds what is prepared for one COPY: lines and journal entries of all invoices together would fill the memory.
const invoicesAtOnce = 5_000

func (i *importer) writeInvoices(ctx context.Context) error {
	for all := i.fresh.invoices; len(all) > 0; {
		some := all[:min(len(all), invoicesAtOnce)]
		all = all[len(some):]
		if err := i.writeSomeInvoices(ctx, some); err != nil {
			return err
		}
		i.tell(len(some))
	}
	return nil
}

func (i *importer) writeSomeInvoices(ctx context.Context, some []billing.BatchInvoice) error {
	columns := []string{"id", "number", "account_id", "state", "currency", "total_minor", "due_date", "due_at", "collect_at", "marketplace",
		"content_hash", "created_at", "settled_at"}
	err := copyRows(ctx, i.tx, "invoices", columns, some, func(b billing.BatchInvoice) []any {
		v, hash := b.Invoice, b.ContentHash()
		due, _ := time.Parse(time.DateOnly, v.DueDate) // DueAt came from it
		state, settled := billing.InvoiceOpen, (*time.Time)(nil)
		if v.Total.IsZero() {
			state, settled = billing.InvoicePaid, &i.now
			i.result.PaidAtOnce++
		}
		return []any{string(v.ID), v.Number, string(v.AccountID), string(state), v.Total.Currency().Code(), v.Total.Minor(), due, v.DueAt,
			v.CollectAt, v.Marketplace, hash[:], i.now, settled}
	})
	if err != nil {
		return err
	}
	type line struct {
		invoice billing.InvoiceID
		billing.Line
	}
	var lines []line
	var bookings []booking
	for _, b := range some {
		for _, l := range b.Invoice.Lines {
			lines = append(lines, line{b.Invoice.ID, l})
		}
		if b.Invoice.Total.IsZero() {
			continue // no value moves, and an entry of 0 says nothing
		}
		posting := billing.InvoiceIssued(b.Invoice)
		bookings = append(bookings, booking{"invoice_issued:" + string(b.Invoice.ID), b.Invoice.AccountID, posting})
	}
	columns = []string{"invoice_id", "position", "service", "charge_kind", "description", "period_start", "amount_minor"}
	err = copyRows(ctx, i.tx, "invoice_lines", columns, lines, func(l line) []any {
		return []any{string(l.invoice), l.Position, l.Service, string(l.ChargeKind), l.Description, l.PeriodStart, l.Amount.Minor()}
	})
	if err != nil {
		return err
	}
	return copyJournal(ctx, i.tx, bookings)
}
