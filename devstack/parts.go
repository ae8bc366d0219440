package devstack

import (
	"context"

	"recoup/devstack/mailbox"
)

const (
	namespace   = "recoup"
	appDatabase = "recoup"
	appRole     = "recoup_app"
)

// Parts are the parts of the stack in the order in which they start: what
// Recoup stands on, then Recoup's own (recoup.go).
func Parts() []Part {
	return []Part{
		{"Postgres", startPostgres},
		{"Temporal", startTemporal},
		{"Temporal UI", startTemporalUI},
		{"Mailbox", startMailbox},
		{"Schema", startMigrate},
		{"Gateway", startGateway},
		{"Webhooks", startWebhooks},
		{"Identity", startIdentity},
		{"Console", startConsole},
		{"Workers", startWorkers},
		{"Story", loadStory},
	}
}

// Ground is what Recoup stands on without any process of its own, for tests
// that run, kill and restart the real ones beside it.
func Ground() []Part {
	return []Part{
		{"Postgres", startPostgres},
		{"Temporal", startTemporal},
		{"Mailbox", startMailbox},
		{"Schema", startMigrate},
		{"Gateway", startGateway},
	}
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
