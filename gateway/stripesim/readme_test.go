package stripesim_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"recoup/gateway/stripesim"
)

// TestReadmeAndSimulatorKnowTheSame: every fault is described, and every method that the README names in full exists.
func TestReadmeAndSimulatorKnowTheSame(t *testing.T) {
	raw, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(raw)
	b := open(t, stripesim.Options{})
	known := b.get("/sim/faults").body["known"].(map[string]any)
	if len(known) < 20 {
		t.Fatalf("only %d faults are known", len(known))
	}
	for fault := range known {
		short := "`_" + strings.TrimPrefix(fault, "webhook_") + "`"
		if !strings.Contains(readme, "`"+fault+"`") && !strings.Contains(readme, `"`+fault+`"`) && !strings.Contains(readme, short) {
			t.Errorf("the README does not describe the fault %s", fault)
		}
	}
	tokens := regexp.MustCompile("`(pm_[A-Za-z0-9_-]+)`").FindAllStringSubmatch(readme, -1)
	if len(tokens) < 30 {
		t.Fatalf("the README names %d methods only", len(tokens))
	}
	for _, m := range tokens {
		if a := b.post("/v1/payment_methods", "", "token", m[1]); a.status != 200 {
			t.Errorf("the README names %s, which does not exist", m[1])
		}
	}
}
