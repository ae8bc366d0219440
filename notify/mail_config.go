package notify

import (
	"fmt"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// MailConfig says how mail leaves: an SMTP server of the user's, usually a relay that signs with DKIM.
type MailConfig struct {
	// Addr of the SMTP server, host:port.
	Addr string `env:"RECOUP_SMTP_ADDR, default=localhost:1025"`
	// TLS: none, opportunistic (STARTTLS when offered), required (STARTTLS or nothing) or implicit (TLS from the first byte, port 465).
	TLS string `env:"RECOUP_SMTP_TLS, default=opportunistic"`
	// Username and Password log in to the server; both or neither.
	Username string `env:"RECOUP_SMTP_USERNAME"`
	Password string `env:"RECOUP_SMTP_PASSWORD"`
	// Hello is the name given in EHLO; empty: the host's own.
	Hello string `env:"RECOUP_SMTP_HELLO"`
	// From is the sender, "Name <address>"; the domain of its address also makes the Message-IDs.
	From string `env:"RECOUP_MAIL_FROM, default=Billing <billing@recoup.example>"`
	// ReplyTo is where answers go; empty: to From.
	ReplyTo string `env:"RECOUP_MAIL_REPLY_TO"`
	// Timeout bounds one mail from MAIL FROM to the server's answer, and one connection's set-up.
	Timeout time.Duration `env:"RECOUP_SMTP_TIMEOUT, default=10s"`
	// Connections bounds how many are open to the server at once.
	Connections int `env:"RECOUP_SMTP_CONNECTIONS, default=4"`
}

// tlsPolicies are the accepted values of MailConfig.TLS.
var tlsPolicies = map[string][]gomail.Option{
	"none":          {gomail.WithTLSPolicy(gomail.NoTLS)},
	"opportunistic": {gomail.WithTLSPolicy(gomail.TLSOpportunistic)},
	"required":      {gomail.WithTLSPolicy(gomail.TLSMandatory)},
	"implicit":      {gomail.WithSSL()},
}

// from returns the sender's and, if there is one, the reply address.
func (c MailConfig) from() (from, replyTo *mail.Address, err error) {
	if from, err = mail.ParseAddress(c.From); err != nil {
		return nil, nil, fmt.Errorf(`RECOUP_MAIL_FROM: want an address such as "Billing <billing@example.com>"`)
	}
	if c.ReplyTo == "" {
		return from, nil, nil
	}
	if replyTo, err = mail.ParseAddress(c.ReplyTo); err != nil {
		return nil, nil, fmt.Errorf(`RECOUP_MAIL_REPLY_TO: want an address such as "support@example.com"`)
	}
	return from, replyTo, nil
}

// options turns the configuration into the client's, or says which variable is wrong.
func (c MailConfig) options() (host string, options []gomail.Option, err error) {
	host, portText, err := net.SplitHostPort(c.Addr)
	if err != nil || host == "" {
		return "", nil, fmt.Errorf("RECOUP_SMTP_ADDR: %q must be host:port", c.Addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return "", nil, fmt.Errorf("RECOUP_SMTP_ADDR: port %q must be 1 to 65535", portText)
	}
	tls, ok := tlsPolicies[c.TLS]
	switch {
	case !ok:
		return "", nil, fmt.Errorf("RECOUP_SMTP_TLS: %q must be none, opportunistic, required or implicit", c.TLS)
	case (c.Username == "") != (c.Password == ""):
		return "", nil, fmt.Errorf("RECOUP_SMTP_USERNAME and RECOUP_SMTP_PASSWORD go together: set both or neither")
	case c.Timeout <= 0:
		return "", nil, fmt.Errorf("RECOUP_SMTP_TIMEOUT: %s must be above 0", c.Timeout)
	case c.Connections < 1 || c.Connections > 100:
		return "", nil, fmt.Errorf("RECOUP_SMTP_CONNECTIONS: %d must be 1 to 100", c.Connections)
	case strings.ContainsAny(c.Hello, " \r\n"):
		return "", nil, fmt.Errorf("RECOUP_SMTP_HELLO: must be one host name")
	}
	// Connect asks kept connections itself whether they still answer.
	options = append([]gomail.Option{gomail.WithPort(port), gomail.WithTimeout(c.Timeout), gomail.WithoutNoop()}, tls...)
	if c.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.Username),
			gomail.WithPassword(c.Password))
	}
	if c.Hello != "" {
		options = append(options, gomail.WithHELO(c.Hello))
	}
	return host, options, nil
}
