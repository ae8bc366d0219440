package devstack

import (
	"context"
	"errors"
	"fmt"

	"recoup/devstack/mailbox"
	"recoup/store/privatepg"
)

const (
	namespace   = "recoup"
	appDatabase = "recoup"
)

// Parts are the parts of the stack in the order in which they start.
//
// Recoup's own follow the ones here: migrate, gateway simulator, workers,
// starter and its schedule, console, story. Each is a call into its package of
// the root module; see [untilStopped] for those that run on.
func Parts() []Part {
	return []Part{
		{"Postgres", startPostgres},
		{"Temporal", startTemporal},
		{"Temporal UI", startTemporalUI},
		{"Mailbox", startMailbox},
	}
}

func startPostgres(ctx context.Context, s *Stack) (Running, error) {
	pg, err := privatepg.Start(ctx, privatepg.Options{DataDir: s.Path("postgres"), Port: s.Ports.Postgres})
	if errors.Is(err, privatepg.ErrPortTaken) {
		return Running{}, portError(fmt.Sprintf("port %d, for Postgres, is taken by another program", s.Ports.Postgres))
	}
	if err != nil {
		return Running{}, err
	}
	if err := pg.EnsureDatabase(ctx, appDatabase); err != nil {
		return Running{}, errors.Join(err, pg.Stop())
	}
	s.Postgres = pg
	s.Export("DATABASE_URL", s.DatabaseURL())
	died := make(chan error, 1)
	go func() {
		<-pg.Done()
		died <- fmt.Errorf("the server ended; its log is %s.log", s.Path("postgres"))
	}()
	return Running{Addr: pg.Addr(), Stop: func(context.Context) error { return pg.Stop() }, Died: died}, nil
}

func startTemporal(ctx context.Context, s *Stack) (Running, error) {
	t, err := StartTemporal(ctx, TemporalOptions{
		Postgres: s.Postgres, Port: s.Ports.Temporal, LogFile: s.Path("temporal.log"), Namespace: namespace,
	})
	if err != nil {
		return Running{}, err
	}
	s.Export("TEMPORAL_ADDRESS", t.Addr())
	s.Export("TEMPORAL_NAMESPACE", namespace)
	return Running{Addr: t.Addr(), Stop: t.Stop}, nil
}

func startTemporalUI(ctx context.Context, s *Stack) (Running, error) {
	u, err := StartUI(ctx, UIOptions{Port: s.Ports.TemporalUI, TemporalAddress: local(s.Ports.Temporal), Namespace: namespace})
	if err != nil {
		return Running{}, err
	}
	s.Export("RECOUP_TEMPORAL_UI_URL", u.URL())
	stop := func(context.Context) error { u.Stop(); return nil }
	return Running{Addr: u.URL(), Stop: stop}, nil
}

func startMailbox(ctx context.Context, s *Stack) (Running, error) {
	m, err := mailbox.Start(ctx, mailbox.Options{
		Dir: s.Path("mails"), SMTPAddr: local(s.Ports.SMTP), HTTPAddr: local(s.Ports.Mailbox), Log: s.Log,
	})
	if err != nil {
		return Running{}, err
	}
	s.Export("RECOUP_SMTP_ADDR", m.SMTPAddr())
	return Running{Addr: m.URL() + ", SMTP on " + m.SMTPAddr(), Stop: m.Stop}, nil
}
