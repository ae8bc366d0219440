package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"recoup/billing"
)

// resolvePayloads are decisions as people and programs send them: good ones, and what only Postgres would refuse.
var resolvePayloads = []string{
	`{"request_id":"r-1","kind":"paid_out_of_band","actor":"ada","reason":"cheque","amount":{"minor":500,"currency":"USD"},"reference":"C-1","received_on":"2026-11-02"}`,
	`{"request_id":"r-1","kind":"paid_out_of_band","actor":"ada","reason":"cheque","amount":{"minor":9223372036854775807,"currency":"USD"},"reference":"C-1","received_on":"2026-11-02"}`,
	`{"request_id":"r-1","kind":"paid_out_of_band","actor":"ada","reason":"cheque","amount":{"minor":5,"currency":"JPY"},"reference":"C-1","received_on":"0000-01-01"}`,
	`{"request_id":"r-1","kind":"hold","actor":"ada","reason":"asked","until":"2026-11-05T09:00:00Z","scope":["attempts","attempts"]}`,
	`{"request_id":"r-1","kind":"hold","actor":"ada","reason":"asked","until":"9999-12-31T23:59:59+14:00"}`,
	`{"request_id":"r-1","kind":"retry_now","actor":"a\u0000da","reason":"asked","method":"pm-9"}`,
	`{"request_id":"r-1","kind":"retry_now","actor":"ada","reason":"asked\u0000","method":"pm\u00001"}`,
	`{"request_id":"r-1","kind":"release","actor":"ada","reason":"\ud800"}`,
	`{"request_id":"r-1","kind":"resolve_unknown","actor":"ada","reason":"asked","verdict":"captured","reference":"pi\u00001"}`,
	`{"request_id":"r-1","kind":"resolve_unknown","actor":"ada","reason":"asked","verdict":"not_captured","evidence":"\u0000"}`,
	`{"request_id":"r-1","kind":"teleport","actor":"ada","reason":"x"}`, `{}`, `null`, `[]`, `{"amount":{"currency":"USD"}}`,
}

// FuzzResolve sends any payload through the door that Signal, Update, console and command line share. What is not carried out is refused with
// words for a person, never an error of Postgres that a workflow would try again for ever; a refusal writes nothing; what is carried out is
// on record once, and again changes nothing (R1, R2).
func FuzzResolve(f *testing.F) {
	for _, p := range resolvePayloads {
		f.Add(p, false)
		f.Add(p, true)
	}
	base := newWorld(f)
	n := time.Now().UnixNano()
	f.Fuzz(func(t *testing.T, payload string, open bool) {
		var r billing.Resolution
		if json.Unmarshal([]byte(payload), &r) != nil {
			return
		}
		n++
		w := &world{Store: base.Store, owner: base.owner, t: t, now: noon}
		w.SetNow(func() time.Time { return w.now })
		account, invoice := fmt.Sprintf("a%d", n), fmt.Sprintf("i%d", n)
		w.account(account, fmt.Sprintf("pm-%d", n))
		w.invoice(invoice, account, 1000)
		id := w.open(invoice)
		if step := w.review(id); open {
			w.charge(step, id, unknown)
			w.now = w.now.Add(25 * time.Hour)
		}
		r.Case = id
		if r.RequestID != "" { // its own per run
			r.RequestID = fmt.Sprintf("%.64s-%d", r.RequestID, n)
		}
		answer, err := w.Resolve(context.Background(), r)
		on := scan[int](w, `select count(*) from resolutions where case_id = $1`, id)
		var refusal *billing.Refusal
		switch {
		case err != nil && !errors.As(err, &refusal):
			t.Fatalf("%s: neither done nor refused: %v", payload, err)
		case err != nil:
			booked := scan[int](w, `select count(*) from journal_entries where invoice_id = $1 and ledger_kind <> 'receivable'`, invoice)
			if on != 0 || booked > 1 || refusal.Message == "" {
				t.Fatalf("%s: refused (%v), and yet %d on record, %d booked", payload, err, on, booked)
			}
		default:
			again, err := w.Resolve(context.Background(), r)
			if err != nil || !again.Repeated || again.Changed != answer.Changed || on != 1 {
				t.Fatalf("%s: again %+v %v, first %+v, %d on record", payload, again, err, answer, on)
			}
		}
	})
}
