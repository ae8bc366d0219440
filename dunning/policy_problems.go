package dunning

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// PolicyProblem is one thing wrong with a policy file.
type PolicyProblem struct {
	// Line and Column say where, from 1. Field is "" when the file is no YAML at all, "rounds[2]" for an item of a list.
	Line, Column int
	Field        string
	Text         string
}

// String is the problem as a line.
func (p PolicyProblem) String() string {
	if p.Field == "" {
		return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Text)
	}
	return fmt.Sprintf("line %d, column %d, field %s: %s", p.Line, p.Column, p.Field, p.Text)
}

// PolicyProblems is everything wrong with a policy file, in the order of the file: never empty as an error.
type PolicyProblems []PolicyProblem

// Error names every problem, one a line.
func (p PolicyProblems) Error() string {
	if len(p) == 1 {
		return "policy: " + p[0].String()
	}
	lines := []string{fmt.Sprintf("policy: %d problems", len(p))}
	for _, problem := range p {
		lines = append(lines, "  "+problem.String())
	}
	return strings.Join(lines, "\n")
}

func (p PolicyProblems) inOrder() PolicyProblems {
	slices.SortFunc(p, func(a, b PolicyProblem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
	})
	return p
}
