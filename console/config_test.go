package console_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sethvargo/go-envconfig"

	"recoup/console"
)

func TestConfigFromTheEnvironment(t *testing.T) {
	read := func(env map[string]string) console.Config {
		t.Helper()
		var c console.Config
		if err := envconfig.ProcessWith(context.Background(), &envconfig.Config{Target: &c, Lookuper: envconfig.MapLookuper(env)}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain := read(nil)
	if plain.Addr != "127.0.0.1:8080" || plain.URL != "http://localhost:8080" || plain.TemporalUI != "http://localhost:8233" || plain.Namespace != "recoup" {
		t.Errorf("defaults %+v", plain)
	}
	o, err := plain.Options()
	if err != nil || o.Zone.String() != "UTC" || o.Locale != "en-US" {
		t.Errorf("options %+v: %v", o, err)
	}
	set := read(map[string]string{"RECOUP_CONSOLE_TIME_ZONE": "Europe/Berlin", "RECOUP_CONSOLE_ACTOR_HEADER": "X-Forwarded-User"})
	if o, err := set.Options(); err != nil || o.Zone.String() != "Europe/Berlin" || o.SignIn.ActorHeader != "X-Forwarded-User" {
		t.Errorf("options %+v: %v", o, err)
	}
	wrong := read(map[string]string{"RECOUP_CONSOLE_TIME_ZONE": "Mars/Phobos"})
	if _, err := wrong.Options(); err == nil || !strings.Contains(err.Error(), "RECOUP_CONSOLE_TIME_ZONE") {
		t.Errorf("a wrong zone: %v", err)
	}
}
