// Package mailbox is where mails of the dev stack end: an SMTP server that
// accepts every mail, keeps it on disk, and shows it on a page and as JSON.
//
// It owns receiving, storing and showing. It sends nothing on, asks for no
// password and trusts whoever can reach it: it is for development only.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/emersion/go-smtp"
)

// Limits keep a runaway sender from filling the disk.
const (
	// MaxMails is how many mails stay; the oldest make room for new ones.
	MaxMails = 5000
	// MaxMailBytes is the size of the largest mail accepted.
	MaxMailBytes = 10 << 20

	maxRecipients = 100
	ioTimeout     = 30 * time.Second
)

// Options say where the mailbox listens and keeps its mails.
type Options struct {
	Dir      string // one file per mail
	SMTPAddr string // host:port; port 0 takes a free one
	HTTPAddr string
	MaxMails int // 0 means MaxMails
	Log      *slog.Logger
}

// Mailbox is a running mailbox.
type Mailbox struct {
	smtp     *smtp.Server
	smtpAddr string
	http     *http.Server
	httpAddr string
}

// Start opens the mails already in o.Dir and listens on both addresses.
func Start(ctx context.Context, o Options) (*Mailbox, error) {
	if o.MaxMails == 0 {
		o.MaxMails = MaxMails
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	box, err := openBox(o.Dir, o.MaxMails)
	if err != nil {
		return nil, fmt.Errorf("open the mailbox in %s: %w", o.Dir, err)
	}
	var lc net.ListenConfig
	smtpListener, err := lc.Listen(ctx, "tcp", o.SMTPAddr)
	if err != nil {
		return nil, fmt.Errorf("start the mailbox: %w", err)
	}
	httpListener, err := lc.Listen(ctx, "tcp", o.HTTPAddr)
	if err != nil {
		smtpListener.Close()
		return nil, fmt.Errorf("start the mailbox: %w", err)
	}
	m := &Mailbox{
		smtp:     newSMTPServer(box, o.Log),
		smtpAddr: smtpListener.Addr().String(),
		http:     &http.Server{Handler: newHandler(box), ReadHeaderTimeout: ioTimeout},
		httpAddr: httpListener.Addr().String(),
	}
	go func() {
		if err := m.smtp.Serve(smtpListener); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			o.Log.Error("mailbox: SMTP ended", "error", err)
		}
	}()
	go func() {
		if err := m.http.Serve(httpListener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("mailbox: pages ended", "error", err)
		}
	}()
	return m, nil
}

// URL is where a browser finds the mails.
func (m *Mailbox) URL() string { return "http://" + m.httpAddr }

// SMTPAddr is the host:port to send mails to.
func (m *Mailbox) SMTPAddr() string { return m.smtpAddr }

// Stop ends both servers once running deliveries and requests are through, or
// when ctx ends. Calling it again does nothing.
func (m *Mailbox) Stop(ctx context.Context) error {
	err := m.smtp.Shutdown(ctx)
	if errors.Is(err, smtp.ErrServerClosed) {
		err = nil
	}
	err = errors.Join(err, m.http.Shutdown(ctx))
	if ctx.Err() != nil {
		err = errors.Join(err, m.smtp.Close(), m.http.Close())
	}
	return err
}
