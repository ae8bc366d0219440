package dunning_test

import (
	"testing"
	"time"

	"recoup/dunning"
)

func TestU1LookUpLadder(t *testing.T) {
	want := []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 12 * time.Hour}
	for n, w := range want {
		if got := dunning.UnitDay.LookUpAfter(n); got != w {
			t.Errorf("look-up %d after %s, want %s", n+1, got, w)
		}
	}
	if got := dunning.UnitSecond.LookUpAfter(50); got > 10*time.Second {
		t.Errorf("a demonstration waits %s", got)
	}
}

func TestD1ResendLadder(t *testing.T) {
	for sends, w := range map[int]time.Duration{0: 30 * time.Second, 1: 30 * time.Second, 2: 2 * time.Minute, 99: time.Hour} {
		if got := dunning.UnitDay.ResendAfter(sends); got != w {
			t.Errorf("after %d sends wait %s, want %s", sends, got, w)
		}
	}
}
