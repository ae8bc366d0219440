package notify

import (
	"context"
	"errors"
	"time"

	"recoup/billing"
	"recoup/boundary"
)

const (
	// alertTries is the try from which a mail that can't leave calls for a person.
	alertTries = 5
	// giveUpAfter bounds how long a contact's server may keep answering "try later" before the next contact is asked (N5).
	giveUpAfter = 48 * time.Hour
	// recordTries is how often a result is recorded before the record is left to its lease.
	recordTries = 4
)

var backoffs = []time.Duration{
	2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// backoff returns how long to wait after a try, counted from 1.
func backoff(try int) time.Duration {
	return backoffs[min(max(try, 1), len(backoffs))-1]
}

// begin reads the facts of a claimed record and words it. A zero letter and no error: there is nothing to send now.
func (d *Dispatcher) begin(ctx context.Context, c billing.NoticeClaim) (f billing.NoticeFacts, letter Letter, err error) {
	f, err = d.Notices.BeginNotice(ctx, c, d.Mailer.Domain())
	if err != nil {
		// Postgres is away, or this one record is bad: it comes later, and people see the second.
		return f, letter, errors.Join(err, d.Notices.NoticeLater(ctx, c, backoff(c.Try), "the facts could not be read", c.Try >= alertTries))
	}
	if f.NotNow != "" {
		d.log().InfoContext(ctx, "notice not sent", "notice", c.ID, "kind", f.Kind, "why", f.NotNow)
		return f, letter, nil
	}
	letter, broken := Write(f, d.Links)
	if broken != nil {
		d.log().ErrorContext(ctx, "notice: wording broke, a plain one goes out", "notice", c.ID, "kind", f.Kind, "error", broken)
		if err := d.Notices.WordingBroke(ctx, f, "see the log of the worker"); err != nil {
			d.log().ErrorContext(ctx, "notice", "notice", c.ID, "error", err)
		}
	}
	return f, letter, nil
}

func (d *Dispatcher) showInConsole(ctx context.Context, c billing.NoticeClaim) error {
	f, letter, err := d.begin(ctx, c)
	if err != nil || letter.Subject == "" {
		return err
	}
	if err := d.Notices.NoticeSent(ctx, c, billing.NoticeText{Subject: letter.Subject, Body: letter.Text()}); err != nil {
		return err
	}
	boundary.At(boundary.AfterConsole, f.Account.ID)
	return nil
}

// sendMail delivers one mail: first a connection that answers, then the last look at the ledger, then at once the handing over. ctx ends
// when the process stops; a mail whose connection stands is then still brought to its end, within work.
func (d *Dispatcher) sendMail(ctx, work context.Context, c billing.NoticeClaim) (open bool, err error) {
	connection, err := d.Mailer.Connect(ctx)
	if ctx.Err() != nil {
		if connection != nil {
			connection.Release()
		}
		return true, d.Notices.NoticeLater(work, c, 0, "", false)
	}
	if err != nil {
		d.log().WarnContext(ctx, "notice: no mail server", "notice", c.ID, "try", c.Try, "error", err)
		return false, d.Notices.NoticeLater(work, c, backoff(c.Try), "no connection to the mail server", c.Try >= alertTries)
	}
	defer connection.Release()
	f, letter, err := d.begin(work, c)
	if err != nil || letter.Subject == "" {
		return true, err
	}
	text := billing.NoticeText{Subject: letter.Subject, Body: letter.Text()}
	if f.Contact.Email == "" {
		text.Problem = "the contact is gone"
		return true, d.Notices.NoticeFailed(work, c, text)
	}
	plainText, html, err := letter.Bodies(f.Account, f.Contact, d.Mailer.Sender())
	if err != nil {
		return true, errors.Join(err, d.Notices.NoticeNotTaken(work, c, backoff(c.Try), "the layout broke", true))
	}
	boundary.At(boundary.BeforeMail, f.Account.ID)
	err = connection.Send(Mail{
		MessageID: f.MessageID, ToName: f.Contact.Name, ToAddress: f.Contact.Email, Subject: letter.Subject,
		Text: plainText, HTML: html, Date: f.Now,
	})
	if err == nil {
		boundary.At(boundary.AfterMail, f.Account.ID)
		d.log().InfoContext(work, "notice sent", "notice", c.ID, "kind", f.Kind, "account", f.Account.ID, "try", c.Try)
		err := d.record(work, func() error { return d.Notices.NoticeSent(work, c, text) })
		boundary.At(boundary.AfterSent, f.Account.ID)
		return true, err
	}
	return true, d.record(work, func() error { return d.recordFailure(work, c, f, text, err) })
}

// recordFailure records what is known of a mail that was not accepted with certainty.
func (d *Dispatcher) recordFailure(ctx context.Context, c billing.NoticeClaim, f billing.NoticeFacts, text billing.NoticeText,
	cause error) error {
	failure := &SendError{Fate: FateInDoubt, Problem: "the sending broke off"}
	errors.As(cause, &failure)
	d.log().WarnContext(ctx, "notice not accepted", "notice", c.ID, "kind", f.Kind, "try", c.Try, "fate", failure.Fate,
		"problem", failure.Problem)
	text.Problem = failure.Problem
	switch failure.Fate {
	case FateRefused:
		return d.Notices.NoticeFailed(ctx, c, text)
	case FateInDoubt:
		return d.Notices.NoticeInDoubt(ctx, c, backoff(c.Try), text)
	case FateOurs:
		return d.Notices.NoticeNotTaken(ctx, c, backoff(c.Try), failure.Problem, true)
	case FateLater:
		if failure.Code >= 400 && f.Now.Sub(f.CreatedAt) > giveUpAfter {
			return d.Notices.NoticeFailed(ctx, c, text)
		}
	}
	return d.Notices.NoticeNotTaken(ctx, c, backoff(c.Try), failure.Problem, c.Try >= alertTries)
}

// record tries a few times to write down what happened to a mail: forgetting it would leave the mail in doubt.
func (d *Dispatcher) record(ctx context.Context, write func() error) error {
	var err error
	for try := range recordTries {
		if err = write(); err == nil || ctx.Err() != nil {
			return err
		}
		if try < recordTries-1 {
			sleep(ctx, time.Duration(1<<try)*100*time.Millisecond)
		}
	}
	return err
}
