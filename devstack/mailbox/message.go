package mailbox

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mails in other encodings than UTF-8
	"github.com/emersion/go-message/mail"
)

// Summary is a mail as the list shows it. Sender and To are the envelope's:
// the addresses that SMTP delivered to, whatever the headers say.
type Summary struct {
	ID        int       `json:"id"`
	Received  time.Time `json:"received_at"`
	Sender    string    `json:"sender"`
	To        []string  `json:"to"`
	From      string    `json:"from"` // the header, with the name
	Subject   string    `json:"subject"`
	MessageID string    `json:"message_id"`
	Size      int       `json:"size"` // bytes
}

// Mail is a whole mail.
type Mail struct {
	Summary
	Text        string   `json:"text"`
	HTML        string   `json:"html"`
	Headers     []Header `json:"headers"`
	Attachments []string `json:"attachments"` // file names
	// Problem says why parts of the mail may be missing; "" when it was read whole.
	Problem string `json:"problem,omitempty"`
}

// Header is one header field, decoded.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxParts bounds what a nested mail can cost.
const maxParts = 100

// parse never fails: a mailbox for development must show broken mails above all.
func parse(id int, raw []byte) Mail {
	m := Mail{Summary: Summary{ID: id, To: []string{}, Size: len(raw)}, Attachments: []string{}}
	entity, err := message.Read(bytes.NewReader(raw))
	if entity == nil {
		m.Problem = err.Error()
		m.Text = string(raw)
		return m
	}
	m.readHeader(entity.Header)
	r := mail.NewReader(entity)
	defer r.Close()
	for range maxParts {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if part == nil || err != nil && !message.IsUnknownCharset(err) {
			m.Problem = err.Error()
			break
		}
		if err := m.readPart(part); err != nil {
			m.Problem = err.Error()
			break
		}
	}
	return m
}

func (m *Mail) readHeader(h message.Header) {
	text := func(name string) string {
		value, err := h.Text(name)
		if err != nil {
			return h.Get(name)
		}
		return value
	}
	m.Sender = strings.Trim(h.Get(headerReturn), "<>")
	m.Received, _ = time.Parse(time.RFC3339Nano, h.Get(headerReceived))
	m.From, m.Subject, m.MessageID = text("From"), text("Subject"), h.Get("Message-Id")
	for fields := h.Fields(); fields.Next(); {
		switch fields.Key() {
		case headerTo:
			m.To = append(m.To, fields.Value())
		case headerReturn, headerReceived:
		default:
			value, err := fields.Text()
			if err != nil {
				value = fields.Value()
			}
			m.Headers = append(m.Headers, Header{fields.Key(), value})
		}
	}
}

func (m *Mail) readPart(part *mail.Part) error {
	if h, ok := part.Header.(*mail.AttachmentHeader); ok {
		name, _ := h.Filename()
		m.Attachments = append(m.Attachments, name)
		return nil
	}
	h, ok := part.Header.(*mail.InlineHeader)
	if !ok {
		return nil
	}
	kind, _, _ := h.ContentType()
	body, err := io.ReadAll(part.Body)
	switch {
	case kind == "text/html" && m.HTML == "":
		m.HTML = string(body)
	case strings.HasPrefix(kind, "text/") && m.Text == "":
		m.Text = string(body)
	}
	return err
}
