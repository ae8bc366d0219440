package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// MustArrive are the kinds of mails that go out again, under the same Message-ID, when a crash leaves it in doubt whether they went: losing
// the word is worse than saying it twice. Any other is lost then, and its record says so.
var MustArrive = []string{
	"payment_failed", "payment_returned", "action_required", "final_notice", "suspension_scheduled", "suspended", "promise_broken",
	"method_changed", "method_blocked",
}

type sendRecord struct {
	MessageID, Account, Kind, Occasion, Recipient, State string
	Tries                                                int
}

// CompareMails holds the mailbox against the send records in both directions: every record that says sent is one mail to that recipient,
// and every mail has its record (N2, I10). Only what was tried more than once may have come twice, or be lost, by its kind; or have come
// and be recorded as no longer true, because it was not when it was to be tried again.
func (r *Rig) CompareMails(ctx context.Context) error {
	got, err := r.Mails(ctx)
	if err != nil {
		return err
	}
	rows, _ := r.Store.Pool().Query(ctx, `
		select n.message_id, n.account_id as account, n.kind, n.occasion, c.email as recipient, n.state, n.tries
		  from notices n join contacts c on c.account_id = n.account_id and c.position = n.recipient
		 where n.channel = 'email' and n.message_id <> ''`)
	sent, err := pgx.CollectRows(rows, pgx.RowToStructByName[sendRecord])
	if err != nil {
		return fmt.Errorf("read send records: %w", err)
	}
	arrived := map[string][]Mail{}
	for _, m := range got {
		id := strings.Trim(m.MessageID, "<>")
		arrived[id] = append(arrived[id], m)
	}
	var problems []error
	objectTo := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, s := range sent {
		id := strings.Trim(s.MessageID, "<>")
		mails := arrived[id]
		delete(arrived, id)
		again := slices.Contains(MustArrive, s.Kind)
		switch n := len(mails); {
		case s.State != "sent":
			if n > 0 && n >= s.Tries {
				objectTo("%s %s of %s is recorded as %s, but came %d times in %d tries", s.Kind, s.Occasion, s.Account, s.State, n, s.Tries)
			}
		case n == 0 && (s.Tries == 1 || again):
			objectTo("%s %s of %s is recorded as sent in %d tries, but nothing came", s.Kind, s.Occasion, s.Account, s.Tries)
		case n > 1 && (n > s.Tries || !again):
			objectTo("%s %s of %s came %d times in %d tries", s.Kind, s.Occasion, s.Account, n, s.Tries)
		}
		for _, m := range mails {
			if len(m.To) != 1 || m.To[0] != s.Recipient {
				objectTo("%s %s of %s went to %v, not only to its contact", s.Kind, s.Occasion, s.Account, m.To)
			}
		}
	}
	for id, mails := range arrived {
		objectTo("%q to %v (%s) has no send record", mails[0].Subject, mails[0].To, id)
	}
	return errors.Join(problems...)
}
