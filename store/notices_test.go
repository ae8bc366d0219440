package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/dunning"
	"recoup/money"
)

const lease = time.Minute

// claims takes everything due on a channel.
func (w *world) claims(channel string) []billing.NoticeClaim {
	w.t.Helper()
	claims, err := w.ClaimNotices(context.Background(), channel, 100, lease)
	if err != nil {
		w.t.Fatal(err)
	}
	return claims
}

// claimOne takes the only due notice of a channel.
func (w *world) claimOne(channel string) billing.NoticeClaim {
	w.t.Helper()
	claims := w.claims(channel)
	if len(claims) != 1 {
		w.t.Fatalf("%d notices due by %s, want 1", len(claims), channel)
	}
	return claims[0]
}

func (w *world) begin(c billing.NoticeClaim) billing.NoticeFacts {
	w.t.Helper()
	f, err := w.BeginNotice(context.Background(), c, "recoup.example")
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// failed plays a round of one declined attempt, so that payment_failed is queued.
func (w *world) failed(invoice, account string) billing.CaseID {
	w.t.Helper()
	w.account(account, "pm-1-"+account)
	w.invoice(invoice, account, 4900)
	id := w.open(invoice)
	w.want(w.charge(w.review(id), id, declined), dunning.DoWait, dunning.StageRetrying)
	return id
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

var text = billing.NoticeText{Subject: "subject", Body: "body"}

func TestN2OneSendRecordPerChannelAndKey(t *testing.T) {
	w := newWorld(t)
	id := w.failed("inv-1", "acme")
	w.review(id)
	w.review(id)
	for _, channel := range []string{"email", "console"} {
		if got := scan[int](w, `select count(*)::int from notices where kind = 'payment_failed' and channel = $1`, channel); got != 1 {
			t.Errorf("%d records by %s, want 1", got, channel)
		}
	}
}

func TestN5AccountWithoutContactBecomesATask(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.exec(`delete from contacts`)
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, declined)
	if got := scan[int](w, `select count(*)::int from notices where channel = 'email'`); got != 0 {
		t.Errorf("%d mails to nobody", got)
	}
	if got := scan[int](w, `select count(*)::int from notices where channel = 'console'`); got != 1 {
		t.Errorf("%d console notices, want 1", got)
	}
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'contact_missing'`); got != 1 {
		t.Errorf("%d tasks, want 1", got)
	}
}

func TestN3FactsOfAFailure(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	f := w.begin(w.claimOne("email"))
	if f.NotNow != "" || f.Kind != "payment_failed" || f.Contact.Email != "acme@example.com" {
		t.Fatalf("facts %+v", f)
	}
	due, err := f.Invoice.Due()
	if err != nil || due != money.New(4900, usd) {
		t.Errorf("due %s, %v", due, err)
	}
	if len(f.Attempts) != 1 || f.Attempts[0].Method.Last4 != "4242" || !strings.Contains(f.Attempts[0].SafeReason, "funds") {
		t.Errorf("attempts %+v", f.Attempts)
	}
	if !f.Case.NextAttemptAt.After(w.now) || !f.Case.SuspendAt.After(f.Case.NextAttemptAt) {
		t.Errorf("next attempt %s, suspension %s", f.Case.NextAttemptAt, f.Case.SuspendAt)
	}
	if got := scan[string](w, `select state || ' ' || (message_id = $1)::text || ' ' || (data->'stated'->>'invoice_state') from notices
		where channel = 'email'`, f.MessageID); got != "sending true open" {
		t.Errorf("record is %q", got)
	}
}

func TestI11PaidBeforeTheSend(t *testing.T) {
	w := newWorld(t)
	id := w.failed("inv-1", "acme")
	w.deposit("d-1", "acme", 10000)
	w.want(w.review(id), dunning.DoFinish, dunning.StageFinished)
	kinds := map[string]bool{}
	for _, c := range append(w.claims("email"), w.claims("console")...) {
		f := w.begin(c)
		if f.Kind == "payment_failed" && f.NotNow != "the invoice is paid" {
			t.Errorf("a failure would be told of a paid invoice: %q", f.NotNow)
		}
		if f.Kind == "receipt" {
			if f.NotNow != "" || len(f.Sources) != 1 || f.Sources[0].Kind != billing.SourceFunds || f.Sources[0].Amount != money.New(4900, usd) {
				t.Errorf("receipt: %q, sources %+v", f.NotNow, f.Sources)
			}
		}
		kinds[f.Kind] = true
	}
	if !kinds["payment_failed"] || !kinds["receipt"] {
		t.Errorf("kinds seen: %v", kinds)
	}
	const suppressed = `select count(*)::int from notices where kind = 'payment_failed' and state = 'suppressed' and problem <> ''`
	if got := scan[int](w, suppressed); got != 2 {
		t.Errorf("%d suppressed with a reason, want 2", got)
	}
}

// A mail that its dispatcher died of may have gone out, although it is not sent again because it would not be true any more: its record
// must not say that the customer was told nothing.
func TestN3SuppressedRecordTellsOfAnEarlierTry(t *testing.T) {
	w := newWorld(t)
	id := w.failed("inv-1", "acme")
	if f := w.begin(w.claimOne("email")); f.NotNow != "" {
		t.Fatalf("not now: %s", f.NotNow)
	}
	w.deposit("d-1", "acme", 10000)
	w.want(w.review(id), dunning.DoFinish, dunning.StageFinished)
	w.now = w.now.Add(time.Hour) // its lease has run out
	for _, c := range w.claims("email") {
		w.begin(c)
	}
	const query = `select state || ': ' || problem from notices where kind = 'payment_failed' and channel = 'email'`
	if got := scan[string](w, query); got != "suppressed: the invoice is paid; an earlier try may have gone out" {
		t.Errorf("the record says %q", got)
	}
}

func TestN1ReceiptSplitsBySource(t *testing.T) {
	w := newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	w.credit("c-1", "acme", 1000)
	w.deposit("d-1", "acme", 2000)
	id := w.open("inv-1")
	w.want(w.charge(w.review(id), id, succeeded), dunning.DoFinish, dunning.StageFinished)
	f := w.begin(w.claimOne("email"))
	want := []struct {
		kind  billing.SourceKind
		minor int64
	}{{billing.SourceCredit, 1000}, {billing.SourceFunds, 2000}, {billing.SourceMethod, 1900}}
	if len(f.Sources) != len(want) {
		t.Fatalf("sources %+v", f.Sources)
	}
	for i, s := range want {
		if f.Sources[i].Kind != s.kind || f.Sources[i].Amount != money.New(s.minor, usd) {
			t.Errorf("source %d: %+v, want %s %d", i, f.Sources[i], s.kind, s.minor)
		}
	}
}

// TestI11NoMoneyMovesDuringTheLastLook: a payment that commits first is seen; one that comes later waits until the record is marked.
func TestI11NoMoneyMovesDuringTheLastLook(t *testing.T) {
	for range 8 {
		w := newWorld(t)
		id := w.failed("inv-1", "acme")
		w.deposit("d-1", "acme", 10000)
		c := w.claimOne("email")
		var f billing.NoticeFacts
		var problems [2]error
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() { <-start; f, problems[0] = w.BeginNotice(context.Background(), c, "recoup.example") })
		wg.Go(func() { <-start; _, problems[1] = w.Review(context.Background(), id) })
		close(start)
		wg.Wait()
		w.must(problems[0])
		w.must(problems[1])
		state := scan[string](w, `select state from notices where id = $1`, c.ID)
		stated := scan[string](w, `select coalesce(data->'stated'->>'invoice_state', '') from notices where id = $1`, c.ID)
		switch {
		case f.NotNow == "" && state == "sending" && stated == "open" && f.Invoice.State == billing.InvoiceOpen:
		case f.NotNow == "the invoice is paid" && state == "suppressed" && stated == "":
		default:
			t.Errorf("not now %q, state %s, stated %q", f.NotNow, state, stated)
		}
	}
}

// TestI11LastLookWaitsForMoney: while a transaction has the account or the invoice, the last look waits and then sees what it did.
func TestI11LastLookWaitsForMoney(t *testing.T) {
	for table, change := range map[string]string{
		"accounts": `update accounts set name = 'changed' where id = 'acme'`,
		"invoices": `update invoices set number = 'changed' where id = 'inv-1'`,
	} {
		t.Run(table, func(t *testing.T) {
			w := newWorld(t)
			w.failed("inv-1", "acme")
			c := w.claimOne("email")
			ctx := context.Background()
			tx, err := w.Pool().Begin(ctx)
			w.must(err)
			defer func() { _ = tx.Rollback(ctx) }()
			_, err = tx.Exec(ctx, change)
			w.must(err)
			done := make(chan billing.NoticeFacts, 1)
			go func() {
				f, err := w.BeginNotice(ctx, c, "recoup.example")
				if err != nil {
					t.Error(err)
				}
				done <- f
			}()
			for waiting := false; !waiting; {
				select {
				case <-done:
					t.Fatal("the last look did not wait")
				default:
				}
				waiting = scan[bool](w, `select exists (select 1 from pg_stat_activity 
					where datname = current_database() and wait_event_type = 'Lock')`)
			}
			w.must(tx.Commit(ctx))
			if f := <-done; f.Account.Name != "changed" && f.Invoice.Number != "changed" {
				t.Errorf("stated what was before: %s, %s", f.Account.Name, f.Invoice.Number)
			}
		})
	}
}

func TestN2ClaimsAreFenced(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	ctx := context.Background()
	first := w.claimOne("email")
	if again := w.claims("email"); len(again) != 0 {
		t.Fatalf("claimed twice: %+v", again)
	}
	w.now = w.now.Add(lease + time.Second)
	second := w.claimOne("email")
	if f := w.begin(first); f.NotNow == "" {
		t.Error("the first claim ran out and may still begin")
	}
	if err := w.NoticeSent(ctx, first, text); err == nil {
		t.Error("the first claim ran out and may still record")
	}
	if f := w.begin(second); f.NotNow != "" {
		t.Fatal(f.NotNow)
	}
	w.must(w.NoticeSent(ctx, second, text))
	if err := w.NoticeSent(ctx, second, text); err == nil {
		t.Error("recorded as sent twice")
	}
	w.now = w.now.Add(time.Hour)
	if again := w.claims("email"); len(again) != 0 {
		t.Errorf("a sent notice is claimed again: %+v", again)
	}
}

// TestI10ManyDispatchersClaimEachOnce lets eight claim at the same time.
func TestI10ManyDispatchersClaimEachOnce(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	w.exec(`insert into notices (id, account_id, kind, occasion, channel, recipient, send_after)
		select gen_random_uuid(), 'acme', 'method_changed', n::text, 'email', 1, $1 from generate_series(1, 200) n`, w.now)
	var mu sync.Mutex
	seen := map[billing.NoticeID]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				claims, err := w.ClaimNotices(context.Background(), "email", 7, lease)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range claims {
					seen[c.ID]++
				}
				mu.Unlock()
				if len(claims) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != 200 {
		t.Errorf("%d of 200 claimed", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("notice %s claimed %d times", id, n)
		}
	}
}

func TestListenNoticesWakes(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	woken := make(chan struct{}, 10)
	ended := make(chan error, 1)
	go func() { ended <- w.ListenNotices(ctx, func() { woken <- struct{}{} }) }()
	wait := func(what string) {
		select {
		case <-woken:
		case err := <-ended:
			t.Fatalf("%s: listening ended: %v", what, err)
		}
	}
	wait("at the start")
	w.failed("inv-1", "acme")
	wait("a notice was queued")
	cancel()
	if err := <-ended; err == nil {
		t.Error("listening ended without an error")
	}
}
