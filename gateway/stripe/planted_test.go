package stripe_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"recoup/billing"
	"recoup/gateway"
	"recoup/gateway/conformance"
)

// planted wraps the adapter with one bug that a hurried hand might write.
type planted struct {
	gateway.Gateway
	bug string
}

var bugs = map[string]string{ // and the part of the suite that must catch it
	"a 5xx or a timeout is a decline":     "outcomes",
	"a miss proves a negative at once":    "outcomes",
	"an unreadable answer is a success":   "outcomes",
	"a retry gets a key of its own":       "outcomes",
	"a refused cancel is an unknown":      "cancels",
	"a failed look-up is a miss":          "look-ups",
	"the amount asked is the amount told": "outcomes",
}

func (p *planted) Charge(ctx context.Context, req gateway.ChargeRequest) gateway.Answer {
	answer := p.Gateway.Charge(ctx, req)
	switch {
	case p.bug == "a 5xx or a timeout is a decline" && answer.State == billing.AttemptUnknown:
		return gateway.Answer{State: billing.AttemptDeclined, DeclineCode: "processing_error"}
	case p.bug == "an unreadable answer is a success" && answer.State == billing.AttemptUnknown:
		return gateway.Answer{State: billing.AttemptSucceeded, Captured: req.Amount}
	case p.bug == "a retry gets a key of its own" && answer.State == billing.AttemptUnknown:
		again := req
		again.Attempt += "-2"
		return p.Gateway.Charge(ctx, again)
	case p.bug == "the amount asked is the amount told" && answer.State == billing.AttemptSucceeded:
		answer.Captured = req.Amount
	}
	return answer
}

func (p *planted) LookUp(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	answer := p.Gateway.LookUp(ctx, req)
	never := gateway.Answer{State: billing.AttemptNotSent}
	switch {
	case p.bug == "a miss proves a negative at once" && strings.Contains(answer.Message, "not found"):
		return never
	case p.bug == "a failed look-up is a miss" && strings.Contains(answer.Message, "look-up: "):
		return never
	}
	return answer
}

func (p *planted) Cancel(ctx context.Context, req gateway.LookUpRequest) gateway.Answer {
	answer := p.Gateway.Cancel(ctx, req)
	if p.bug == "a refused cancel is an unknown" && answer.State == billing.AttemptSucceeded {
		return gateway.Answer{State: billing.AttemptUnknown}
	}
	return answer
}

// TestConformanceOfPlantedBug is run by TestSuiteCatchesPlantedBugs, in a process of its own where it must fail. Without a bug the
// wrapper changes nothing, so that what fails is the bug.
func TestConformanceOfPlantedBug(t *testing.T) {
	h := newStand(t).harness(t)
	bug := os.Getenv("RECOUP_PLANTED_BUG")
	wrapped := &planted{Gateway: h.Gateway, bug: bug}
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
