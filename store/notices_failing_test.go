package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"recoup/billing"
)

// TestF1CrashAfterTheServerTookIt: a notice found in sending may have gone out. A kind that must arrive goes again under the same
// Message-ID, any other does not.
func TestF1CrashAfterTheServerTookIt(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	before := w.begin(w.claimOne("email"))
	w.now = w.now.Add(lease + time.Second) // the process died here
	after := w.begin(w.claimOne("email"))
	if after.NotNow != "" || after.MessageID != before.MessageID || before.MessageID == "" {
		t.Errorf("payment_failed: not now %q, Message-ID %s then %s", after.NotNow, before.MessageID, after.MessageID)
	}
	w = newWorld(t)
	w.account("acme", "pm-1")
	w.invoice("inv-1", "acme", 4900)
	id := w.open("inv-1")
	w.charge(w.review(id), id, succeeded)
	w.begin(w.claimOne("email"))
	w.now = w.now.Add(lease + time.Second)
	if f := w.begin(w.claimOne("email")); !strings.Contains(f.NotNow, "in doubt") {
		t.Errorf("the receipt goes out again: %q", f.NotNow)
	}
	got := scan[string](w, `select state || ': ' || problem from notices where channel = 'email'`)
	if !strings.HasPrefix(got, "sent: in doubt") {
		t.Errorf("the receipt is %q", got)
	}
}

func TestF1InDoubtAnswer(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	c := w.claimOne("email")
	w.begin(c)
	w.must(w.NoticeInDoubt(context.Background(), c, 10*time.Second, billing.NoticeText{Problem: "no answer"}))
	if again := w.claims("email"); len(again) != 0 {
		t.Error("due at once again")
	}
	w.now = w.now.Add(10 * time.Second)
	if f := w.begin(w.claimOne("email")); f.NotNow != "" {
		t.Errorf("must arrive, but: %s", f.NotNow)
	}
}

func TestN5UndeliverableGoesToTheNextContactAndOperators(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`insert into contacts (account_id, position, email) values ('acme', 3, 'second@example.com')`)
	ctx := context.Background()
	c := w.claimOne("email")
	w.begin(c)
	w.must(w.NoticeFailed(ctx, c, billing.NoticeText{Problem: "550"}))
	second := w.claimOne("email")
	f := w.begin(second)
	if f.Contact.Email != "second@example.com" || f.Contact.Position != 3 || f.Data.Round != 1 {
		t.Errorf("went on to contact %d, data %+v", f.Contact.Position, f.Data)
	}
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'mail_undeliverable'`); got != 1 {
		t.Errorf("%d tasks, want 1", got)
	}
	w.must(w.NoticeFailed(ctx, second, billing.NoticeText{Problem: "550"}))
	if more := w.claims("email"); len(more) != 0 {
		t.Errorf("went on to nobody: %+v", more)
	}
	const records = `select string_agg(recipient || ' ' || state, ', ' order by recipient) from notices where channel = 'email'`
	if got := scan[string](w, records); got != "1 failed, 3 failed" {
		t.Errorf("records: %s", got)
	}
}

func TestF4ContactResolvedAtTheSend(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`update contacts set email = 'new@example.com'`)
	c := w.claimOne("email")
	if f := w.begin(c); f.Contact.Email != "new@example.com" {
		t.Error("went to the old address")
	}
	w.must(w.NoticeNotTaken(context.Background(), c, 0, "again", false))
	w.exec(`delete from contacts`)
	c = w.claimOne("email")
	if f := w.begin(c); f.Contact.Email != "" || f.NotNow != "" {
		t.Errorf("contact %+v, not now %q", f.Contact, f.NotNow)
	}
	w.must(w.NoticeFailed(context.Background(), c, billing.NoticeText{Problem: "the contact is gone"}))
}

func TestNoticeLaterWaitsAndAlerts(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.failed("inv-2", "globex")
	ctx := context.Background()
	for _, c := range w.claims("email") {
		w.begin(c)
		w.must(w.NoticeNotTaken(ctx, c, time.Minute, "no connection to the mail server", true))
	}
	if got := scan[int](w, `select count(*)::int from tasks where kind = 'mail_stuck'`); got != 1 {
		t.Errorf("%d tasks for one trouble, want 1", got)
	}
	if early := w.claims("email"); len(early) != 0 {
		t.Error("due before the wait ended")
	}
	w.now = w.now.Add(time.Minute)
	if due := w.claims("email"); len(due) != 2 {
		t.Errorf("%d due after the wait, want 2", len(due))
	}
}
