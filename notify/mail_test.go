package notify_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"recoup/notify"
)

func newMailer(t *testing.T, addr string) *notify.Mailer {
	t.Helper()
	m, err := notify.NewMailer(notify.MailConfig{
		Addr: addr, TLS: "opportunistic", From: "Example Cloud Billing <billing@recoup.example>", ReplyTo: "help@recoup.example",
		Hello: "localhost", Timeout: 5 * time.Second, Connections: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

var sample = notify.Mail{
	MessageID: "<abc@recoup.example>", ToName: "Ada Möller", ToAddress: "ada@example.com", Subject: "Zahlung über 12,00 €",
	Text: "Grüße\n\ntext part\n", HTML: "<p>html part</p>", Date: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
}

func send(t *testing.T, m *notify.Mailer, letter notify.Mail) error {
	t.Helper()
	c, err := m.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	return c.Send(letter)
}

func TestMailIsComplete(t *testing.T) {
	office := openPostOffice(t, "")
	if err := send(t, newMailer(t, office.addr), sample); err != nil {
		t.Fatal(err)
	}
	mails := office.mails()
	if len(mails) != 1 || mails[0].to != "ada@example.com" {
		t.Fatalf("mails %+v", mails)
	}
	got := mails[0]
	for name, want := range map[string]string{
		"Message-Id": "<abc@recoup.example>", "Auto-Submitted": "auto-generated", "List-Unsubscribe": "",
		"Date": "Sat, 21 Nov 2026 12:00:00 +0000",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if s := got.subject(t); s != sample.Subject {
		t.Errorf("subject %q", s)
	}
	to, err := mail.ParseAddress(got.header.Get("To"))
	if err != nil || to.Name != "Ada Möller" || to.Address != "ada@example.com" {
		t.Errorf("to %+v, %v", to, err)
	}
	if reply, err := mail.ParseAddress(got.header.Get("Reply-To")); err != nil || reply.Address != "help@recoup.example" {
		t.Errorf("reply to %+v, %v", reply, err)
	}
	kind, params, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	m, err := mail.ReadMessage(strings.NewReader(got.raw))
	if err != nil {
		t.Fatal(err)
	}
	// The plainest part first: readers show the last one they can (RFC 2046).
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []struct{ kind, text string }{{"text/plain", "Grüße"}, {"text/html", "<p>html part</p>"}} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part)
		if err != nil || !has(part.Header.Get("Content-Type"), want.kind) || !has(string(body), want.text) {
			t.Errorf("part %s: %q, %v, want %s with %q", part.Header.Get("Content-Type"), body, err, want.kind, want.text)
		}
	}
}

// TestF8NoHeaderInjection: names, subjects and addresses from outside make no header and no recipient of their own.
func TestF8NoHeaderInjection(t *testing.T) {
	office := openPostOffice(t, "")
	m := newMailer(t, office.addr)
	evil := sample
	evil.ToName = "Ada\r\nBcc: victim@example.com\r\n\r\n<script>"
	evil.Subject = "Paid\r\nBcc: victim@example.com\nX-Evil: yes"
	if err := send(t, m, evil); err != nil {
		t.Fatal(err)
	}
	got := office.mails()[0]
	if got.header.Get("Bcc") != "" || got.header.Get("X-Evil") != "" || got.to != "ada@example.com" {
		t.Errorf("headers %v to %s", got.header, got.to)
	}
	for _, address := range []string{
		"ada@example.com\r\nBcc: victim@example.com", "ada@example.com>,<victim@example.com", "no address", "", "a b@example.com",
	} {
		evil.ToAddress = address
		err := send(t, m, evil)
		var failure *notify.SendError
		if !errors.As(err, &failure) || failure.Fate != notify.FateRefused {
			t.Errorf("address %q: %v", address, err)
		}
		if err != nil && address != "" && has(err.Error(), address) {
			t.Errorf("the problem names the address: %v", err)
		}
	}
	if n := len(office.mails()); n != 1 {
		t.Errorf("%d mails taken, want 1", n)
	}
}

// TestMailFates: what is known of a mail after each answer the server may give.
func TestMailFates(t *testing.T) {
	cases := map[string]struct {
		set   func(p *answers)
		fate  notify.Fate // "" for accepted
		code  int
		taken int
	}{
		"accepted":           {func(*answers) {}, "", 0, 1},
		"no such mailbox":    {func(p *answers) { p.atRcpt = replies(550, 5, 1, 1) }, notify.FateRefused, 550, 0},
		"greylisted":         {func(p *answers) { p.atRcpt = replies(450, 4, 7, 1) }, notify.FateLater, 450, 0},
		"sender not allowed": {func(p *answers) { p.atMail = replies(550, 5, 7, 1) }, notify.FateOurs, 550, 0},
		"busy":               {func(p *answers) { p.atMail = replies(421, 4, 3, 2) }, notify.FateLater, 421, 0},
		"content refused":    {atData(554, 5), notify.FateRefused, 554, 0},
		"content later":      {atData(451, 4), notify.FateLater, 451, 0},
		"taken, then gone":   {func(p *answers) { p.goodbye = true }, "", 0, 1},
		"taken, no answer":   {func(p *answers) { p.afterData = func() error { return errHangUp } }, notify.FateInDoubt, 0, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			office := openPostOffice(t, "")
			office.answer(c.set)
			err := send(t, newMailer(t, office.addr), sample)
			var failure *notify.SendError
			if errors.As(err, &failure); c.fate == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if failure == nil || failure.Fate != c.fate || failure.Code != c.code {
				t.Fatalf("%+v (%v), want %s %d", failure, err, c.fate, c.code)
			}
			if failure != nil && has(failure.Problem, "ada@example.com") {
				t.Errorf("the problem names the address: %s", failure.Problem)
			}
			if n := len(office.mails()); n != c.taken {
				t.Errorf("%d taken, want %d", n, c.taken)
			}
		})
	}
}

func atData(code, class int) func(p *answers) {
	return func(p *answers) {
		p.atData = func() error { return reply(code, smtp.EnhancedCode{class, 6, 0}, "no") }
	}
}

func replies(code, a, b, c int) func(string) error {
	return func(string) error { return reply(code, smtp.EnhancedCode{a, b, c}, "said of ada@example.com") }
}

// TestConnectionsAreKeptAndBounded: many mails, few connections; a refusal doesn't cost one, a hang-up does.
func TestConnectionsAreKeptAndBounded(t *testing.T) {
	office := openPostOffice(t, "")
	refuse := true
	var mu sync.Mutex
	office.answer(func(p *answers) {
		p.atRcpt = func(string) error {
			mu.Lock()
			defer mu.Unlock()
			if refuse = !refuse; refuse {
				return reply(550, smtp.EnhancedCode{5, 1, 1}, "no")
			}
			return nil
		}
	})
	m := newMailer(t, office.addr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				c, err := m.Connect(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.Send(sample)
				c.Release()
			}
		})
	}
	wg.Wait()
	if n := len(office.mails()); n != 20 {
		t.Errorf("%d of 40 taken, want every other", n)
	}
	office.mu.Lock()
	defer office.mu.Unlock()
	if office.connections > 2 || office.openMost > 2 {
		t.Errorf("%d connections, %d at once, want at most 2", office.connections, office.openMost)
	}
}

func TestKeptConnectionThatDied(t *testing.T) {
	office := openPostOffice(t, "")
	m := newMailer(t, office.addr)
	if err := send(t, m, sample); err != nil {
		t.Fatal(err)
	}
	if err := office.server.Close(); err != nil {
		t.Fatal(err)
	}
	again := openPostOffice(t, office.addr)
	if err := send(t, m, sample); err != nil {
		t.Fatalf("after the server restarted: %v", err)
	}
	if len(again.mails()) != 1 {
		t.Error("not taken after the restart")
	}
}

func TestConnectSaysWhenNobodyAnswers(t *testing.T) {
	m := newMailer(t, freePort(t))
	for range 3 { // the slots come back: with two, a third try would hang otherwise
		if c, err := m.Connect(context.Background()); err == nil {
			c.Release()
			t.Fatal("connected to nobody")
		}
	}
}

func TestMailConfigIsChecked(t *testing.T) {
	good := notify.MailConfig{Addr: "localhost:25", TLS: "none", From: "a@example.com", Timeout: time.Second, Connections: 1}
	if _, err := notify.NewMailer(good); err != nil {
		t.Fatal(err)
	}
	for variable, change := range map[string]func(c *notify.MailConfig){
		"RECOUP_SMTP_ADDR":        func(c *notify.MailConfig) { c.Addr = "localhost" },
		"port":                    func(c *notify.MailConfig) { c.Addr = "localhost:smtp" },
		"RECOUP_SMTP_TLS":         func(c *notify.MailConfig) { c.TLS = "yes" },
		"RECOUP_SMTP_PASSWORD":    func(c *notify.MailConfig) { c.Username = "u" },
		"RECOUP_MAIL_FROM":        func(c *notify.MailConfig) { c.From = "nobody" },
		"RECOUP_MAIL_REPLY_TO":    func(c *notify.MailConfig) { c.ReplyTo = "nobody" },
		"RECOUP_SMTP_TIMEOUT":     func(c *notify.MailConfig) { c.Timeout = 0 },
		"RECOUP_SMTP_CONNECTIONS": func(c *notify.MailConfig) { c.Connections = 0 },
		"RECOUP_SMTP_HELLO":       func(c *notify.MailConfig) { c.Hello = "a\r\nb" },
	} {
		bad := good
		change(&bad)
		if _, err := notify.NewMailer(bad); err == nil || !has(err.Error(), variable) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}
