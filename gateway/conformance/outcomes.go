package conformance

import (
	"testing"
	"time"

	"recoup/billing"
)

// row is one behaviour and everything that must be true of it. Each row is played twice: once sent, looked up and sent again; once
// sent and left alone until the contract says that a look-up's miss proves something.
type row struct {
	behaviour Behaviour
	first     billing.AttemptState // the first send's outcome
	code      string               // and decline code
	advice    string
	transient bool
	ourConfig bool
	charged   int                  // charges in the books after it
	lookUp    billing.AttemptState // a look-up soon after it, by our reference only
	again     billing.AttemptState // the same attempt sent again
	after     int                  // charges in the books then
	proved    billing.AttemptState // instead of sending again: a look-up after the lag
	strikes   bool                 // a fault that must have happened
}

const (
	succeeded = billing.AttemptSucceeded
	declined  = billing.AttemptDeclined
	notSent   = billing.AttemptNotSent
	pending   = billing.AttemptPending
	unknown   = billing.AttemptUnknown
	action    = billing.AttemptActionRequired
)

var rows = []row{
	{behaviour: Succeeds, first: succeeded, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded},
	{behaviour: DeclinedFunds, first: declined, code: "insufficient_funds", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedLost, first: declined, code: "lost_card", advice: "do_not_try_again", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedAdvice, first: declined, code: "insufficient_funds", advice: "03", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedExpired, first: declined, code: "expired_card", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedRisk, first: declined, code: "fraudulent", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedIssuer, first: declined, code: "do_not_honor", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedProcessing, first: declined, code: "processing_error", lookUp: declined, again: declined, proved: declined},
	{behaviour: DeclinedLater, first: declined, advice: "try_again_later", lookUp: declined, again: declined, proved: declined},
	{behaviour: NeedsAuthentication, first: declined, code: "authentication_required", lookUp: declined, again: declined, proved: declined},
	{behaviour: WaitsForCustomer, first: action, lookUp: action, again: action, proved: action},
	{behaviour: TakesAPart, first: succeeded, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded},
	{behaviour: TakesTooMuch, first: succeeded, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded},
	{behaviour: UnknownMethod, first: declined, lookUp: unknown, again: declined, proved: notSent},
	{behaviour: BankStays, first: pending, charged: 1, lookUp: pending, again: pending, after: 1, proved: pending},

	{behaviour: TimeoutBefore, first: unknown, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: TimeoutAfter, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: ServerErrBefore, first: unknown, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: ServerErrAfter, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: ServerErrKept, first: unknown, lookUp: unknown, again: unknown, proved: notSent, strikes: true},
	{behaviour: ServerErrPaid, first: unknown, charged: 1, lookUp: succeeded, again: unknown, after: 1, proved: succeeded, strikes: true},
	{behaviour: ProxyErrBefore, first: unknown, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: ResetBefore, first: unknown, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: ResetAfter, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: Slow, first: succeeded, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: Truncated, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: HTMLAnswer, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: UnknownStatus, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: WrongType, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: EmptyAnswer, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: HugeAnswer, first: unknown, charged: 1, lookUp: succeeded, again: succeeded, after: 1, proved: succeeded, strikes: true},
	{behaviour: RateLimited, first: notSent, code: "rate_limit", transient: true, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: InProgress, first: unknown, code: "idempotency_key_in_use", lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
	{behaviour: Unauthorized, first: notSent, ourConfig: true, lookUp: unknown, again: succeeded, after: 1, proved: notSent, strikes: true},
}

// outcomes plays every row.
func (s *suite) outcomes(t *testing.T) {
	for _, r := range rows {
		t.Run(string(r.behaviour), func(t *testing.T) {
			t.Run("sent again", func(t *testing.T) { s.sentAgain(t, r) })
			t.Run("left alone", func(t *testing.T) { s.leftAlone(t, r) })
		})
	}
}

func (s *suite) sentAgain(t *testing.T, r row) {
	t.Helper()
	a := s.prepare(t, r.behaviour)
	s.firstSend(t, r, a)
	if got := s.ask(t, a, a.blind()); got.State != r.lookUp {
		t.Errorf("look-up = %s (%s), want %s", got.State, got.Message, r.lookUp)
	}
	if a.last.Reference != "" {
		if got := s.ask(t, a, a.lookUp()); got.State != r.lookUp && r.lookUp != unknown {
			t.Errorf("look-up by reference = %s (%s), want %s", got.State, got.Message, r.lookUp)
		}
	}
	for range 2 { // the second time nothing is new
		if got := s.send(t, a); got.State != r.again {
			t.Errorf("sent again = %s %s (%s), want %s", got.State, got.DeclineCode, got.Message, r.again)
		}
		if n := len(s.booked(t, a)); n != r.after {
			t.Errorf("charges after sending again = %d, want %d", n, r.after)
		}
	}
}

func (s *suite) leftAlone(t *testing.T, r row) {
	t.Helper()
	a := s.prepare(t, r.behaviour)
	s.firstSend(t, r, a)
	s.Elapse(t, s.Gateway.Contract().LookUpLag+time.Second)
	if got := s.ask(t, a, a.blind()); got.State != r.proved {
		t.Errorf("look-up after the lag = %s (%s), want %s", got.State, got.Message, r.proved)
	} else if got.State == notSent && len(s.booked(t, a)) != 0 {
		t.Errorf("a negative was proved that is not true: %+v", s.booked(t, a))
	}
}

func (s *suite) firstSend(t *testing.T, r row, a *attempt) {
	t.Helper()
	got := s.send(t, a)
	if got.State != r.first {
		t.Fatalf("first send = %s %s (%s), want %s", got.State, got.DeclineCode, got.Message, r.first)
	}
	if r.code != "" && got.DeclineCode != r.code {
		t.Errorf("code = %q, want %q", got.DeclineCode, r.code)
	}
	if r.advice != "" && got.AdviceCode != r.advice {
		t.Errorf("advice = %q, want %q", got.AdviceCode, r.advice)
	}
	if got.Transient != r.transient || got.OurConfig != r.ourConfig {
		t.Errorf("transient, our config = %v, %v; want %v, %v", got.Transient, got.OurConfig, r.transient, r.ourConfig)
	}
	if r.behaviour == RateLimited && got.RetryAfter <= 0 {
		t.Error("the gateway said when to come back, the adapter does not")
	}
	if n := len(s.booked(t, a)); n != r.charged {
		t.Errorf("charges after the first send = %d, want %d", n, r.charged)
	}
	if r.strikes && !s.Struck(t, a.req.Attempt) {
		t.Error("the fault did not happen, so this row proves nothing")
	}
}
