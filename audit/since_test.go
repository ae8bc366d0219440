package audit

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// sinceLast runs an incremental audit and keeps its watermarks, as `recoup audit --since-last` does.
func (w *world) sinceLast() Report {
	w.t.Helper()
	ctx := context.Background()
	report, err := Run(ctx, w.Pool(), Options{Now: w.now, SinceLast: true})
	w.must(err)
	w.must(w.KeepWatermarks(ctx, report.Watermark, report.Counter, report.Held()))
	return report
}

// settled waits until no transaction on the server, which other tests share, is older than what the story wrote.
func (w *world) settled() {
	w.t.Helper()
	last := w.scan(`select pg_current_xact_id()::text`)
	for range 3000 {
		if w.scan(`select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint > $1::text::bigint)::text`, last) == "true" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("a transaction older than %s stays open", last)
}

func (w *world) checked(r Report, invariant, what string) int64 {
	w.t.Helper()
	for _, i := range r.Invariants {
		for _, c := range i.Checked {
			if i.ID == invariant && c.What == what {
				return c.N
			}
		}
	}
	w.t.Fatalf("%s does not count %s", invariant, what)
	return 0
}

func TestSinceLastReadsOnlyWhatWasTouched(t *testing.T) {
	w := playStory(t)
	w.settled()
	first := w.sinceLast()
	if !first.OK() || w.checked(first, "I7", "transactions") != 29 {
		t.Fatalf("the first one reads everything: %d transactions, broken %+v", w.checked(first, "I7", "transactions"), first.Broken())
	}
	if second := w.sinceLast(); !second.OK() || w.checked(second, "I7", "transactions") != 0 {
		t.Fatalf("nothing happened since, yet %d transactions were read; broken: %+v", w.checked(second, "I7", "transactions"), second.Broken())
	}
	w.pay("inv-four", "r-4", 100)
	w.settled()
	third := w.sinceLast()
	if third.Touched != 1 || w.checked(third, "I7", "transactions") != 2 || w.checked(third, "I15", "journal links") != 2 {
		t.Errorf("%d accounts, %d transactions, %d links; want account four: 1, 2, 2", third.Touched, w.checked(third, "I7", "transactions"),
			w.checked(third, "I15", "journal links"))
	}
	if w.checked(third, "I20", "unpaid due invoices") != 4 {
		t.Error("what only time can break is looked at whole")
	}
	if left := w.scan(`select count(*)::text from pg_class where relname like 'audit_touched%' and relnamespace <> 'public'::regnamespace`); left != "0" {
		t.Errorf("%s temporary tables left", left)
	}
}

// TestSinceLastNeverMissesALateCommit: two transactions take their ids in one order and commit in the other, with an audit between.
func TestSinceLastNeverMissesALateCommit(t *testing.T) {
	w := playStory(t)
	ctx := context.Background()
	w.settled()
	w.sinceLast()
	write := func(account, note string) pgx.Tx {
		tx, err := w.Pool().Begin(ctx)
		w.must(err)
		t.Cleanup(func() { _ = tx.Rollback(ctx) })
		_, err = tx.Exec(ctx, `insert into case_events (case_id, kind, data) values ($1, 'noted', jsonb_build_object('to', $2::text))`, "inv-"+account, note)
		w.must(err)
		return tx
	}
	early := write("one", "somebody@example.com")
	late := write("two", "nobody")
	w.must(late.Commit(ctx))
	if r := w.sinceLast(); r.Touched != 1 || !r.OK() {
		t.Fatalf("%d accounts, want two's alone; broken: %+v", r.Touched, r.Broken())
	}
	w.must(early.Commit(ctx))
	if broken := w.sinceLast().Broken(); len(broken) != 1 || broken[0].ID != "I18" {
		t.Errorf("what began before the last audit and was committed after it is missed: %+v", broken)
	}
}

// TestSinceLastTellsOfABreachUntilItIsGone: a watermark does not pass what is broken.
func TestSinceLastTellsOfABreachUntilItIsGone(t *testing.T) {
	w := playStory(t)
	w.sinceLast()
	w.exec(`update invoices set settled_at = null where id = 'inv-one'`)
	w.exec(`insert into case_events (case_id, kind, data) values ('inv-one', 'noted', '{"to": "somebody@example.com"}')`)
	for range 3 {
		if broken := w.sinceLast().Broken(); len(broken) != 1 || broken[0].ID != "I18" {
			t.Fatalf("broken: %+v", broken)
		}
	}
}

// TestSinceLastAfterARestoreReadsEverything: watermarks of another server or database mean nothing here.
func TestSinceLastAfterARestoreReadsEverything(t *testing.T) {
	w := playStory(t)
	all := w.checked(w.sinceLast(), "I7", "transactions")
	for _, restored := range []string{`update audit_watermarks set counter = '7/1'`, `update audit_watermarks set xid = xid + 1000000`} {
		w.exec(restored)
		if n := w.checked(w.sinceLast(), "I7", "transactions"); n != all {
			t.Errorf("%s: %d transactions read, want all %d", restored, n, all)
		}
		w.exec(`delete from audit_watermarks`)
		w.sinceLast()
	}
}

func TestI15ACheckpointKeptElsewhereTellsOfARewrite(t *testing.T) {
	w := playStory(t)
	ctx := context.Background()
	kept, err := w.RecordCheckpoint(ctx)
	w.must(err)
	w.pay("inv-four", "r-4", 100)
	options := w.options()
	options.Checkpoints = append(options.Checkpoints, kept)
	report, err := Run(ctx, w.Pool(), options)
	w.must(err)
	if !report.OK() {
		t.Fatalf("what came later is no breach: %+v", report.Broken())
	}
	during(t, w, func(p *planting) {
		p.exec(`update journal_transactions set key = key || 'x' where kind = 'correction' or id = (select max(id) from journal_transactions where account_id = 'eight')`)
		p.disguise()
		r := reader{tx: p.tx, opts: options.withDefaults(), schema: "public"}
		r.opts.Books = nil
		report, err := r.all(ctx)
		w.must(err)
		found := breaches(report, "I15")
		if len(report.Broken()) == 0 || found == "[]" {
			t.Errorf("the rewrite is not found")
		}
	})
}
