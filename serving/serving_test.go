package serving_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"recoup/serving"
)

// TestUntilLetsRequestsFinish: what is under way when the process is told to stop gets its answer, within the time given.
func TestUntilLetsRequestsFinish(t *testing.T) {
	for _, c := range []struct {
		name     string
		wait     time.Duration
		finishes bool
	}{{"in time", time.Minute, true}, {"too slow", time.Nanosecond, false}} {
		t.Run(c.name, func(t *testing.T) {
			listener, err := serving.Listen(t.Context(), "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			began, end := make(chan bool), make(chan bool)
			server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(began)
				<-end
				_, _ = io.WriteString(w, "done")
			})}
			ctx, stop := context.WithCancel(t.Context())
			addr, ended, answered := make(chan string, 1), make(chan error, 1), make(chan string, 1)
			go func() { ended <- serving.Until(ctx, server, listener, c.wait, func(a string) { addr <- a }) }()
			go func() {
				resp, err := http.Get("http://" + <-addr)
				if err != nil {
					answered <- err.Error()
					return
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				answered <- string(body)
			}()
			<-began
			stop()
			if c.finishes {
				close(end)
				if got := <-answered; got != "done" {
					t.Errorf("the request under way got %q", got)
				}
			}
			if err := <-ended; err != nil {
				t.Errorf("ended with %v", err)
			}
			if !c.finishes {
				close(end)
				<-answered
			}
		})
	}
}

func TestFailuresAreTold(t *testing.T) {
	listener, err := serving.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := serving.Listen(t.Context(), listener.Addr().String()); err == nil {
		t.Error("an address is taken twice")
	}
	listener.Close()
	if err := serving.Until(t.Context(), &http.Server{ReadHeaderTimeout: time.Second}, listener, time.Second, nil); err == nil {
		t.Error("a closed listener is served")
	}
}
