package dunning

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"recoup/money"
)

// Limits of a policy file.
const (
	policyBytesMax  = 64 << 10
	policyRoundsMax = 15 // Visa allows 15 attempts in 30 days (D4): more rounds could never all charge
	policyDays      = 1000
	policySeconds   = 1_000_000
	policyChargeMax = 100
)

// DefaultChargesPerDay is the bound on charges of one invoice within 24 hours in a policy that names none.
const DefaultChargesPerDay = 8

var policyName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ParsePolicy reads a policy file (see policies/standard.yaml). It is strict: an unknown, missing, repeated or wrongly typed field, an
// anchor, a second document or dates out of order are errors that name line and field.
//
// The library parses; its decoder is not used, because it takes 1.5 for the number 1 and a missing value for 0.
func ParsePolicy(data []byte) (Policy, error) {
	if len(data) > policyBytesMax {
		return Policy{}, fmt.Errorf("policy: larger than %d bytes", policyBytesMax)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			return Policy{}, fmt.Errorf("policy: line %d: %s", at.GetToken().Position.Line, at.GetMessage())
		}
		return Policy{}, fmt.Errorf("policy: %w", err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return Policy{}, fmt.Errorf("policy: line 1: want one document, got %d", len(file.Docs))
	}
	fields, err := readMapping(file.Docs[0].Body, "")
	if err != nil {
		return Policy{}, err
	}
	r := policyReader{fields: fields}
	p := Policy{
		Name:              r.text("name"),
		Version:           r.number("version"),
		Unit:              Unit(r.text("unit")),
		Rounds:            r.numbers("rounds"),
		FinalNotice:       r.optional("final_notice"),
		SuspensionNotice:  r.optional("suspension_notice"),
		Suspend:           r.optional("suspend"),
		Close:             r.optional("close"),
		MinimumToSuspend:  r.amounts("minimum_to_suspend"),
		SecondPersonAbove: r.amounts("second_person_above"),
		MarketplaceFunds:  r.flag("marketplace_funds"),
		ChargesPerDay:     DefaultChargesPerDay,
	}
	if _, there := r.fields["charges_per_day"]; there {
		p.ChargesPerDay = r.number("charges_per_day")
	}
	r.unread()
	r.check(p)
	if r.err != nil {
		return Policy{}, r.err
	}
	return p, nil
}

// field is one key of a mapping, with the line its value is on.
type field struct {
	value ast.Node
	line  int
	read  bool
}

func policyError(line int, name, format string, args ...any) error {
	return fmt.Errorf("policy: line %d, field %s: %s", line, name, fmt.Sprintf(format, args...))
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

// readMapping returns a mapping's fields by key; prefix is what error messages put before a key.
func readMapping(n ast.Node, prefix string) (map[string]*field, error) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		return nil, fmt.Errorf("policy: line %d: want fields \"name: value\", got %s", lineOf(n), n.Type())
	}
	fields := make(map[string]*field, len(pairs))
	for _, pair := range pairs {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return nil, policyError(lineOf(pair.Key), prefix+pair.Key.String(), "is not a plain name")
		}
		name := prefix + key.Value
		if _, twice := fields[key.Value]; twice {
			return nil, policyError(lineOf(pair.Key), name, "is there twice")
		}
		if pair.Value == nil {
			return nil, policyError(lineOf(pair.Key), name, "has no value")
		}
		fields[key.Value] = &field{value: pair.Value, line: lineOf(pair.Key)}
	}
	return fields, nil
}

// policyReader takes fields out one by one and keeps the first error.
type policyReader struct {
	fields map[string]*field
	err    error
}

func (r *policyReader) fail(line int, name, format string, args ...any) {
	if r.err == nil {
		r.err = policyError(line, name, format, args...)
	}
}

func (r *policyReader) take(name string) (*field, bool) {
	f, ok := r.fields[name]
	if !ok {
		r.fail(1, name, "is missing")
		return nil, false
	}
	f.read = true
	return f, true
}

func (r *policyReader) text(name string) string {
	f, ok := r.take(name)
	if !ok {
		return ""
	}
	s, ok := f.value.(*ast.StringNode)
	if !ok {
		r.fail(f.line, name, "want text, got %s", f.value.Type())
		return ""
	}
	return s.Value
}

func (r *policyReader) flag(name string) bool {
	f, ok := r.take(name)
	if !ok {
		return false
	}
	b, ok := f.value.(*ast.BoolNode)
	if !ok {
		r.fail(f.line, name, "want true or false, got %s", f.value.Type())
		return false
	}
	return b.Value
}

// integer reads plain decimal digits only: "0x10", "1_000" and "1.0" are refused rather than guessed.
func (r *policyReader) integer(n ast.Node, line int, name string) int64 {
	if i, ok := n.(*ast.IntegerNode); ok {
		v, err := strconv.ParseInt(i.GetToken().Value, 10, 64)
		if err == nil && strconv.FormatInt(v, 10) == i.GetToken().Value {
			return v
		}
	}
	r.fail(line, name, "want a whole number, got %s %s", n.Type(), n.String())
	return 0
}

func (r *policyReader) number(name string) int {
	f, ok := r.take(name)
	if !ok {
		return 0
	}
	return int(r.integer(f.value, f.line, name))
}

func (r *policyReader) optional(name string) int {
	if _, ok := r.fields[name]; !ok {
		return 0
	}
	return r.number(name)
}

func (r *policyReader) numbers(name string) []int {
	f, ok := r.take(name)
	if !ok {
		return nil
	}
	seq, ok := f.value.(*ast.SequenceNode)
	if !ok {
		r.fail(f.line, name, "want a list of whole numbers, got %s", f.value.Type())
		return nil
	}
	var out []int
	for i, v := range seq.Values {
		out = append(out, int(r.integer(v, lineOf(v), fmt.Sprintf("%s[%d]", name, i))))
	}
	return out
}

func (r *policyReader) amounts(name string) map[string]int64 {
	f, ok := r.take(name)
	if !ok {
		return nil
	}
	fields, err := readMapping(f.value, name+".")
	if err != nil {
		r.fail(f.line, name, "want amounts by currency: %v", err)
		return nil
	}
	out := make(map[string]int64, len(fields))
	for _, code := range slices.Sorted(maps.Keys(fields)) {
		v := fields[code]
		full := name + "." + code
		if _, err := money.ParseCurrency(code); err != nil && code != DefaultAmount {
			r.fail(v.line, full, "is neither an ISO 4217 currency nor %q", DefaultAmount)
			continue
		}
		out[code] = r.integer(v.value, v.line, full)
		if out[code] < 0 {
			r.fail(v.line, full, "must not be negative")
		}
	}
	if _, ok := out[DefaultAmount]; !ok {
		r.fail(f.line, name, "needs an amount %q for the other currencies", DefaultAmount)
	}
	return out
}

// unread refuses fields nobody asked for, naming the first in the file.
func (r *policyReader) unread() {
	first := ""
	for name, f := range r.fields {
		if !f.read && (first == "" || f.line < r.fields[first].line || f.line == r.fields[first].line && name < first) {
			first = name
		}
	}
	if first != "" {
		r.fail(r.fields[first].line, first, "is not a field of a policy")
	}
}
