package stripe_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/conformance"
	"recoup/gateway/stripe"
)

// planted wraps the adapter with one bug that a hurried hand might write.
type planted struct {
	*stripe.Adapter
	bug    string
	parsed int
}

var bugs = map[string]string{ // and the part of the suite that must catch it
	"a 5xx or a timeout is a decline":     "outcomes",
	"a miss proves a negative at once":    "outcomes",
	"an unreadable answer is a success":   "outcomes",
	"a retry gets a key of its own":       "outcomes",
	"a refused cancel is an unknown":      "cancels",
	"a failed look-up is a miss":          "look-ups",
	"the amount asked is the amount told": "outcomes",
	"a failed read of reversals is none":  "reversals",
	"a reversal ends the success":         "reversals",
	"what failed late is sent anew":       "bank_debits",
	"the list ends where it breaks":       "list",
	"any webhook is believed":             "webhooks",
	"a copy is an event of its own":       "webhooks",
}

func (p *planted) Charge(ctx context.Context, req gateway.ChargeRequest) gateway.Answer {
	answer := p.Adapter.Charge(ctx, req)
	switch {
	case p.bug == "a 5xx or a timeout is a decline" && answer.State == billing.AttemptUnknown:
		return gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "processing_error"}
	case p.bug == "an unreadable answer is a success" && answer.State == billing.AttemptUnknown:
		return gateway.Answer{State: billing.AttemptSucceeded, Captured: req.Amount}
	case p.bug == "a retry gets a key of its own" && answer.State == billing.AttemptUnknown:
		again := req
		again.Attempt += "-2"
		return p.Adapter.Charge(ctx, again)
	case p.bug == "what failed late is sent anew" && answer.State == billing.AttemptPending && p.LookUp(ctx, gateway.LookUpRequest{Attempt: req.Attempt, Reference: answer.Reference}).State == billing.AttemptDeclined:
		return gateway.Answer{State: billing.AttemptNotSent, Transient: true}
	case p.bug == "the amount asked is the amount told" && answer.State == billing.AttemptSucceeded:
		answer.Captured = req.Amount
	}
	return answer
}

func (p *planted) LookUp(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	answer := p.Adapter.LookUp(ctx, req)
	never := gateway.Answer{State: billing.AttemptNotSent}
	switch {
	case p.bug == "a miss proves a negative at once" && strings.Contains(answer.Message, "not found"):
		return never
	case p.bug == "a failed look-up is a miss" && strings.Contains(answer.Message, "look-up: "):
		return never
	case p.bug == "a reversal ends the success" && answer.State == billing.AttemptSucceeded:
		if found, err := p.Adapter.Reversals(ctx, gateway.LookUpRequest{Reference: answer.Reference}); err == nil && len(found) > 0 {
			return gateway.Answer{State: billing.AttemptDeclined, Reference: answer.Reference}
		}
	}
	return answer
}

func (p *planted) Reversals(ctx context.Context, req gateway.LookUpRequest) ([]billing.Reversal, error) {
	found, err := p.Adapter.Reversals(ctx, req)
	if p.bug == "a failed read of reversals is none" {
		return found, nil
	}
	return found, err
}

func (p *planted) ListCharges(ctx context.Context, from, to time.Time, cursor string) (gateway.ChargePage, error) {
	page, err := p.Adapter.ListCharges(ctx, from, to, cursor)
	if p.bug == "the list ends where it breaks" {
		return page, nil
	}
	return page, err
}

func (p *planted) ParseWebhook(body []byte, signature string) (gateway.Event, error) {
	event, err := p.Adapter.ParseWebhook(body, signature)
	switch {
	case p.bug == "any webhook is believed" && err != nil:
		return gateway.Event{Gateway: p.Name(), ID: "evt_1", About: billing.EventCapture}, nil
	case p.bug == "a copy is an event of its own" && err == nil:
		p.parsed++
		event.ID += fmt.Sprint(p.parsed)
	}
	return event, err
}

func (p *planted) Cancel(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	answer := p.Adapter.Cancel(ctx, req)
	if p.bug == "a refused cancel is an unknown" && answer.State == billing.AttemptSucceeded {
		return gateway.Answer{State: billing.AttemptUnknown}
	}
	return answer
}

// TestConformanceOfPlantedBug is run by TestSuiteCatchesPlantedBugs, in a process of its own where it must fail. Without a bug the
// wrapper changes nothing, so that what fails is the bug.
func TestConformanceOfPlantedBug(t *testing.T) {
	stand := newStand(t)
	h := stand.harness(t)
	bug := os.Getenv("RECOUP_PLANTED_BUG")
	wrapped := &planted{Adapter: stand.adapter, bug: bug}
	if bug == "" {
		req := tenDollars
		req.CustomerToken = ""
		if got, want := wrapped.Charge(t.Context(), req), h.Gateway.Charge(t.Context(), req); got != want || got.State != billing.AttemptSucceeded {
			t.Errorf("wrapped: %+v, bare: %+v", got, want)
		}
		return
	}
	h.Gateway = wrapped
	conformance.Run(t, h)
}

// TestSuiteCatchesPlantedBugs: a suite that can't fail proves nothing.
func TestSuiteCatchesPlantedBugs(t *testing.T) {
	for bug, part := range bugs {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConformanceOfPlantedBug$/^"+part+"$")
			cmd.Env = append(os.Environ(), "RECOUP_PLANTED_BUG="+bug)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestConformanceOfPlantedBug/"+part) {
				t.Errorf("the suite did not notice (%v):\n%s", err, out)
			}
		})
	}
}
