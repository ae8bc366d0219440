package billing

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzResolutionPayload: what Check accepts can be kept (no NUL, valid UTF-8, dates that a calendar has, amounts above zero), holds no card
// number, and reads back as the same decision when it is written as a history or a row writes it.
func FuzzResolutionPayload(f *testing.F) {
	for _, p := range []string{
		`{"request_id":"r","kind":"paid_out_of_band","case":"c","actor":"ada","reason":"x","amount":{"minor":5,"currency":"USD"},"reference":"R","received_on":"2026-11-21"}`,
		`{"request_id":"r","kind":"hold","case":"c","actor":"ada","reason":"x","until":"2026-11-21T09:00:00+01:00","scope":["attempts"]}`,
		`{"request_id":"r","kind":"retry_now","case":"c","actor":"a\u0000","reason":"x","method":"pm"}`,
		`{"request_id":"r","kind":"resolve_unknown","case":"c","actor":"ada","reason":"4242 4242 4242 4242","verdict":"captured","reference":"pi_1"}`,
		`{"request_id":"r","kind":"release","case":"c","actor":"4242424242424242","reason":"x"}`,
	} {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var r Resolution
		if json.Unmarshal(payload, &r) != nil || r.Check() != nil {
			return
		}
		for _, text := range []string{r.RequestID, r.Actor, r.Reason, r.Reference, r.Evidence, string(r.Method)} {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || LooksLikeCardNumber(text) && text != r.RequestID {
				t.Fatalf("accepted the text %q", text)
			}
		}
		if r.Amount != nil && !r.Amount.IsPositive() {
			t.Fatalf("accepted the amount %v", r.Amount)
		}
		if r.Kind == PaidOutOfBand {
			if day, err := time.Parse(time.DateOnly, r.ReceivedOn); err != nil || day.Year() < 1 {
				t.Fatalf("accepted the day %q", r.ReceivedOn)
			}
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("accepted, and can't be written: %v", err)
		}
		var back Resolution
		if err := json.Unmarshal(written, &back); err != nil {
			t.Fatalf("%s does not read back: %v", written, err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(written) || back.Check() != nil {
			t.Fatalf("reads back differently: %s, %s", written, again)
		}
	})
}
