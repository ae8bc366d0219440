package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
	"recoup/money"
)

// contract checks that the declaration is one the core can work with (U6), and that nothing optional is missing by oversight.
func (s *suite) contract(t *testing.T) {
	c := s.Gateway.Contract()
	switch {
	case s.Gateway.Name() == "":
		t.Error("the adapter has no name")
	case c.Timeout <= 0 || c.ChargesPerSecond <= 0:
		t.Errorf("timeout and charges per second must be above zero: %+v", c)
	case c.ProvesNegative && !c.LookUpByReference:
		t.Error("a negative can't be proved without look-ups")
	case c.ProvesNegative && c.LookUpLag < c.Timeout:
		t.Error("a miss can't prove anything while the request may still be on its way")
	}
	for _, b := range Behaviours() {
		if _, ok := s.Instruments[b]; !ok {
			t.Errorf("the harness has no instrument that %q", b)
		}
	}
	_, reads := s.Gateway.(gateway.ReversalReader)
	_, lists := s.Gateway.(gateway.ChargeLister)
	_, tells := s.Gateway.(gateway.ReversalLister)
	_, parses := s.Gateway.(gateway.WebhookParser)
	for name, has := range map[string]bool{"ReversalReader": reads, "ReversalLister": tells, "ChargeLister": lists, "WebhookParser": parses} {
		if why := s.Lacks[name]; has == (why != "") {
			t.Errorf("gateway.%s: implemented %v, the harness says it lacks it because %q; one of the two must hold", name, has, why)
		}
	}
}

// lateEffect: the gateway executes after the caller gave up (faults.md A5). Until then a look-up misses and the key is in use; at no
// time does the adapter say that it is over.
func (s *suite) lateEffect(t *testing.T) {
	a := s.prepare(t, LateEffect)
	if got := s.send(t, a); got.State != unknown {
		t.Fatalf("first send = %s, want unknown", got.State)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); len(s.booked(t, a)) == 0; <-again.C {
		if time.Now().After(deadline) {
			t.Fatal("the late effect never came")
		}
		// Books and adapter are read one after the other, so a success may be younger than the books; it is audited below.
		if got := s.Gateway.LookUp(context.Background(), a.blind()); got.State != unknown && got.State != succeeded {
			t.Fatalf("look-up before the effect = %s, want unknown", got.State)
		}
	}
	if got := s.ask(t, a, a.blind()); got.State != succeeded {
		t.Errorf("look-up after the effect = %s (%s), want succeeded", got.State, got.Message)
	}
	if got := s.send(t, a); got.State != succeeded {
		t.Errorf("sent again after the effect = %s (%s), want succeeded", got.State, got.Message)
	}
}

// atOnce: the same attempt from eight workers at one instant moves money once (PM4).
func (s *suite) atOnce(t *testing.T) {
	a := s.prepare(t, Succeeds)
	answers := make([]gateway.Answer, 8)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range answers {
		done.Go(func() {
			start.Wait()
			answers[i] = s.Gateway.Charge(context.Background(), a.req)
		})
	}
	start.Done()
	done.Wait()
	succeededOnes := 0
	for _, answer := range answers {
		s.audit(t, a, answer)
		switch answer.State {
		case succeeded:
			succeededOnes++
		case unknown: // another worker's send was still being executed
		default:
			t.Errorf("one of eight = %s (%s), want succeeded or unknown", answer.State, answer.Message)
		}
	}
	if succeededOnes == 0 {
		t.Error("none of eight was told of the success")
	}
	if got := s.send(t, a); got.State != succeeded {
		t.Errorf("sent once more = %s (%s), want succeeded", got.State, got.Message)
	}
}

// otherParameters: the amount of an attempt never changes; should it, the answer is unknown and never a decline (faults.md A10).
func (s *suite) otherParameters(t *testing.T) {
	a := s.prepare(t, Succeeds)
	if got := s.send(t, a); got.State != succeeded {
		t.Fatalf("first send = %s, want succeeded", got.State)
	}
	a.req.Amount = money.New(999, usd)
	if got := s.send(t, a); got.State != unknown {
		t.Errorf("with another amount = %s (%s), want unknown", got.State, got.Message)
	}
}

// keyWindow: to the end of the declared window a send is answered from memory (I13).
func (s *suite) keyWindow(t *testing.T) {
	a := s.prepare(t, Succeeds)
	first := s.send(t, a)
	s.Elapse(t, s.Gateway.Contract().KeyWindow-time.Second)
	if got := s.send(t, a); got != first {
		t.Errorf("at the window's end = %+v, want the first answer %+v", got, first)
	}
}

// currencies: minor units arrive as they are (M1).
func (s *suite) currencies(t *testing.T) {
	for code, minor := range map[string]int64{"EUR": 1234, "JPY": 1234, "KWD": 12340} {
		amount := money.New(minor, money.MustCurrency(code))
		a := s.prepare(t, Succeeds)
		a.req.Amount = amount
		if got := s.send(t, a); got.State != succeeded || got.Captured != amount {
			t.Errorf("%v: %s %v (%s)", amount, got.State, got.Captured, got.Message)
		}
	}
}

// bankDebits settle or fail later; nothing is told before (U3, faults.md A15).
func (s *suite) bankDebits(t *testing.T) {
	settles, fails, closed := s.prepare(t, BankSettles), s.prepare(t, BankFails), s.prepare(t, BankClosed)
	for _, a := range []*attempt{settles, fails, closed} {
		if got := s.send(t, a); got.State != pending || got.Reference == "" {
			t.Fatalf("first send = %s %q, want pending with a reference", got.State, got.Reference)
		}
		if got := s.ask(t, a, a.lookUp()); got.State != pending {
			t.Errorf("look-up = %s, want pending", got.State)
		}
	}
	s.Elapse(t, s.BankDelay+time.Second)
	if got := s.ask(t, settles, settles.lookUp()); got.State != succeeded || got.Captured != settles.req.Amount {
		t.Errorf("settled: look-up = %s %v (%s)", got.State, got.Captured, got.Message)
	}
	for a, want := range map[*attempt]string{fails: "insufficient_funds", closed: "account_closed"} {
		if got := s.ask(t, a, a.lookUp()); got.State != declined || got.DeclineCode != want {
			t.Errorf("failed: look-up = %s %q, want declined with %s", got.State, got.DeclineCode, want)
		}
		// What a bank refused stays refused under its key: the answer may still be the first one, a success it never is.
		if got := s.send(t, a); got.State == succeeded || got.State == notSent {
			t.Errorf("sent again after it failed = %s", got.State)
		}
	}
}

// notReachable: what never left is proved not sent, and may go again (D1 transient).
func (s *suite) notReachable(t *testing.T) {
	a := s.prepare(t, Succeeds)
	if got := s.Unreachable.Charge(context.Background(), a.req); got.State != notSent || !got.Transient {
		t.Errorf("charge = %s transient %v (%s), want not_sent transient", got.State, got.Transient, got.Message)
	}
	if got := s.Unreachable.LookUp(context.Background(), a.blind()); got.State != unknown {
		t.Errorf("look-up = %s, want unknown", got.State)
	}
	if got := s.Unreachable.Cancel(context.Background(), a.blind()); got.State != unknown {
		t.Errorf("cancel = %s, want unknown", got.State)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if got := s.Gateway.Charge(gone, a.req); got.State != notSent && got.State != unknown {
		t.Errorf("charge with a context that is over = %s", got.State)
	}
	if n := len(s.booked(t, a)); n != 0 {
		t.Errorf("charges = %d, want 0", n)
	}
}

// defects: a request that can't be charged is not sent, and says so.
func (s *suite) defects(t *testing.T) {
	for name, spoil := range map[string]func(*gateway.ChargeRequest){
		"no amount":   func(r *gateway.ChargeRequest) { r.Amount = money.Zero(usd) },
		"negative":    func(r *gateway.ChargeRequest) { r.Amount = money.New(-1, usd) },
		"no currency": func(r *gateway.ChargeRequest) { r.Amount = money.Amount{} },
		"no token":    func(r *gateway.ChargeRequest) { r.Token = "" },
		"no attempt":  func(r *gateway.ChargeRequest) { r.Attempt = "" },
		"other kind":  func(r *gateway.ChargeRequest) { r.Kind = billing.MethodKind("cheque") },
	} {
		a := s.prepare(t, Succeeds)
		spoil(&a.req)
		if got := s.Gateway.Charge(context.Background(), a.req); got.State != notSent || !got.OurConfig || got.Message == "" {
			t.Errorf("%s: %s (%s), want not_sent and a reason", name, got.State, got.Message)
		}
		if n := len(s.booked(t, a)); n != 0 {
			t.Errorf("%s: charges = %d, want 0", name, n)
		}
	}
}
