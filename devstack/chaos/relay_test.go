package chaos

import (
	"net/smtp"
	"testing"
	"time"

	"recoup/devstack/mailbox"
)

// The relay spoils what it is told to, passes the rest on, and knows what the server took.
func TestRelaySpoilsMails(t *testing.T) {
	box, err := mailbox.Start(t.Context(), mailbox.Options{Dir: t.TempDir(), SMTPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Stop(t.Context()) }()
	counts := newTally()
	r, addr, err := startRelay(t.Context(), box.SMTPAddr(), counts)
	if err != nil {
		t.Fatal(err)
	}
	send := func(id, to string) error {
		return smtp.SendMail(addr, nil, "a@example.com", []string{to}, []byte("Message-ID: <"+id+">\r\nSubject: x\r\n\r\nhello\r\n"))
	}
	r.down(time.Hour)
	if send("down", "b@example.com") == nil {
		t.Error("a mail went through a server that is down")
	}
	r.heal()
	r.spoil(1, 1)
	if send("cut", "b@example.com") == nil || send("lost", "b@example.com") == nil {
		t.Error("a spoilt mail was answered")
	}
	if send("refused", "bounce@example.com") == nil || send("deferred", "defer@example.com") == nil {
		t.Error("a refused mail was taken")
	}
	for range 2 {
		if err := send("well", "b@example.com"); err != nil {
			t.Error(err)
		}
	}
	if taken := r.mails(); len(taken) != 2 || taken["lost"] != 1 || taken["well"] != 2 {
		t.Errorf("the server took %v", taken)
	}
	done, _, _ := counts.counts()
	for _, k := range []Kind{MailDown, MailCut, MailAnswerLost, MailRefused, MailDeferred} {
		if done[k] != 1 {
			t.Errorf("%s was counted %d times", k, done[k])
		}
	}
}
