package notify_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// postOffice is an SMTP server that keeps what it takes and answers as told.
type postOffice struct {
	addr   string
	server *smtp.Server

	mu          sync.Mutex
	taken       []parcel
	connections int
	open        int
	openMost    int

	answers
}

// answers are what the server says; nil: accept. AtData runs before the mail is kept, afterData once it is.
type answers struct {
	atMail, atRcpt    func(address string) error
	atData, afterData func() error
	// goodbye: the connection ends once a mail was taken and answered.
	goodbye bool
}

// answer changes what the server says from now on.
func (p *postOffice) answer(change func(p *answers)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.answers)
}

func (p *postOffice) now() answers {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answers
}

// parcel is one mail taken.
type parcel struct {
	to     string
	header mail.Header
	raw    string
}

func (p parcel) subject(t *testing.T) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(p.header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openPostOffice starts a server on a free port, or on addr to come back at the same place.
func openPostOffice(t *testing.T, addr string) *postOffice {
	t.Helper()
	p := &postOffice{}
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p.addr = listener.Addr().String()
	p.server = smtp.NewServer(p)
	p.server.Domain = "localhost"
	done := make(chan struct{})
	go func() { _ = p.server.Serve(listener); close(done) }()
	t.Cleanup(func() { _ = p.server.Close(); <-done })
	return p
}

func (p *postOffice) mails() []parcel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]parcel(nil), p.taken...)
}

// NewSession begins one connection.
func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connections++
	p.open++
	p.openMost = max(p.openMost, p.open)
	return &session{office: p, conn: c}, nil
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
	to     string
}

func (s *session) Reset() {
	if s.office.now().goodbye && len(s.office.mails()) > 0 {
		_ = s.conn.Conn().Close()
	}
}

func (s *session) Logout() error {
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.open--
	return nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if f := s.office.now().atMail; f != nil {
		return f(from)
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if f := s.office.now().atRcpt; f != nil {
		if err := f(to); err != nil {
			return err
		}
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if f := s.office.now().atData; f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	s.office.mu.Lock()
	s.office.taken = append(s.office.taken, parcel{to: s.to, header: m.Header, raw: string(raw)})
	s.office.mu.Unlock()
	if f := s.office.now().afterData; f != nil {
		if err := f(); errors.Is(err, errHangUp) {
			return s.conn.Conn().Close()
		}
	}
	return nil
}

// errHangUp makes the server take the mail and close the connection without an answer.
var errHangUp = errors.New("hang up")

func reply(code int, enhanced smtp.EnhancedCode, message string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: message}
}

// freePort returns an address where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits for a state that other goroutines bring about, by looking often.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func has(s, part string) bool { return strings.Contains(s, part) }
