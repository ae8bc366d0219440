package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// BatchProblemsMax is how many problems of one file are reported; the rest are only counted.
const BatchProblemsMax = 20

// BatchProblem is one reason why a file can't be taken in.
type BatchProblem struct {
	Line    int    // of the file, from 1; 0 when it is the whole file
	Field   string // "invoice.due_date" or a column's name; "" when it is the whole line
	Message string
}

// String returns "17: invoice.due_date: must be given".
func (p BatchProblem) String() string {
	text := p.Message
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("%d: %s", p.Line, text)
	}
	return text
}

// BatchProblems collects everything wrong with one file. As an error it means that nothing of the file was taken in.
type BatchProblems struct {
	First []BatchProblem // the first BatchProblemsMax
	More  int            // how many were left out
}

// Add notes a problem.
func (b *BatchProblems) Add(line int, field, format string, args ...any) {
	if len(b.First) == BatchProblemsMax {
		b.More++
		return
	}
	b.First = append(b.First, BatchProblem{Line: line, Field: field, Message: fmt.Sprintf(format, args...)})
}

// Err returns the problems as an error, by line, or nil when there are none.
func (b *BatchProblems) Err() error {
	if len(b.First) == 0 {
		return nil
	}
	slices.SortStableFunc(b.First, func(x, y BatchProblem) int { return cmp.Compare(x.Line, y.Line) })
	return b
}

// Error returns one problem per line.
func (b *BatchProblems) Error() string { return strings.Join(b.Lines(""), "\n") }

// Lines returns one text per problem, "story.jsonl:17: invoice.due_date: must be given", and a last one for those left out.
func (b *BatchProblems) Lines(file string) []string {
	var lines []string
	for _, p := range b.First {
		switch {
		case file == "":
			lines = append(lines, p.String())
		case p.Line > 0:
			lines = append(lines, file+":"+p.String())
		default:
			lines = append(lines, file+": "+p.String())
		}
	}
	if b.More > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", b.More))
	}
	return lines
}
