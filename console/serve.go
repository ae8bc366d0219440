package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"recoup/serving"
)

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
	listener, err := serving.Listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if err := refuseIfOpen(listener.Addr(), o); err != nil {
		return errors.Join(err, listener.Close())
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		o.Live.Run(ctx)
	}()
	server := &http.Server{
		Handler: New(o), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	err = serving.Until(ctx, server, listener, stopWait, ready)
	cancel()
	<-heard
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}
