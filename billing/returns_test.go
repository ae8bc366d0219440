package billing

import (
	"testing"
)

func TestCR6LotsGoBackWithTheirExpiry(t *testing.T) {
	alive, expired := creditOf("alive", 500), creditOf("expired", 500)
	alive.Remaining, expired.Remaining = dollars(100), dollars(0)
	alive.ExpiresAt, expired.ExpiresAt = day(12, 31), day(11, 30)
	lots := []Application{{Credit: "alive", Line: 1, Amount: dollars(300)}, {Credit: "expired", Line: 2, Amount: dollars(500)},
		{Credit: "alive", Line: 2, Amount: dollars(100)}}
	got, err := ReturnLots(now, []Credit{alive, expired}, lots)
	if err != nil || len(got) != 3 {
		t.Fatalf("returned %v, %v", got, err)
	}
	for i, wantExpired := range []bool{false, true, false} {
		if got[i].Application != lots[i] || got[i].Expired != wantExpired {
			t.Errorf("lot %d came back as %+v, want expired %v", i, got[i], wantExpired)
		}
	}
	if alive.Remaining != dollars(100) {
		t.Error("the input was changed")
	}
	for name, lots := range map[string][]Application{
		"more than granted":          {{Credit: "alive", Amount: dollars(401)}},
		"more than granted, in two":  {{Credit: "alive", Amount: dollars(300)}, {Credit: "alive", Amount: dollars(101)}},
		"a credit that is not there": {{Credit: "other", Amount: dollars(1)}},
		"below zero":                 {{Credit: "alive", Amount: dollars(-1)}},
	} {
		if got, err := ReturnLots(now, []Credit{alive, expired}, lots); err == nil {
			t.Errorf("%s: returned %v", name, got)
		}
	}
}
