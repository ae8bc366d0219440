package audit

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// planting is one transaction over the clean story in which something is broken past every guard. It is rolled back.
type planting struct {
	t     *testing.T
	w     *world
	tx    pgx.Tx
	books []Charge
}

func (p *planting) exec(query string, args ...any) {
	p.t.Helper()
	tag, err := p.tx.Exec(context.Background(), query, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	if (tag.Update() || tag.Delete() || tag.Insert()) && tag.RowsAffected() == 0 {
		p.t.Fatalf("changed nothing: %s", query)
	}
}

func (p *planting) scan(query string, args ...any) string {
	p.t.Helper()
	var v string
	if err := p.tx.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// attempt names an attempt of an invoice in a state.
func (p *planting) attempt(invoice, state string) string {
	p.t.Helper()
	return p.scan(`select min(id::text) from attempts where invoice_id = $1 and state = $2`, invoice, state)
}

// charge finds the charge of an attempt in the books.
func (p *planting) charge(attempt string) *Charge {
	p.t.Helper()
	for i := range p.books {
		if p.books[i].Attempt == attempt {
			return &p.books[i]
		}
	}
	p.t.Fatalf("attempt %s has no charge", attempt)
	return nil
}

// addCharge books what the gateway would for an attempt.
func (p *planting) addCharge(id, attempt, invoice string, minor int64) {
	p.books = append(p.books, Charge{ID: id, Attempt: attempt, Invoice: invoice, Key: attempt, Minor: minor, Currency: "USD",
		Status: ChargeSucceeded, CreatedAt: p.w.now})
}

// post adds a balanced journal transaction of two entries, each "ledger account" with its columns.
func (p *planting) post(kind, key, account string, minor int64, debit, credit entry) string {
	p.t.Helper()
	id := p.scan(`insert into journal_transactions (kind, key, account_id) values ($1, $2, $3) returning id::text`, kind, key, account)
	for _, e := range []entry{debit, credit} {
		p.exec(`insert into journal_entries (transaction_id, ledger_kind, ledger_account, account_id, invoice_id, credit_id, deposit_id, amount_minor, currency)
			values ($1::bigint, $2, $2 || coalesce(':' || nullif($3, ''), ''), $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), $8, 'USD')`,
			id, e.kind, e.of, account, e.invoice, e.credit, e.deposit, minor)
		minor = -minor
	}
	return id
}

// rechain writes the journal's chains anew, as who may turn triggers off could: what is planted elsewhere must be found elsewhere.
func (p *planting) rechain() {
	p.t.Helper()
	p.exec(`delete from journal_links`)
	p.exec(`delete from journal_heads`)
	p.exec(`do $$ declare t journal_transactions; begin
		for t in select * from journal_transactions order by id loop perform journal_chain(t); end loop; end $$`)
}

// disguise also drops the checkpoints that would tell.
func (p *planting) disguise() {
	p.t.Helper()
	p.rechain()
	p.exec(`delete from journal_checkpoints`)
}

type entry struct{ kind, of, invoice, credit, deposit string }

var (
	revenue  = entry{kind: "revenue"}
	bank     = entry{kind: "bank"}
	clearing = entry{kind: "gateway_clearing", of: "stripe"}
)

func receivable(invoice string) entry {
	return entry{kind: "receivable", of: invoice, invoice: invoice}
}

func (p *planting) Gateway() string { return "stripe" }

func (p *planting) EachCharge(_ context.Context, f func(Charge) error) error {
	for _, c := range p.books {
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

// plant is one way to break an invariant. It returns the kind and id of the breach that must be reported.
type plant struct {
	invariant, what string
	do              func(p *planting) (kind, id string)
}

// audit runs every check in the planting's transaction.
func (p *planting) audit() Report {
	p.t.Helper()
	ctx := context.Background()
	r := reader{tx: p.tx, opts: Options{Now: p.w.now, Books: []Books{p}}.withDefaults()}
	if err := r.prepare(ctx, p.tx); err != nil {
		p.t.Fatal(err)
	}
	report, err := r.all(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return report
}

// during runs f in a transaction over the story without constraint triggers and foreign keys, and rolls it back.
func during(t *testing.T, w *world, f func(p *planting)) {
	t.Helper()
	ctx := context.Background()
	tx, err := w.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	p := &planting{t: t, w: w, tx: tx}
	if err := (books{w}).EachCharge(ctx, func(c Charge) error { p.books = append(p.books, c); return nil }); err != nil {
		t.Fatal(err)
	}
	p.exec(`set local session_replication_role = replica`)
	f(p)
}

func TestEveryPlantedBreachIsFound(t *testing.T) {
	w := playStory(t)
	planted := map[string]bool{}
	for _, c := range slices.Concat(plantsOfMoney(), plantsOfAttempts(), plantsOfPeople(), plantsOfChains()) {
		planted[c.invariant] = true
		t.Run(c.invariant+" "+c.what, func(t *testing.T) {
			during(t, w, func(p *planting) {
				kind, id := c.do(p)
				if c.invariant != "I15" {
					p.disguise()
				}
				if kind != "setting" {
					p.exec(`set local session_replication_role = origin`)
				}
				report := p.audit()
				found := false
				for _, i := range report.Broken() {
					for _, b := range i.Breaches {
						found = found || i.ID == c.invariant && b.Kind == kind && b.ID == id
						if i.ID != c.invariant {
							t.Errorf("%s is reported too: %s %s %s", i.ID, b.Kind, b.ID, b.Says)
						}
					}
				}
				if !found {
					t.Errorf("%s of %s %s is not reported; there are %v", c.invariant, kind, id, breaches(report, c.invariant))
				}
			})
		})
	}
	for _, c := range checks {
		if !planted[c.id] {
			t.Errorf("no breach of %s is planted: nothing shows that its check can fail", c.id)
		}
	}
}

func breaches(r Report, invariant string) string {
	for _, i := range r.Invariants {
		if i.ID == invariant {
			return fmt.Sprint(i.Breaches)
		}
	}
	return "no such invariant"
}
