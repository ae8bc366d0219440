package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is the console's part of the environment.
type Config struct {
	Addr        string `env:"RECOUP_CONSOLE_ADDR, default=127.0.0.1:8080"`           // where the console listens
	URL         string `env:"RECOUP_CONSOLE_URL, default=http://localhost:8080"`     // where people open it; links in mails begin with it
	TemporalUI  string `env:"RECOUP_TEMPORAL_UI_URL, default=http://localhost:8233"` // Temporal's own UI, for links; empty for none
	Namespace   string `env:"TEMPORAL_NAMESPACE, default=recoup"`                    // Temporal's namespace, for links
	ActorHeader string `env:"RECOUP_CONSOLE_ACTOR_HEADER"`                           // set by the proxy that signs people in, such as X-Forwarded-User
	Locale      string `env:"RECOUP_CONSOLE_LOCALE, default=en-US"`                  // how amounts are written
	TimeZone    string `env:"RECOUP_CONSOLE_TIME_ZONE, default=UTC"`                 // what "today" is on the overview
}

// Options returns Options filled in from the configuration; Store, Resolver and Live are the caller's.
func (c Config) Options() (Options, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return Options{}, fmt.Errorf("RECOUP_CONSOLE_TIME_ZONE: %q is not a time zone such as Europe/Berlin: %w", c.TimeZone, err)
	}
	return Options{TemporalUI: c.TemporalUI, Namespace: c.Namespace, URL: c.URL, ActorHeader: c.ActorHeader, Locale: c.Locale, Zone: zone}, nil
}

// stopWait is how long open requests may take to end.
const stopWait = 10 * time.Second

// Serve runs the console at addr until ctx ends. It makes the live updates itself when o has none. ready, when given, is told the
// address as soon as the console answers.
func Serve(ctx context.Context, addr string, o Options, ready func(addr string)) error {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Live == nil {
		o.Live = NewLive(o.Store, o.Log, 0)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("console: listen on %s (is another one running there?): %w", addr, err)
	}
	warnIfOpen(listener.Addr(), o)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		o.Live.Run(ctx)
	}()
	server := &http.Server{
		Handler: New(o), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr().String())
	}
	select {
	case err = <-failed:
		cancel()
	case <-ctx.Done():
		stop, done := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
		defer done()
		err = server.Shutdown(stop)
	}
	<-heard
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// warnIfOpen says so when people can reach decisions about money without signing in.
func warnIfOpen(addr net.Addr, o Options) {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && !tcp.IP.IsLoopback() && o.Resolver != nil && o.ActorHeader == "" {
		o.Log.Warn("the console can be reached from other machines and asks nobody to sign in: put a proxy that does in front of it, " +
			"and name its header in RECOUP_CONSOLE_ACTOR_HEADER")
	}
}
