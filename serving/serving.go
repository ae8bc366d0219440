// Package serving owns how an HTTP part of Recoup begins and ends: on a listener that is there before anybody is told its address, until
// its context ends, and then for as long as requests under way are let finish. It knows nothing of what is served.
package serving

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Listen takes an address such as "127.0.0.1:8080"; port 0 takes a free one.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (is another one running there?): %w", addr, err)
	}
	return listener, nil
}

// Until serves until ctx ends or the server fails. ready, if any, is told the listener's address. When ctx ends, requests under way have
// wait to finish; those that take longer are left, which is no error.
func Until(ctx context.Context, server *http.Server, listener net.Listener, wait time.Duration, ready func(addr string)) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr().String())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	if err := server.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}
