package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"recoup/billing"
	"recoup/notify"
)

// readable undoes the transfer encoding well enough to search for words.
func readable(t *testing.T, p parcel) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.raw)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestN2N3FailureReachesMailAndConsole(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.once()
	mails := w.office.mails()
	if len(mails) != 1 || mails[0].to != "acme@example.com" {
		t.Fatalf("mails %+v", mails)
	}
	text := readable(t, mails[0])
	for _, want := range []string{"N-inv-1", "$49.00", "Visa ···4242", "funds", "We will try again on",
		"https://billing.example.com/accounts/acme#invoices",
	} {
		if !has(text, want) {
			t.Errorf("the mail lacks %q", want)
		}
	}
	if id := scan[string](w, `select message_id from notices where channel = 'email'`); id != mails[0].header.Get("Message-Id") || id == "" {
		t.Errorf("Message-ID %q recorded, %q sent", id, mails[0].header.Get("Message-Id"))
	}
	for _, channel := range []string{"email", "console"} {
		if n := scan[int](w, `select count(*)::int from notices where channel = $1 and state = 'sent' and sent_at is not null
			and subject like '%N-inv-1%' and body like '%$49.00%' and body not like '%Ada%'`, channel); n != 1 {
			t.Errorf("%d sent by %s, want 1", n, channel)
		}
	}
	w.once()
	if n := len(w.office.mails()); n != 1 {
		t.Errorf("%d mails after looking again, want 1", n)
	}
}

func TestI11NothingContradictsTheLedger(t *testing.T) {
	w := newWorld(t)
	w.office.answer(func(p *answers) { p.atMail = replies(450, 4, 3, 0) }) // the mail server is unwell while the round fails
	id := w.failed("inv-1", "acme")
	w.once()
	w.office.answer(func(p *answers) { p.atMail = nil })
	w.payWithFunds("acme", id)
	w.advance(time.Hour)
	w.once()
	for _, m := range w.office.mails() {
		if has(m.subject(t), "failed") {
			t.Errorf("told of a failure after the payment: %s", m.subject(t))
		}
	}
	if got := w.records(); got != "payment_failed 1 suppressed, receipt 1 sent" {
		t.Errorf("records: %s", got)
	}
}

// TestF1CrashAfterTheServerTookIt ends the process between the server's 250 and the record: what must arrive goes again under the same
// Message-ID, a receipt does not.
func TestF1CrashAfterTheServerTookIt(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.paid("inv-2", "globex")
	w.once2(&amnesiac{Notices: w.store})
	if n := len(w.office.mails()); n != 2 {
		t.Fatalf("%d mails handed over before the crash, want 2", n)
	}
	if got := w.records(); got != "payment_failed 1 sending, receipt 1 sending" {
		t.Fatalf("after the crash: %s", got)
	}
	w.advance(time.Hour) // the leases end
	w.once()
	count, ids := map[string]int{}, map[string]string{}
	for _, m := range w.office.mails() {
		id := m.header.Get("Message-Id")
		if before, ok := ids[m.to]; ok && before != id {
			t.Errorf("the mail to %s went again under another Message-ID", m.to)
		}
		ids[m.to] = id
		count[m.to]++
	}
	if count["acme@example.com"] != 2 || count["globex@example.com"] != 1 {
		t.Errorf("handed over %v, want the failure twice and the receipt once", count)
	}
	if got := w.records(); got != "payment_failed 1 sent, receipt 1 sent" {
		t.Errorf("records: %s", got)
	}
	if n := scan[int](w, `select count(*)::int from notices where kind = 'receipt' and channel = 'email'
		and problem like 'in doubt%'`); n != 1 {
		t.Error("the receipt's record does not say that it is in doubt")
	}
}

// TestF1DoubtOutlivesTheMailServer: a receipt in doubt is not sent again because the mail server was away when it was taken up again.
func TestF1DoubtOutlivesTheMailServer(t *testing.T) {
	w := newWorld(t)
	w.paid("inv-1", "acme")
	w.once2(&amnesiac{Notices: w.store})
	up := w.d.Mailer
	w.d.Mailer = newMailer(t, freePort(t))
	w.advance(time.Hour)
	w.once()
	w.d.Mailer = up
	w.advance(time.Hour)
	w.once()
	if n := len(w.office.mails()); n != 1 {
		t.Errorf("%d mails handed over, want 1", n)
	}
	if got := w.records(); got != "receipt 1 sent" {
		t.Errorf("records: %s", got)
	}
}

func TestF1HangUpAfterTheServerTookIt(t *testing.T) {
	w := newWorld(t)
	w.office.answer(func(p *answers) { p.afterData = func() error { return errHangUp } })
	w.failed("inv-1", "acme")
	w.paid("inv-2", "globex")
	w.once()
	w.office.answer(func(p *answers) { p.afterData = nil })
	w.advance(time.Hour)
	w.once()
	if n := len(w.office.mails()); n != 3 {
		t.Errorf("%d mails handed over, want the failure twice and the receipt once", n)
	}
	if got := w.records(); got != "payment_failed 1 sent, receipt 1 sent" {
		t.Errorf("records: %s", got)
	}
}

func TestN5UndeliverableGoesOn(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`insert into contacts (account_id, position, email) values ('acme', 2, 'second@example.com')`)
	w.office.answer(refuseAcme)
	w.once()
	if got := w.records(); got != "payment_failed 1 failed, payment_failed 2 sent" {
		t.Errorf("records: %s", got)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'mail_undeliverable'`); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
	if n := scan[int](w, `select count(*)::int from notices where problem like '%@%'`); n != 0 {
		t.Error("a problem names an address (I18)")
	}
}

func TestN5ContactIsGone(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`delete from contacts`)
	w.once()
	if got := scan[string](w, `select state || ': ' || problem from notices where channel = 'email'`); got != "failed: the contact is gone" {
		t.Errorf("the record is %q", got)
	}
}

func TestN5GreylistedForTwoDaysGoesOn(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`update notices set created_at = $1`, noon)
	w.office.answer(func(p *answers) { p.atRcpt = replies(450, 4, 7, 1) })
	for range 60 {
		w.once()
		w.advance(time.Hour)
	}
	if got := w.records(); got != "payment_failed 1 failed" {
		t.Errorf("records: %s", got)
	}
}

// TestMailServerAway: nothing is lost or failed while it is away, people are told, and everything goes out when it is back. The console
// doesn't wait.
func TestMailServerAway(t *testing.T) {
	w := newWorld(t)
	addr := freePort(t)
	w.d.Mailer = newMailer(t, addr)
	for i := range 5 {
		w.failed(fmt.Sprintf("inv-%d", i), fmt.Sprintf("acme-%d", i))
	}
	for range 8 {
		w.once()
		w.advance(time.Hour)
	}
	if n := scan[int](w, `select count(*)::int from notices where channel = 'email' and state = 'queued'`); n != 5 {
		t.Errorf("%d mails wait, want 5: %s", n, w.records())
	}
	if n := scan[int](w, `select count(*)::int from notices where channel = 'console' and state = 'sent'`); n != 5 {
		t.Errorf("%d in the console, want 5", n)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'mail_stuck'`); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
	back := openPostOffice(t, addr)
	w.advance(time.Hour)
	w.once()
	if n := len(back.mails()); n != 5 {
		t.Errorf("%d mails when it is back, want 5", n)
	}
}

// TestF6OneBadRecordBlocksNobody: a record whose facts can't be read is put off with a task; the others go out.
func TestF6OneBadRecordBlocksNobody(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.failed("inv-2", "globex")
	w.exec(`update notices set data = '{"amount": "poison"}' where account_id = 'acme'`)
	for range 6 {
		w.once()
		w.advance(time.Hour)
	}
	const query = `select string_agg(account_id || ' ' || state, ', ' order by account_id) from notices where channel = 'email'`
	if got := scan[string](w, query); got != "acme queued, globex sent" {
		t.Errorf("records: %s", got)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'mail_stuck'`); n == 0 {
		t.Error("nobody is told of the bad record")
	}
}

func TestF6UnknownKindGoesOutPlainly(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.exec(`update notices set kind = 'nobody_worded_this'`)
	w.once()
	if mails := w.office.mails(); len(mails) != 1 || !has(readable(t, mails[0]), "$49.00") {
		t.Errorf("mails %+v", mails)
	}
	if n := scan[int](w, `select count(*)::int from tasks where kind = 'notice_wording'`); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
}

// TestI10ManyDispatchersSendEachOnce runs three dispatchers on one database, woken by the queueing transactions.
func TestI10ManyDispatchersSendEachOnce(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 3 {
		d := *w.d
		d.Mailer = newMailer(t, w.office.addr)
		d.Poll = time.Hour // only the wake-up counts
		wg.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range 20 {
		w.failed(fmt.Sprintf("inv-%d", i), fmt.Sprintf("acme-%d", i))
	}
	eventually(t, "every notice is sent", func() bool {
		return scan[int](w, `select count(*)::int from notices where state = 'sent'`) == 40
	})
	cancel()
	wg.Wait()
	seen := map[string]int{}
	for _, m := range w.office.mails() {
		seen[m.header.Get("Message-Id")]++
	}
	if len(seen) != 20 {
		t.Errorf("%d different mails, want 20", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s handed over %d times", id, n)
		}
	}
}

// TestStopFinishesWhatIsInHand: a stop in the middle of a mail lets it end and be recorded.
func TestStopFinishesWhatIsInHand(t *testing.T) {
	w := newWorld(t)
	inHand, goOn := make(chan struct{}), make(chan struct{})
	w.office.answer(func(p *answers) { p.atData = func() error { close(inHand); <-goOn; return nil } })
	w.failed("inv-1", "acme")
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- w.d.Run(ctx) }()
	<-inHand
	cancel()
	close(goOn)
	select {
	case err := <-stopped:
		w.must(err)
	case <-time.After(15 * time.Second):
		t.Fatal("not stopped within 15 s")
	}
	if got := w.records(); got != "payment_failed 1 sent" {
		t.Errorf("records: %s", got)
	}
}

// TestI18LogsNameNoPerson: neither names nor addresses reach the log, whatever goes wrong.
func TestI18LogsNameNoPerson(t *testing.T) {
	w := newWorld(t)
	w.failed("inv-1", "acme")
	w.failed("inv-2", "globex")
	w.office.answer(refuseAcme)
	w.once()
	log := w.logged.String()
	if !has(log, "notice sent") || !has(log, "notice not accepted") {
		t.Fatalf("the log misses the sends:\n%s", log)
	}
	for _, person := range []string{"@example.com", "Ada", "Hudson"} {
		if has(log, person) {
			t.Errorf("the log names %q:\n%s", person, log)
		}
	}
}

// refuseAcme makes the server know no acme@example.com.
func refuseAcme(p *answers) {
	p.atRcpt = func(to string) error {
		if to == "acme@example.com" {
			return reply(550, smtp.EnhancedCode{5, 1, 1}, "no such user "+to)
		}
		return nil
	}
}

// once2 runs one batch with other records.
func (w *world) once2(n notify.Notices) {
	w.t.Helper()
	d := *w.d
	d.Notices = n
	_, err := d.Once(context.Background())
	w.must(err)
}

// amnesiac is a process that dies before it records that a mail was handed over.
type amnesiac struct{ notify.Notices }

func (*amnesiac) NoticeSent(context.Context, billing.NoticeClaim, billing.NoticeText) error {
	return errors.New("the process is gone")
}
