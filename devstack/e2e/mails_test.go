package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"recoup/billing"
)

// mail is one mail as the mailbox got it.
type mail struct {
	ID        int      `json:"id"`
	To        []string `json:"to"`
	Subject   string   `json:"subject"`
	MessageID string   `json:"message_id"`
	Text      string   `json:"text"`
	HTML      string   `json:"html"`
	Problem   string   `json:"problem"`
}

// account is the account a mail of the story belongs to: its domain's first word.
func (m mail) account() string {
	_, domain, _ := strings.Cut(m.To[0], "@")
	name, _, _ := strings.Cut(domain, ".")
	return name
}

// listMails reads the mailbox's list: everything that was handed over, oldest first, without the texts.
func (s *stack) listMails() ([]mail, error) {
	var all []mail
	const page = 500
	for before := ""; ; {
		list, err := getJSON[struct {
			Messages []mail `json:"messages"`
		}](fmt.Sprintf("%s/api/messages?limit=%d%s", s.mailbox, page, before))
		if err != nil {
			return nil, err
		}
		all = append(all, list.Messages...)
		if len(list.Messages) < page {
			slices.Reverse(all)
			return all, nil
		}
		before = fmt.Sprintf("&before=%d", list.Messages[page-1].ID)
	}
}

// openMail reads one mail with its texts.
func (s *stack) openMail(t *testing.T, id int) mail {
	t.Helper()
	m, err := getJSON[mail](fmt.Sprintf("%s/api/messages/%d", s.mailbox, id))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sendRecord is one row of notices that went out by mail.
type sendRecord struct {
	MessageID, Account, Kind, Occasion, Recipient string
	Tries                                         int
}

func (s *stack) sendRecords(t *testing.T) ([]sendRecord, error) {
	t.Helper()
	return tryRows[sendRecord](t, s, `
		select n.message_id, n.account_id, n.kind, n.occasion, c.email, n.tries
		  from notices n join contacts c on c.account_id = n.account_id and c.position = n.recipient
		 where n.channel = 'email' and n.state = 'sent'`)
}

// mustArrive are the kinds that go out again, under the same Message-ID, when a crash leaves it in doubt whether they went: losing the
// word is worse than saying it twice.
var mustArrive = []string{
	"payment_failed", "payment_returned", "action_required", "final_notice", "suspension_scheduled", "suspended", "promise_broken",
	"method_changed", "method_blocked",
}

// mailsAsRecorded holds the mailbox against the send records in both directions: every record that says sent is one mail to that
// recipient, and every mail has its record (N2, I10). After a crash a kind that must arrive may have come twice, and only if it was
// tried twice; a mail that was handed over in the moment of the crash may still wait for its record.
func (s *stack) mailsAsRecorded(t *testing.T, crashed bool) {
	t.Helper()
	eventually(t, 15*time.Second, "the mailbox equals the send records", func() error {
		got, err := s.listMails()
		if err != nil {
			return err
		}
		sent, err := s.sendRecords(t)
		if err != nil {
			return err
		}
		return compareMails(got, sent, crashed)
	})
}

func compareMails(got []mail, sent []sendRecord, crashed bool) error {
	var problems []error
	objectTo := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	arrived := map[string][]mail{}
	for _, m := range got {
		id := strings.Trim(m.MessageID, "<>")
		arrived[id] = append(arrived[id], m)
	}
	for _, r := range sent {
		id := strings.Trim(r.MessageID, "<>")
		mails := arrived[id]
		delete(arrived, id)
		switch n := len(mails); {
		case n == 0 && !(crashed && r.Tries > 1 && !slices.Contains(mustArrive, r.Kind)):
			objectTo("%s %s of %s is recorded as sent, but nothing came", r.Kind, r.Occasion, r.Account)
		case n > 1 && !(crashed && n <= r.Tries && slices.Contains(mustArrive, r.Kind)):
			objectTo("%s %s of %s came %d times in %d tries", r.Kind, r.Occasion, r.Account, n, r.Tries)
		}
		for _, m := range mails {
			if len(m.To) != 1 || m.To[0] != r.Recipient {
				objectTo("%s %s of %s went to %d recipients, not only to its contact", r.Kind, r.Occasion, r.Account, len(m.To))
			}
		}
	}
	for id, mails := range arrived {
		objectTo("%q to account %s (%s) has no send record", mails[0].Subject, mails[0].account(), id)
	}
	return errors.Join(problems...)
}

var tokens = regexp.MustCompile(`pm_[a-zA-Z]|cus_[A-Za-z0-9]|sk_test|whsec`)

// masked fails when a text shows more of a payment method than its last four.
func masked(t *testing.T, what, text string) {
	t.Helper()
	if found := tokens.FindString(text); found != "" {
		t.Errorf("%s holds the token %s…", what, found)
	}
	for line := range strings.Lines(text) {
		if billing.LooksLikeCardNumber(line) {
			t.Errorf("%s holds what looks like a card number", what)
		}
	}
}
