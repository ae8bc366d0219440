package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestOnlyAFailingTestIsACatch: a compile error, or a package that fails by itself, is the canary's own fault.
func TestOnlyAFailingTestIsACatch(t *testing.T) {
	l := by("unit", "store", "TestA TestB")
	for _, c := range []struct{ name, said, failed, problem string }{
		{"a failing test", `{"Action":"pass","Package":"recoup/store","Test":"TestA"}
{"Action":"fail","Package":"recoup/store","Test":"TestB/part"}
{"Action":"fail","Package":"recoup/store","Test":"TestB"}
{"Action":"fail","Package":"recoup/store"}`, "TestB", ""},
		{"all pass", `{"Action":"pass","Package":"recoup/store","Test":"TestA"}
{"Action":"pass","Package":"recoup/store"}`, "", ""},
		{"a compile error", `{"ImportPath":"recoup/store","Action":"build-fail"}
{"Action":"fail","Package":"recoup/store","FailedBuild":"recoup/store"}`, "", "do not compile"},
		{"no test failed", `{"Action":"pass","Package":"recoup/store","Test":"TestA"}
{"Action":"fail","Package":"recoup/store"}`, "", "none of its tests did"},
		{"no end", `{"Action":"output","Package":"recoup/store","Test":"TestA","Output":"panic: test timed out after 5m0s\n"}
{"Action":"fail","Package":"recoup/store","Test":"TestA"}`, "", "did not end"},
		{"of another package", `{"Action":"fail","Package":"recoup/notify","Test":"TestA"}
{"Action":"fail","Package":"recoup/notify"}`, "", ""},
	} {
		s, err := readEvents([]byte(c.said))
		if (err != nil) != (c.problem != "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, want %q", c.name, err, c.problem)
		}
		if got := strings.Join(s.failed(l), " "); got != c.failed {
			t.Errorf("%s: failed %q, want %q", c.name, got, c.failed)
		}
	}
}

func TestReportSaysWhoSawIt(t *testing.T) {
	c := canary{name: "x", rule: "PM5", bug: "charges twice"}
	unit, races := by("unit", "store", "TestA"), by("races", "store/races", "TestB")
	var out bytes.Buffer
	report(&out, []result{{canary: c, caught: []layer{unit}, missed: []layer{races}}, {canary: c, missed: []layer{races}}, {canary: c, problem: "it does not compile: x"}})
	for _, want := range []string{"x (PM5): charges twice", "caught by      unit         store: TestA", "not caught by  races        store/races: TestB",
		"SURVIVED       no test of races failed", "UNHATCHED      it does not compile: x"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestCommandRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"-only", "no such bird"}, {"-at-once", "0"}, {"-bird"}} {
		if err := run(context.Background(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
