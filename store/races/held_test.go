package races

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"recoup/audit"
	"recoup/billing"
	"recoup/money"
	"recoup/store"
	"recoup/store/privatepg/pgtest"
)

// TestM4ABalanceIsLookedAtUnderItsLock holds one invoice's look at a balance before each of its statements while an older invoice of the
// account looks and spends: what was seen before must not be spent after (M4, AF4). Many at once meet such a moment by chance only.
func TestM4ABalanceIsLookedAtUnderItsLock(t *testing.T) {
	for _, balance := range []string{"credit", "deposit"} {
		t.Run(balance, func(t *testing.T) {
			t.Parallel()
			s, err := store.OpenWith(t.Context(), pgtest.New(t), func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer{} })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			s.SetNow(func() time.Time { return present })
			met, held := 0, 0
			for done := false; !done; held++ {
				w := &world{n: held + 1}
				older, younger := twoOfOne(t, s, w, balance)
				blocked, err := holdAndRun(t.Context(), &lab{Store: s}, held+1, reviewOf(younger), reviewOf(older), &done)
				if err != nil {
					t.Fatalf("held before statement %d: %v", held+1, err)
				}
				if blocked {
					met++
				}
			}
			if met == 0 || held < 10 {
				t.Errorf("held %d times, %d of these met a lock: nothing was shown", held, met)
			}
			if n := count(t, s.Pool(), overspent); n != 0 {
				t.Errorf("%d balances are overspent", n)
			}
			report, err := audit.Run(t.Context(), s.Pool(), audit.Options{Now: present})
			if err != nil || !report.OK() {
				t.Errorf("the audit: %+v, %v", report.Broken(), err)
			}
		})
	}
}

// twoOfOne makes an account with two due invoices and a balance for one of them and a bit.
func twoOfOne(t *testing.T, s *store.Store, w *world, balance string) (older, younger billing.CaseID) {
	t.Helper()
	b := billing.Batch{Accounts: []billing.BatchAccount{{Line: 1, Account: billing.Account{ID: w.account("owner"), Name: "A", TimeZone: "UTC",
		Locale: "en-US", Policy: "fast"}}}}
	for i, due := range []string{"2026-11-13", "2026-11-14"} {
		b.Invoices = append(b.Invoices, billing.BatchInvoice{Line: 1, Invoice: billing.Invoice{
			ID: w.invoice(fmt.Sprint(i)), Number: "N", AccountID: w.account("owner"), State: billing.InvoiceOpen, DueDate: due,
			Total: money.New(each, usd), Allocated: money.Zero(usd), Lines: []billing.Line{{Position: 1, Service: "Compute",
				ChargeKind: billing.ChargeUsage, PeriodStart: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Amount: money.New(each, usd)}}}})
	}
	if balance == "credit" {
		b.Credits = []billing.BatchCredit{creditOf(w, "credit", each+7)}
	} else {
		deposit := depositOf(w, "deposit", each+7)
		deposit.Deposit.AccountID = w.account("owner")
		b.Deposits = []billing.BatchDeposit{deposit}
	}
	if _, err := s.Import(t.Context(), inputOf(w.id("load"), b)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if _, err := s.OpenCase(t.Context(), w.invoice(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	return w.caseOf("0"), w.caseOf("1")
}

// act is one operation of a pair that a test holds itself.
type act func(ctx context.Context, s *store.Store) error

func reviewOf(id billing.CaseID) act {
	return func(ctx context.Context, s *store.Store) error { _, err := s.Review(ctx, id); return err }
}

// holdAndRun does one act, held before a statement, and meanwhile another, to its end or into a lock. done is set when the first has fewer
// statements than that.
func holdAndRun(ctx context.Context, l *lab, at int, held, other act, done *bool) (blocked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a, b := newGate(at), newGate(0)
	doneA, doneB := make(chan error, 1), make(chan error, 1)
	go func() { doneA <- held(a.on(ctx), l.Store) }()
	select {
	case <-a.reached:
	case err := <-doneA:
		*done = true
		return false, err
	}
	go func() { doneB <- other(b.on(ctx), l.Store) }()
	blocked, err = l.endOrLock(ctx, b, a, doneB)
	close(a.open)
	if err != nil {
		return blocked, err
	}
	if err := <-doneA; err != nil {
		return blocked, err
	}
	return blocked, <-doneB
}

// TestI8ANoticeDeliveredWhileTheSuspensionIsDecided holds the suspension of an account before each of its statements while the notice of
// suspension, late by a mail server of ours, is delivered at last: the customer has its interval from then on (T1).
func TestI8ANoticeDeliveredWhileTheSuspensionIsDecided(t *testing.T) {
	t.Parallel()
	s, err := store.OpenWith(t.Context(), pgtest.New(t), func(c *pgxpool.Config) { c.ConnConfig.Tracer = tracer{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	a := &author{s: s, t: t}
	s.SetNow(func() time.Time { return a.now })
	delivered, held := 0, 0
	for done := false; !done; held++ {
		a.world = &world{n: held + 1}
		a.now = began
		a.exec(`insert into accounts (id, name, time_zone, policy, created_at) values ($1, $1, 'UTC', 'fast', $2)`, a.id("told"), a.now)
		a.exec(`insert into contacts (account_id, position, email) values ($1, 1, 'a@example.com')`, a.id("told"))
		a.open("told", "told", 4900, a.now, billing.ChargeMarketplace)
		a.pass(present.Add(-12*time.Hour), "told")
		a.now = present
		a.deliver()
		a.exec(`update notices set state = 'queued', sent_at = null, message_id = '' where kind = 'suspension_scheduled' and channel = 'email' and account_id = $1`,
			a.id("told"))
		claims, err := s.ClaimNotices(t.Context(), billing.ChannelEmail, 1, time.Minute)
		a.must(err)
		_, err = s.BeginNotice(t.Context(), claims[0], "example.com")
		a.must(err)
		blocked, err := holdAndRun(t.Context(), &lab{Store: s}, held+1,
			func(ctx context.Context, s *store.Store) error {
				_, err := s.Suspend(ctx, a.caseOf("told"))
				return err
			},
			func(ctx context.Context, s *store.Store) error {
				return s.NoticeSent(ctx, claims[0], billing.NoticeText{Subject: "s", Body: "b"})
			}, &done)
		if err != nil {
			t.Fatalf("held before statement %d: %v", held+1, err)
		}
		if !done && !blocked {
			delivered++
		}
	}
	if delivered < 5 {
		t.Errorf("of %d statements it was delivered before %d: nothing was shown", held, delivered)
	}
	if n := count(t, s.Pool(), `select count(*) from accounts where standing <> 'active'`); n != 0 {
		t.Errorf("%d accounts were suspended on the day of their notice", n)
	}
	report, err := audit.Run(t.Context(), s.Pool(), audit.Options{Now: present})
	if err != nil || !report.OK() {
		t.Errorf("the audit: %+v, %v", report.Broken(), err)
	}
}
