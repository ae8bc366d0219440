package audit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/store/privatepg/pgtest"
)

// manyBooks are the charges of n paid invoices.
type manyBooks struct{ pool *pgxpool.Pool }

func (manyBooks) Gateway() string { return "stripe" }

func (m manyBooks) EachCharge(ctx context.Context, f func(Charge) error) error {
	return eachBooked(ctx, m.pool, f)
}

// BenchmarkAudit measures an audit over n invoices, each declined once and then paid on a backup: two attempts, seven attempt events,
// six case events and four notices an invoice. Report: ms per 100,000 invoices.
func BenchmarkAudit(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pool := manyInvoices(b, n)
			var report Report
			for b.Loop() {
				var err error
				if report, err = Run(context.Background(), pool, Options{Books: []Books{manyBooks{pool}}}); err != nil {
					b.Fatal(err)
				}
			}
			if !report.OK() {
				b.Fatalf("broken: %+v", report.Broken())
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)*100_000/float64(n), "ms/100k")
		})
	}
}

// manyInvoices fills a database past the store, as the store would have.
func manyInvoices(b *testing.B, n int) *pgxpool.Pool {
	b.Helper()
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, pgtest.New(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	conn, err := pool.Acquire(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	for _, query := range manyRows {
		if _, err := conn.Exec(ctx, strings.ReplaceAll(query, "@n", fmt.Sprint(n))); err != nil {
			b.Fatalf("%s: %v", query, err)
		}
	}
	for _, query := range []string{"set session_replication_role = origin", "vacuum analyze"} {
		if _, err := conn.Exec(ctx, query); err != nil {
			b.Fatal(err)
		}
	}
	return pool
}

// manyRows write, per number up to the one given, one account, two methods, one invoice and what happened to it.
var manyRows = []string{
	`set session_replication_role = replica`,
	`insert into accounts (id, name, time_zone) select 'a-' || n, 'a', 'UTC' from generate_series(1, @n) n`,
	`insert into payment_methods (id, account_id, gateway, token, kind, brand, position)
		select 'm-' || n || '-' || p, 'a-' || n, 'stripe', 't', 'card', 'visa', p from generate_series(1, @n) n, generate_series(1, 2) p`,
	`insert into invoices (id, number, account_id, state, currency, total_minor, allocated_minor, due_date, due_at, collect_at, content_hash, settled_at)
		select 'i-' || n, 'N', 'a-' || n, 'paid', 'USD', 4900, 4900, current_date, now(), now(), '', now() from generate_series(1, @n) n`,
	`insert into cases (id, invoice_id, episode, account_id, policy, policy_version, stage, clock_started_at, finished_at, outcome)
		select 'i-' || n, 'i-' || n, 1, 'a-' || n, 'standard', 1, 'finished', now(), now(), 'paid' from generate_series(1, @n) n`,
	`insert into attempts (id, case_id, invoice_id, account_id, method_id, gateway, round, position, state, amount_minor, currency, first_sent_at, sends,
			captured_minor, captured_currency, gateway_reference, ended_at)
		select ('00000000-0000-7000-8000-' || to_char(n * 10 + p, 'FM000000000000'))::uuid, 'i-' || n, 'i-' || n, 'a-' || n, 'm-' || n || '-' || p, 'stripe', 1, p,
		       case p when 1 then 'declined' else 'succeeded' end, 4900, 'USD', now(), 1, case p when 2 then 4900 end, case p when 2 then 'USD' end, 'pi_' || n || '_' || p, now()
		  from generate_series(1, @n) n, generate_series(1, 2) p`,
	`insert into attempt_events (attempt_id, from_state, to_state)
		select ('00000000-0000-7000-8000-' || to_char(n * 10 + p, 'FM000000000000'))::uuid, a, case when b = '?' then case p when 1 then 'declined' else 'succeeded' end else b end
		  from generate_series(1, @n) n, generate_series(1, 2) p, (values (1, '', 'intent'), (2, 'intent', 'sent'), (3, 'sent', '?')) e (step, a, b) order by n, p, step`,
	`insert into case_events (case_id, kind, data) select 'i-' || n, kind, data::jsonb
		from generate_series(1, @n) n, (values (1, 'opened', '{"due": {"minor": 4900, "currency": "USD"}, "policy": "standard"}'), (2, 'round_began', '{"round": 1, "cause": "scheduled"}'),
			(3, 'attempt', '{"attempt": "01980a1b-7c3d-7e4f-8a5b-6c7d8e9fabcd", "outcome": "declined", "amount": {"minor": 4900, "currency": "USD"}}'),
			(4, 'attempt', '{"attempt": "01980a1b-7c3d-7e4f-8a5b-6c7d8e9fabce", "outcome": "succeeded", "amount": {"minor": 4900, "currency": "USD"}}'),
			(5, 'receipt', '{"total": {"minor": 4900, "currency": "USD"}}'), (6, 'finished', '{"from": "collecting", "outcome": "paid"}')) e (step, kind, data) order by n, step`,
	`insert into journal_transactions (kind, key, account_id)
		select k, case k when 'receipt' then 'receipt/00000000-0000-7000-8000-' || to_char(n * 10 + 2, 'FM000000000000') else 'invoice_issued:i-' || n end, 'a-' || n
		  from generate_series(1, @n) n, unnest(array['invoice_issued', 'receipt']) k`,
	`insert into journal_entries (transaction_id, ledger_kind, ledger_account, account_id, invoice_id, amount_minor, currency)
		select t.id, e.kind, case e.kind when 'receivable' then 'receivable:i-' || substr(t.account_id, 3) when 'gateway_clearing' then 'gateway_clearing:stripe' else e.kind end,
		       t.account_id, case e.kind when 'receivable' then 'i-' || substr(t.account_id, 3) end, e.minor, 'USD'
		  from journal_transactions t join (values ('invoice_issued', 'receivable', 4900), ('invoice_issued', 'revenue', -4900), ('receipt', 'gateway_clearing', 4900),
			('receipt', 'receivable', -4900)) e (of, kind, minor) on e.of = t.kind`,
	`do $$ declare t journal_transactions; begin for t in select * from journal_transactions order by id loop perform journal_chain(t); end loop; end $$`,
	`insert into notices (id, account_id, case_id, invoice_id, kind, occasion, channel, state, sent_at, data, message_id)
		select gen_random_uuid(), 'a-' || n, 'i-' || n, 'i-' || n, kind, 'o', channel, 'sent', now(),
		       jsonb_build_object('attempt', '00000000-0000-7000-8000-' || to_char(n * 10 + 2, 'FM000000000000')), case channel when 'email' then kind || n else '' end
		  from generate_series(1, @n) n, unnest(array['receipt', 'backup_charged']) kind, unnest(array['console', 'email']) channel`,
}
