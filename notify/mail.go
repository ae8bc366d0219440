package notify

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// Mail is one message to one reader.
type Mail struct {
	MessageID string // with its angle brackets
	ToName    string
	ToAddress string
	Subject   string
	Text      string
	HTML      string
	Date      time.Time
}

// idleMax is how long an unused connection is kept; servers close theirs after some minutes.
const idleMax = 30 * time.Second

// Mailer hands mails to an SMTP server over a few connections that it keeps open between mails.
type Mailer struct {
	client  *gomail.Client
	timeout time.Duration
	from    *mail.Address
	replyTo *mail.Address
	slots   chan struct{}
	idle    chan idleConnection
}

type idleConnection struct {
	smtp  *smtp.Client
	since time.Time
}

// NewMailer checks the configuration; it connects with the first mail.
func NewMailer(c MailConfig) (*Mailer, error) {
	from, replyTo, err := c.from()
	if err != nil {
		return nil, err
	}
	host, options, err := c.options()
	if err != nil {
		return nil, err
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail client: %w", err)
	}
	return &Mailer{
		client: client, timeout: c.Timeout, from: from, replyTo: replyTo,
		slots: make(chan struct{}, c.Connections), idle: make(chan idleConnection, c.Connections),
	}, nil
}

// Sender is the name mails come from, or the address when there is none.
func (m *Mailer) Sender() string {
	if m.from.Name != "" {
		return m.from.Name
	}
	return m.from.Address
}

// Domain is that of the sender's address; Message-IDs are made at it.
func (m *Mailer) Domain() string {
	_, domain, _ := strings.Cut(m.from.Address, "@")
	return domain
}

// Connection is a connection to the server that is ready to take a mail. Having one before the ledger is read keeps the time between
// reading and handing over short, and a server that is down out of the doubtful cases.
type Connection struct {
	mailer *Mailer
	smtp   *smtp.Client
}

// Connect returns a connection that answered just now; it waits for a free one. Release must be called.
func (m *Mailer) Connect(ctx context.Context) (*Connection, error) {
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		select {
		case kept := <-m.idle:
			if time.Since(kept.since) < idleMax && kept.smtp.UpdateDeadline(m.timeout) == nil && kept.smtp.Noop() == nil {
				return &Connection{mailer: m, smtp: kept.smtp}, nil
			}
			_ = kept.smtp.Close()
			continue
		default:
		}
		client, err := m.client.DialToSMTPClientWithContext(ctx)
		if err != nil {
			<-m.slots
			return nil, fmt.Errorf("connect to the mail server: %w", err)
		}
		return &Connection{mailer: m, smtp: client}, nil
	}
}

// Release gives the connection back for the next mail, unless a send left it unusable.
func (c *Connection) Release() {
	if c.smtp != nil {
		c.mailer.idle <- idleConnection{smtp: c.smtp, since: time.Now()}
		c.smtp = nil
	}
	<-c.mailer.slots
}

// Close ends all kept connections. Those in use end when they are released.
func (m *Mailer) Close() {
	for {
		select {
		case kept := <-m.idle:
			// Its deadline may have passed while it was kept: QUIT would fail, and the connection would stay open.
			if kept.smtp.UpdateDeadline(m.timeout) != nil || kept.smtp.Quit() != nil {
				_ = kept.smtp.Close()
			}
		default:
			return
		}
	}
}

// Send hands one mail over. Nil: the server took it. Otherwise a *SendError says whether it may be tried again, can't be delivered, or
// may have been taken all the same.
func (c *Connection) Send(letter Mail) error {
	msg, err := c.mailer.message(letter)
	if err != nil {
		return &SendError{Fate: FateRefused, Problem: err.Error()}
	}
	err = c.mailer.client.SendWithSMTPClient(c.smtp, msg)
	if err == nil {
		return nil
	}
	failure := explain(err)
	if failure.Code == 0 || failure.Code == 421 {
		// No answer, or the server said goodbye: the connection's state is unknown.
		_ = c.smtp.Close()
		c.smtp = nil
	}
	if msg.IsDelivered() {
		return nil // the server took it; only what came after failed
	}
	return failure
}

// message builds the MIME message. Names and subjects are encoded; an address that can't be one is an error.
func (m *Mailer) message(letter Mail) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(m.from.Name, m.from.Address); err != nil {
		return nil, fmt.Errorf("the sender's address is not valid")
	}
	if m.replyTo != nil {
		if err := msg.ReplyToFormat(m.replyTo.Name, m.replyTo.Address); err != nil {
			return nil, fmt.Errorf("the reply address is not valid")
		}
	}
	if _, err := mail.ParseAddress(letter.ToAddress); err != nil || strings.ContainsAny(letter.ToAddress, "\r\n<> ") {
		return nil, fmt.Errorf("the contact's address is not valid") // the address itself stays out of problems and logs (I18)
	}
	if err := msg.AddToFormat(plain(letter.ToName), letter.ToAddress); err != nil {
		return nil, fmt.Errorf("the contact's address is not valid")
	}
	msg.Subject(plain(letter.Subject))
	msg.SetMessageIDWithValue(strings.Trim(letter.MessageID, "<>"))
	msg.SetDateWithValue(letter.Date)
	// A machine wrote it: no automatic answers (RFC 3834). No List-Unsubscribe: these mails are about a contract and can't be declined.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, letter.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, letter.HTML)
	return msg, nil
}
