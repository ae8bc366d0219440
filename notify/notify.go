// Package notify owns how people are told: the wording of notices, mails handed to an SMTP server, the console's copies, and the calls
// of the user's own suspension hook. It renders from facts that the store reads at the send (N3) and never decides what is told when;
// it keeps nothing itself. The send records are the store's (N2).
package notify

import (
	"fmt"
	"net/url"

	"recoup/billing"
)

// Links says where the pages of the console are, as customers reach them.
type Links struct {
	// BaseURL of the console, as customers reach it.
	BaseURL string `env:"RECOUP_CONSOLE_URL, default=http://localhost:8080"`
}

// Check reports a base URL that no customer could follow.
func (l Links) Check() error {
	u, err := url.Parse(l.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("RECOUP_CONSOLE_URL: %q must be an http or https address such as https://billing.example.com", l.BaseURL)
	}
	return nil
}

func (l Links) account(id billing.AccountID) string { return l.join("accounts", string(id)) }

func (l Links) methods(id billing.AccountID) string { return l.account(id) + "#methods" }

// pay is where open invoices of an account are paid.
func (l Links) pay(id billing.AccountID) string { return l.account(id) + "#invoices" }

func (l Links) join(elements ...string) string {
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	u, err := url.JoinPath(l.BaseURL, elements...)
	if err != nil {
		return l.BaseURL
	}
	return u
}
