package devstack

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Ports are the TCP ports on 127.0.0.1 that the stack listens on.
type Ports struct {
	Console, Mailbox, SMTP, Temporal, TemporalUI, Gateway, Postgres, Webhooks, Identity int
}

// DefaultPorts are each part's customary ones.
func DefaultPorts() Ports {
	return Ports{Console: 8080, Mailbox: 8025, SMTP: 1025, Temporal: 7233, TemporalUI: 8233, Gateway: 8090, Postgres: 5433, Webhooks: 8091, Identity: 8092}
}

// PortsFrom numbers the ports from base on, in the order of the fields of
// [Ports], so that several stacks fit on one machine.
func PortsFrom(base int) (Ports, error) {
	const parts = 9
	if base < 1024 || base+parts-1 > 65535 {
		return Ports{}, fmt.Errorf("port base %d: choose a number from 1024 to %d", base, 65535-parts+1)
	}
	return Ports{
		Console: base, Mailbox: base + 1, SMTP: base + 2, Temporal: base + 3,
		TemporalUI: base + 4, Gateway: base + 5, Postgres: base + 6, Webhooks: base + 7, Identity: base + 8,
	}, nil
}

// check reports every port that something else listens on. Postgres is left
// out: its port may be held by a server of our own that a killed run left,
// which its start deals with.
func (p Ports) check() error {
	var problems []string
	for _, part := range []struct {
		name string
		port int
	}{
		{"the console", p.Console}, {"the mailbox page", p.Mailbox}, {"the mailbox's SMTP", p.SMTP}, {"Temporal", p.Temporal},
		{"the Temporal UI", p.TemporalUI}, {"the gateway simulator", p.Gateway}, {"gateway webhooks", p.Webhooks}, {"the identity provider", p.Identity},
	} {
		if err := portUsable(part.port); err != nil {
			problems = append(problems, fmt.Sprintf("port %d, for %s, %v", part.port, part.name, err))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return portError(strings.Join(problems, "\n"))
}

// portError is one line per port and what to do about it.
func portError(lines string) error {
	return errors.New(lines + "\nstop what listens there, or move the whole stack with --port-base, for example --port-base 9100")
}

func portUsable(port int) error {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return errors.New("is taken by another program")
	}
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	l.Close()
	// Some systems let us listen beside a program that took all addresses.
	if conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond); err == nil {
		conn.Close()
		return errors.New("is taken by another program")
	}
	return nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
