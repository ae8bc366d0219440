package billing

import "testing"

func TestU1VerdictsNameTheirProof(t *testing.T) {
	amount := dollars(100)
	for name, c := range map[string]struct {
		change func(*Resolution)
		good   bool
	}{
		"captured":               {func(r *Resolution) { r.Verdict, r.Reference = Captured, "pi_1" }, true},
		"captured, less":         {func(r *Resolution) { r.Verdict, r.Reference, r.Amount = Captured, "pi_1", &amount }, true},
		"captured, which":        {func(r *Resolution) { r.Verdict = Captured }, false},
		"not captured":           {func(r *Resolution) { r.Verdict, r.Evidence = NotCaptured, "dashboard" }, true},
		"not captured, how":      {func(r *Resolution) { r.Verdict, r.Reference = NotCaptured, "pi_1" }, false},
		"not captured, amount":   {func(r *Resolution) { r.Verdict, r.Evidence, r.Amount = NotCaptured, "dashboard", &amount }, false},
		"a card number as proof": {func(r *Resolution) { r.Verdict, r.Evidence = NotCaptured, "4242 4242 4242 4242" }, false},
		"no verdict":             {func(*Resolution) {}, false},
	} {
		r := Resolution{RequestID: "r-1", Kind: ResolveUnknown, Case: "inv-1", Actor: "ada", Reason: "asked"}
		c.change(&r)
		if err := r.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
