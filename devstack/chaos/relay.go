package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// relay stands between Recoup and the mail server. It passes mails on, spoils some when it is told to, and remembers which the server took.
type relay struct {
	target string
	tally  *tally

	mu        sync.Mutex
	downUntil time.Time
	cut, lose int // so many of the next mails
	away      int // connections that found the server down
	taken     map[string]int
}

func startRelay(ctx context.Context, target string, t *tally) (r *relay, addr string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("start the mail relay: %w", err)
	}
	r = &relay{target: target, tally: t, taken: map[string]int{}}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(ctx, c)
		}
	}()
	return r, l.Addr().String(), nil
}

// down turns every connection away for some time.
func (r *relay) down(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.downUntil = time.Now().Add(d)
}

// turnedAway counts the connections that found the server down.
func (r *relay) turnedAway() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

// spoil cuts so many of the next mails off before the server has taken them, or loses its answer when it has.
func (r *relay) spoil(cut, lose int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut, r.lose = r.cut+cut, r.lose+lose
}

// mailDown is an outage of the mail server, for longer when no mail has met it by then.
func (r *run) mailDown(ctx context.Context, a Act) bool {
	before := r.relay.turnedAway()
	r.relay.down(a.For)
	return sleep(ctx, a.For) && within(ctx, lookFor, func() bool {
		if r.relay.turnedAway() > before {
			return true
		}
		r.relay.down(2 * pollEvery)
		return false
	})
}

// heal ends everything that was asked for.
func (r *relay) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.downUntil, r.cut, r.lose = time.Time{}, 0, 0
}

// mails are the Message-IDs that the server took, with how often.
func (r *relay) mails() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]int, len(r.taken))
	for id, n := range r.taken {
		all[id] = n
	}
	return all
}

func (r *relay) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	r.mu.Lock()
	down := time.Now().Before(r.downUntil)
	if down {
		r.away++
	}
	r.mu.Unlock()
	if down {
		r.tally.did(MailDown)
		return
	}
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { client.Close(); server.Close() })
	defer stop()
	d := &dialogue{relay: r, client: bufio.NewReader(client), server: bufio.NewReader(server), toClient: client, toServer: server}
	// An end of either side, or a fault, ends the dialogue.
	_ = d.run()
}

// dialogue is one SMTP connection: the server's greeting, then command and reply in turn. Nobody here sends commands ahead.
type dialogue struct {
	relay              *relay
	client, server     *bufio.Reader
	toClient, toServer io.Writer
}

func (d *dialogue) run() error {
	if _, err := d.reply(true); err != nil {
		return err
	}
	for {
		command, err := d.client.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := io.WriteString(d.toServer, command); err != nil {
			return err
		}
		code, err := d.reply(true)
		if err != nil {
			return err
		}
		verb := strings.ToUpper(strings.TrimSpace(command))
		switch {
		case strings.HasPrefix(verb, "RCPT") && strings.HasPrefix(code, "5"):
			d.relay.tally.did(MailRefused)
		case strings.HasPrefix(verb, "RCPT") && strings.HasPrefix(code, "4"):
			d.relay.tally.did(MailDeferred)
		case verb == "DATA" && strings.HasPrefix(code, "3"):
			if err := d.data(); err != nil {
				return err
			}
		}
	}
}

// reply passes a reply of one or more lines on, or only reads it, and returns its code.
func (d *dialogue) reply(pass bool) (code string, err error) {
	for {
		text, err := d.server.ReadString('\n')
		if err != nil {
			return "", err
		}
		if pass {
			if _, err := io.WriteString(d.toClient, text); err != nil {
				return "", err
			}
		}
		if len(text) < 4 || text[3] != '-' {
			return text[:min(3, len(text))], nil
		}
	}
}

// data passes one mail on to its end, or spoils it.
func (d *dialogue) data() error {
	cut, lose := d.fate()
	id := ""
	for {
		text, err := d.client.ReadString('\n')
		if err != nil {
			return err
		}
		if name, value, ok := strings.Cut(text, ":"); ok && id == "" && strings.EqualFold(name, "Message-ID") {
			id = strings.Trim(strings.TrimSpace(value), "<>")
		}
		end := strings.TrimRight(text, "\r\n") == "."
		if end && cut {
			d.relay.tally.did(MailCut)
			return io.ErrClosedPipe
		}
		if _, err := io.WriteString(d.toServer, text); err != nil {
			return err
		}
		if !end {
			continue
		}
		code, err := d.reply(!lose)
		if err != nil {
			return err
		}
		if strings.HasPrefix(code, "2") {
			d.relay.took(id)
		}
		if lose {
			d.relay.tally.did(MailAnswerLost)
			return io.ErrClosedPipe
		}
		return nil
	}
}

func (d *dialogue) fate() (cut, lose bool) {
	r := d.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cut > 0:
		r.cut--
		return true, false
	case r.lose > 0:
		r.lose--
		return false, true
	}
	return false, false
}

func (r *relay) took(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken[id]++
}
