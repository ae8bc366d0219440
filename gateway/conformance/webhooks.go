package conformance

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
)

// hook is how one fault of webhooks must look to the adapter: of the deliveries that tell of money taken, so many are read and so many
// refused.
type hook struct {
	fault         WebhookFault
	read, refused int
	last          bool // it arrives after the younger one
}

var hooks = []hook{
	{fault: "", read: 1},
	{fault: WebhookLost},
	{fault: WebhookDoubled, read: 2},
	{fault: WebhookReordered, read: 1, last: true},
	{fault: WebhookForged, read: 1, refused: 1},
	{fault: WebhookOld, read: 1, refused: 1},
}

// webhooks: what is read names the attempt and the sort of news; what is forged, old or altered is refused; and whatever becomes of a
// webhook, a look-up tells the truth (faults.md B2, B4, B5).
func (s *suite) webhooks(t *testing.T) {
	parser, ok := s.Gateway.(gateway.WebhookParser)
	if !ok {
		return // contract says whether that is meant so
	}
	for _, h := range hooks {
		name := string(h.fault)
		if name == "" {
			name = "delivered"
		}
		t.Run(name, func(t *testing.T) { s.webhook(t, parser, h) })
	}
	t.Run("altered", func(t *testing.T) { s.altered(t, parser) })
	t.Run("taken back", func(t *testing.T) {
		a := s.prepare(t, BankReturns)
		s.send(t, a)
		s.Elapse(t, s.BankDelay+time.Second)
		s.Deliveries(t)
		s.Elapse(t, s.BankDelay+time.Second)
		events := s.parsed(t, parser, s.Deliveries(t))
		if !slices.ContainsFunc(events, func(e gateway.Event) bool {
			return e.About == billing.EventReversal && (e.Attempt == a.req.Attempt || e.Reference == a.last.Reference)
		}) {
			t.Errorf("no event tells of the return of %s: %+v", a.last.Reference, events)
		}
	})
}

func (s *suite) webhook(t *testing.T, parser gateway.WebhookParser, h hook) {
	s.Deliveries(t) // what earlier parts left
	first, second := s.prepare(t, Succeeds), s.prepare(t, Succeeds)
	if h.fault != "" {
		s.BreakWebhook(t, h.fault, first.req.Attempt)
	}
	s.send(t, first)
	s.send(t, second)
	read, refused, ids, order := 0, 0, map[string]bool{}, []billing.AttemptID{}
	for _, d := range s.Deliveries(t) {
		event, err := parser.ParseWebhook(d.Body, d.Signature)
		if err != nil {
			if event != (gateway.Event{}) {
				t.Errorf("refused, and yet it says %+v", event)
			}
			refused++
			continue
		}
		if event.About != billing.EventCapture {
			continue
		}
		if event.ID == "" || event.Gateway != s.Gateway.Name() || event.Reference == "" || event.At.IsZero() {
			t.Errorf("event %+v", event)
		}
		order = append(order, event.Attempt)
		if event.Attempt == first.req.Attempt {
			read, ids[event.ID] = read+1, true
		}
	}
	if read != h.read || refused != h.refused {
		t.Errorf("read %d and refused %d, want %d and %d", read, refused, h.read, h.refused)
	}
	if h.read > 0 && len(ids) != 1 {
		t.Errorf("one event came under the ids %v: copies would not be known for copies", ids)
	}
	if !slices.Contains(order, second.req.Attempt) {
		t.Errorf("the younger event did not arrive: %v", order)
	} else if h.last && slices.Index(order, first.req.Attempt) < slices.Index(order, second.req.Attempt) {
		t.Errorf("arrived in order, so this proves nothing: %v", order)
	}
	s.expectLookUp(t, first, first.blind(), succeeded)
}

// altered: no byte of a signed body can be changed, and a signature is good for its own body only.
func (s *suite) altered(t *testing.T, parser gateway.WebhookParser) {
	s.Deliveries(t)
	a := s.prepare(t, Succeeds)
	s.send(t, a)
	s.send(t, s.prepare(t, Succeeds))
	got := s.Deliveries(t)
	if len(got) < 2 {
		t.Fatalf("%d deliveries", len(got))
	}
	ofA := func(d Delivery) bool { return bytes.Contains(d.Body, []byte(a.req.Attempt)) }
	own, other := slices.IndexFunc(got, ofA), slices.IndexFunc(got, func(d Delivery) bool { return !ofA(d) })
	if own < 0 || other < 0 {
		t.Fatalf("own %d, other %d", own, other)
	}
	true1, true2 := got[own], got[other]
	for name, d := range map[string]Delivery{
		"another attempt":     {bytes.Replace(true1.Body, []byte(a.req.Attempt), []byte("a9999"), 1), true1.Signature},
		"one byte":            {append(bytes.Clone(true1.Body[:len(true1.Body)-1]), ' '), true1.Signature},
		"cut off":             {true1.Body[:len(true1.Body)/2], true1.Signature},
		"more behind it":      {append(bytes.Clone(true1.Body), '\n'), true1.Signature},
		"another's signature": {true1.Body, true2.Signature},
		"unsigned":            {true1.Body, ""},
		"nonsense":            {true1.Body, "nonsense"},
		"empty":               {nil, true1.Signature},
	} {
		if event, err := parser.ParseWebhook(d.Body, d.Signature); err == nil {
			t.Errorf("%s: believed %+v", name, event)
		}
	}
	if _, err := parser.ParseWebhook(true1.Body, true1.Signature); err != nil {
		t.Errorf("the true one: %v", err)
	}
}

func (s *suite) parsed(t *testing.T, parser gateway.WebhookParser, deliveries []Delivery) (events []gateway.Event) {
	t.Helper()
	for _, d := range deliveries {
		event, err := parser.ParseWebhook(d.Body, d.Signature)
		if err != nil {
			t.Error(err)
			continue
		}
		events = append(events, event)
	}
	return events
}
