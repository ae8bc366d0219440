package crash

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestStoriesAlone tells each story without any crash and prints the labels it passes (CRASH=alone), for whoever adds a story.
func TestStoriesAlone(t *testing.T) {
	if os.Getenv(modeVariable) != "alone" {
		t.Skip("CRASH=alone runs it")
	}
	h := build(t)
	all := stories()
	r := newRun(t, h, all)
	passed := r.findPasses(all)
	for _, s := range all {
		var names []string
		for l := range passed[s.name] {
			names = append(names, string(l))
		}
		slices.Sort(names)
		fmt.Printf("%s: %d labels %q\n", s.name, len(names), names)
	}
	r.judge()
	fmt.Println(r.counts("alone"))
}
