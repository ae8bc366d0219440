package mailbox

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/emersion/go-smtp"
)

func newSMTPServer(box *box, log *slog.Logger) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{box: box}, nil
	}))
	s.Domain = "mailbox.localhost"
	s.MaxMessageBytes = MaxMailBytes
	s.MaxRecipients = maxRecipients
	s.ReadTimeout, s.WriteTimeout = ioTimeout, ioTimeout
	s.EnableSMTPUTF8 = true
	s.ErrorLog = smtpLog{log}
	return s
}

// session is one SMTP conversation.
type session struct {
	box  *box
	from string
	to   []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt refuses addresses that ask for it, so that a person can watch what
// happens to a mail that cannot be delivered: bounce@… for good, defer@… for now.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	local, _, _ := strings.Cut(strings.ToLower(to), "@")
	name, _, _ := strings.Cut(local, "+")
	switch name {
	case "bounce":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox (bounce@ asks for this answer)"}
	case "defer":
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "try again later (defer@ asks for this answer)"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data answers only after the mail is on disk.
func (s *session) Data(r io.Reader) error {
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(r); err != nil {
		return err
	}
	return s.box.add(s.from, s.to, raw.Bytes())
}

type smtpLog struct{ *slog.Logger }

func (l smtpLog) Printf(format string, args ...any) {
	l.Warn("mailbox: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l smtpLog) Println(args ...any) { l.Warn("mailbox: " + strings.TrimSpace(fmt.Sprintln(args...))) }
