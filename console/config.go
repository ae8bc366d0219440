package console

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"recoup/access"
	"recoup/store"
)

// Config is the console's part of the environment.
type Config struct {
	Addr       string `env:"RECOUP_CONSOLE_ADDR, default=127.0.0.1:8080"`           // where the console listens
	URL        string `env:"RECOUP_CONSOLE_URL, default=http://localhost:8080"`     // where people open it; links in mails begin with it
	TemporalUI string `env:"RECOUP_TEMPORAL_UI_URL, default=http://localhost:8233"` // Temporal's own UI, for links; empty for none
	Namespace  string `env:"TEMPORAL_NAMESPACE, default=recoup"`                    // Temporal's namespace, for links
	Locale     string `env:"RECOUP_CONSOLE_LOCALE, default=en-US"`                  // how amounts are written
	TimeZone   string `env:"RECOUP_CONSOLE_TIME_ZONE, default=UTC"`                 // what "today" is on the overview

	OIDCIssuer       string            `env:"RECOUP_OIDC_ISSUER"`                         // the identity provider that signs staff in
	OIDCClientID     string            `env:"RECOUP_OIDC_CLIENT_ID"`                      // Recoup's name at the identity provider
	OIDCClientSecret string            `env:"RECOUP_OIDC_CLIENT_SECRET"`                  // Recoup's secret there
	OIDCRolesClaim   string            `env:"RECOUP_OIDC_ROLES_CLAIM, default=roles"`     // the claim that lists a person's roles or groups
	RoleMap          map[string]string `env:"RECOUP_ROLE_MAP"`                            // what the provider or proxy calls a role, to ours: billing-team:finance
	ActorHeader      string            `env:"RECOUP_CONSOLE_ACTOR_HEADER"`                // set by the proxy that signs people in, such as X-Forwarded-User
	RolesHeader      string            `env:"RECOUP_CONSOLE_ROLES_HEADER"`                // set by the same proxy: their roles or groups
	ActorRoles       []string          `env:"RECOUP_CONSOLE_ACTOR_ROLES, default=viewer"` // roles of everybody behind a proxy that names none
	SessionLife      time.Duration     `env:"RECOUP_SESSION_LIFE, default=12h"`           // after that people sign in again
	SessionIdle      time.Duration     `env:"RECOUP_SESSION_IDLE, default=1h"`            // and after so long without a page
	// everybody who reaches the console is an administrator, also from other machines
	Open bool `env:"RECOUP_CONSOLE_OPEN"`
}

// Options returns Options filled in from the configuration; Store, Resolver and Live are the caller's.
func (c Config) Options() (Options, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return Options{}, fmt.Errorf("RECOUP_CONSOLE_TIME_ZONE: %q is not a time zone such as Europe/Berlin: %w", c.TimeZone, err)
	}
	signIn, err := c.signIn()
	return Options{TemporalUI: c.TemporalUI, Namespace: c.Namespace, URL: c.URL, SignIn: signIn, Locale: c.Locale, Zone: zone, Open: c.Open}, err
}

func (c Config) signIn() (SignIn, error) {
	s := SignIn{ActorHeader: c.ActorHeader, RolesHeader: c.RolesHeader, Roles: map[string]access.Role{},
		Times: store.SessionTimes{Life: c.SessionLife, Idle: c.SessionIdle}}
	for theirs, ours := range c.RoleMap {
		role, err := access.ParseRole(ours)
		if err != nil {
			return s, fmt.Errorf("RECOUP_ROLE_MAP: %s: %w", theirs, err)
		}
		s.Roles[theirs] = role
	}
	for _, name := range c.ActorRoles {
		role, err := access.ParseRole(name)
		if err != nil {
			return s, fmt.Errorf("RECOUP_CONSOLE_ACTOR_ROLES: %w", err)
		}
		s.ActorRoles = append(s.ActorRoles, role)
	}
	switch {
	case c.OIDCIssuer != "" && c.ActorHeader != "":
		return s, errors.New("RECOUP_OIDC_ISSUER and RECOUP_CONSOLE_ACTOR_HEADER: people sign in at one of them, not at both")
	case c.RolesHeader != "" && c.ActorHeader == "":
		return s, errors.New("RECOUP_CONSOLE_ROLES_HEADER: means nothing without RECOUP_CONSOLE_ACTOR_HEADER")
	case c.SessionLife <= 0 || c.SessionIdle <= 0:
		return s, errors.New("RECOUP_SESSION_LIFE and RECOUP_SESSION_IDLE: must be above zero, such as 12h and 1h")
	case c.OIDCIssuer == "":
		return s, nil
	case c.OIDCClientID == "":
		return s, errors.New("RECOUP_OIDC_CLIENT_ID: the identity provider must know Recoup by a client id")
	}
	s.OIDC = &OIDC{Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCClientSecret, RolesClaim: c.OIDCRolesClaim,
		Callback: strings.TrimSuffix(c.URL, "/") + "/sign-in/callback"}
	return s, nil
}

// refuseIfOpen keeps decisions about money from everybody on the network by oversight.
func refuseIfOpen(addr net.Addr, o Options) error {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsLoopback() || !o.SignIn.open() {
		return nil
	}
	if o.Open {
		o.Log.Warn("the console asks nobody to sign in: everybody who reaches it is an administrator (RECOUP_CONSOLE_OPEN)")
		return nil
	}
	return fmt.Errorf("console: it would listen on %s, where other machines reach it, and ask nobody to sign in: set RECOUP_OIDC_ISSUER, "+
		"or RECOUP_CONSOLE_ACTOR_HEADER behind a proxy that signs people in, or RECOUP_CONSOLE_OPEN=true when nobody else can reach it", addr)
}
