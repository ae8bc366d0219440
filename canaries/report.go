package main

import (
	"fmt"
	"io"
	"strings"
)

// result is what became of a canary.
type result struct {
	canary
	caught  []layer // with the tests that failed
	missed  []layer
	problem string // why it could not be tried
}

func (r result) word() string {
	switch {
	case r.problem != "":
		return "UNHATCHED"
	case len(r.caught) == 0:
		return "SURVIVED"
	}
	return "caught"
}

// report prints which layer caught which bug.
func report(out io.Writer, results []result) {
	for _, r := range results {
		fmt.Fprintf(out, "\n%s (%s): %s\n", r.name, r.rule, r.bug)
		if r.problem != "" {
			fmt.Fprintf(out, "    UNHATCHED      %s\n", r.problem)
			continue
		}
		if len(r.caught) == 0 {
			fmt.Fprintf(out, "    SURVIVED       no test of %s failed: a test is missing\n", layerNames(r.missed))
			continue
		}
		for _, l := range r.caught {
			fmt.Fprintf(out, "    caught by      %-12s %s: %s\n", l.name, l.pkg, strings.Join(l.tests, ", "))
		}
		for _, l := range r.missed {
			fmt.Fprintf(out, "    not caught by  %-12s %s: %s\n", l.name, l.pkg, strings.Join(l.tests, ", "))
		}
	}
	fmt.Fprintln(out)
}

func layerNames(layers []layer) string {
	var all []string
	for _, l := range layers {
		all = append(all, l.name)
	}
	return strings.Join(all, ", ")
}

// markdown is the table of docs/canaries.md.
func markdown(all []canary) string {
	var b strings.Builder
	b.WriteString("| Canary | Breaks | The bug | Caught by |\n|---|---|---|---|\n")
	for _, c := range all {
		var by []string
		for _, l := range c.layers {
			by = append(by, l.name+": "+strings.Join(l.tests, ", "))
		}
		fmt.Fprintf(&b, "| [%s](../%s) | %s | %s | %s |\n", c.name, c.files[0], c.rule, c.bug, strings.Join(by, "; "))
	}
	return b.String()
}
