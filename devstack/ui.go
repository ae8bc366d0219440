package devstack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

const uiReadyWait = 20 * time.Second

// UIOptions say where Temporal's Web UI listens and what it shows.
type UIOptions struct {
	Port            int    // on 127.0.0.1
	TemporalAddress string // host:port of the frontend
	Namespace       string // shown first
}

// UI is Temporal's Web UI in this process.
type UI struct {
	server *uiserver.Server
	addr   string
}

// StartUI returns when the pages are served. The caller has checked that the
// port is free: the UI's server ends the whole process when it is not.
func StartUI(ctx context.Context, o UIOptions) (*UI, error) {
	u := &UI{
		addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)),
		server: uiserver.NewServer(server_options.WithConfigProvider(uiSettings{&uiconfig.Config{
			TemporalGRPCAddress: o.TemporalAddress,
			Host:                "127.0.0.1",
			Port:                o.Port,
			EnableUI:            true,
			DefaultNamespace:    o.Namespace,
			DisableNewsFetch:    true,
			HideLogs:            true,
			// The pages are plain HTTP here: a secure cookie would disable their buttons.
			CORS: uiconfig.CORS{CookieInsecure: true},
		}})),
	}
	go u.server.Start()
	if err := waitServed(ctx, u.URL()+"/healthz", uiReadyWait); err != nil {
		u.server.Stop()
		return nil, fmt.Errorf("start Temporal's Web UI: %w", err)
	}
	return u, nil
}

// URL is where a browser finds the UI.
func (u *UI) URL() string { return "http://" + u.addr }

// Stop closes the UI's connections.
func (u *UI) Stop() { u.server.Stop() }

type uiSettings struct{ config *uiconfig.Config }

func (s uiSettings) GetConfig() (*uiconfig.Config, error) { return s.config, nil }

// waitServed waits until url answers at all.
func waitServed(ctx context.Context, url string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			return res.Body.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
