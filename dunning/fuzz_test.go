package dunning

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzParsePolicy: whatever is accepted keeps every promise a case relies on, and errors say where.
func FuzzParsePolicy(f *testing.F) {
	files, err := filepath.Glob("policies/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(goodPolicy))
	f.Add([]byte("name: &a x\nversion: *a"))
	f.Add([]byte("? [a]: b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "policy: ") {
				t.Fatalf("error %q doesn't say what is wrong", err)
			}
			return
		}
		if !policyName.MatchString(p.Name) || p.Version < 1 || p.Unit != UnitDay && p.Unit != UnitSecond {
			t.Fatalf("accepted %+v", p)
		}
		steps := slices.Clone(p.Rounds)
		for _, s := range []int{p.FinalNotice, p.SuspensionNotice, p.Suspend, p.Close} {
			if s != 0 {
				steps = append(steps, s)
			}
		}
		if len(p.Rounds) == 0 || p.Rounds[0] != 0 || !slices.IsSorted(steps) || len(slices.Compact(slices.Clone(steps))) != len(steps) {
			t.Fatalf("accepted steps %v", steps)
		}
		if p.Close > 0 && p.Suspend == 0 || p.Suspend > 0 && p.SuspensionNotice == 0 || p.SuspensionNotice > 0 && p.FinalNotice == 0 {
			t.Fatalf("accepted a step without the one before: %+v", p)
		}
		for _, amounts := range []map[string]int64{p.MinimumToSuspend, p.SecondPersonAbove} {
			for code, minor := range amounts {
				if minor < 0 {
					t.Fatalf("accepted %s %d", code, minor)
				}
			}
			if _, ok := amounts[DefaultAmount]; !ok {
				t.Fatal("accepted amounts without a default")
			}
		}
	})
}

// FuzzClassify: any codes get a known class and a reason that gives nothing away; a code that isn't in the table never passes unseen.
func FuzzClassify(f *testing.F) {
	f.Add("stripe", "visa", "insufficient_funds", "card_declined", "try_again_later", "02", "51")
	f.Add("stripe", "mastercard", "lost_card", "", "03", "", "41")
	f.Add("", "", "", "", "", "", "R01")
	f.Add("STRIPE ", "Visa", " Stolen_Card", "\n", "1", "１", "r0")
	f.Fuzz(func(t *testing.T, gateway, brand, decline, code, advice, networkAdvice, network string) {
		r := Classify(Codes{Gateway: gateway, Brand: brand, DeclineCode: decline, ErrorCode: code, AdviceCode: advice,
			NetworkAdviceCode: networkAdvice, NetworkCode: network})
		if strictness[r.Class] == 0 || r.SafeReason == "" || r.WaitAtLeast < 0 {
			t.Fatalf("ruled %+v", r)
		}
		if (r.Class == ClassHardInstrument || r.Class == ClassRisk) && !r.Never {
			t.Fatalf("%s without never: %+v", r.Class, r)
		}
		if r.Row == "" && (!r.Unmapped || r.Class != ClassSoftIssuer) {
			t.Fatalf("no row used, and yet %+v", r)
		}
		texts := 0
		for _, text := range reasons {
			if r.SafeReason == text {
				texts++
			}
		}
		if texts != 1 {
			t.Fatalf("reason %q is not one of ours", r.SafeReason)
		}
		for _, id := range strings.Split(r.Row, " + ") {
			if _, ok := declineTable()[id]; id != "" && !ok {
				t.Fatalf("used row %q, which is not in the table", id)
			}
		}
		// Every code given is either in a row that was used, or counted.
		for _, given := range []string{decline, code, advice, networkAdvice, network} {
			if c := normal(given); c != "" && !r.Unmapped && !strings.Contains(r.Row, "/"+c) {
				t.Fatalf("code %q passed unseen: %+v", given, r)
			}
		}
	})
}
