package dunning

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

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
// anchor, a second document or dates out of order are errors that name line, column and field: PolicyProblems, all at once.
//
// The library parses; its decoder is not used, because it takes 1.5 for the number 1 and a missing value for 0.
func ParsePolicy(data []byte) (Policy, error) {
	if len(data) > policyBytesMax {
		return Policy{}, PolicyProblems{{Line: 1, Column: 1, Text: fmt.Sprintf("larger than %d bytes", policyBytesMax)}}
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			return Policy{}, PolicyProblems{{Line: at.GetToken().Position.Line, Column: at.GetToken().Position.Column, Text: at.GetMessage()}}
		}
		return Policy{}, PolicyProblems{{Line: 1, Column: 1, Text: err.Error()}}
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return Policy{}, PolicyProblems{{Line: 1, Column: 1, Text: fmt.Sprintf("want one document with the fields of a policy, got %d", len(file.Docs))}}
	}
	r := policyReader{bad: map[string]bool{}}
	r.fields = r.mapping(file.Docs[0].Body, "")
	if len(r.problems) > 0 {
		return Policy{}, r.problems
	}
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
		Limits:            r.limits(),
	}
	if _, there := r.fields["charges_per_day"]; there {
		p.ChargesPerDay = r.number("charges_per_day")
	}
	r.unread()
	r.check(p)
	if len(r.problems) > 0 {
		return Policy{}, r.problems.inOrder()
	}
	return p, nil
}

// policyFields are the fields of a policy file, in the order of policies/standard.yaml.
var policyFields = []string{"name", "version", "unit", "rounds", "final_notice", "suspension_notice", "suspend", "close",
	"minimum_to_suspend", "marketplace_funds", "second_person_above", "charges_per_day", "hold_days", holdExtendable,
	"promise_days", "promises_per_invoice", "promise_every_days", "extend_days"}

// field is one key of a mapping, with where its value is: on the key's line, else the key itself.
type field struct {
	value ast.Node
	at    place
	read  bool
}

// place is a place in a file; both count from 1.
type place struct{ line, column int }

func placeOf(n ast.Node) place {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return place{t.Position.Line, t.Position.Column}
	}
	return place{1, 1}
}

// policyReader takes fields out one by one and keeps what is wrong, one problem per field.
type policyReader struct {
	fields   map[string]*field
	problems PolicyProblems
	bad      map[string]bool
}

// mapping returns a mapping's fields by key; prefix is what problems put before a key.
func (r *policyReader) mapping(n ast.Node, prefix string) map[string]*field {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.fail(placeOf(n), strings.TrimSuffix(prefix, "."), "want fields \"name: value\", got %s", n.Type())
		return nil
	}
	fields := make(map[string]*field, len(pairs))
	for _, pair := range pairs {
		at := placeOf(pair.Key)
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			r.fail(at, prefix+pair.Key.String(), "is not a plain name")
			continue
		}
		name := prefix + key.Value
		switch _, twice := fields[key.Value]; {
		case twice:
			r.fail(at, name, "is there twice")
		case pair.Value == nil:
			r.fail(at, name, "has no value")
		default:
			if v := placeOf(pair.Value); v.line == at.line {
				at = v
			}
			fields[key.Value] = &field{value: pair.Value, at: at}
		}
	}
	return fields
}

func (r *policyReader) fail(at place, name, format string, args ...any) {
	if r.bad[name] {
		return
	}
	r.bad[name] = true
	r.problems = append(r.problems, PolicyProblem{Line: at.line, Column: at.column, Field: name, Text: fmt.Sprintf(format, args...)})
}

func (r *policyReader) take(name string) (*field, bool) {
	f, ok := r.fields[name]
	if !ok {
		r.fail(place{1, 1}, name, "is missing")
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
		r.fail(f.at, name, "want text, got %s", f.value.Type())
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
		r.fail(f.at, name, "want true or false, got %s", f.value.Type())
		return false
	}
	return b.Value
}

// integer reads plain decimal digits only: "0x10", "1_000" and "1.0" are refused rather than guessed.
func (r *policyReader) integer(n ast.Node, at place, name string) int64 {
	if i, ok := n.(*ast.IntegerNode); ok {
		v, err := strconv.ParseInt(i.GetToken().Value, 10, 64)
		if err == nil && strconv.FormatInt(v, 10) == i.GetToken().Value {
			return v
		}
	}
	r.fail(at, name, "want a whole number, got %s %s", n.Type(), n.String())
	return 0
}

func (r *policyReader) number(name string) int {
	f, ok := r.take(name)
	if !ok {
		return 0
	}
	return int(r.integer(f.value, f.at, name))
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
		r.fail(f.at, name, "want a list of whole numbers, got %s", f.value.Type())
		return nil
	}
	var out []int
	for i, v := range seq.Values {
		out = append(out, int(r.integer(v, placeOf(v), fmt.Sprintf("%s[%d]", name, i))))
	}
	return out
}

func (r *policyReader) amounts(name string) map[string]int64 {
	f, ok := r.take(name)
	if !ok {
		return nil
	}
	switch f.value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		r.fail(f.at, name, "want amounts by currency, such as \"default: 100\", got %s", f.value.Type())
		return nil
	}
	fields := r.mapping(f.value, name+".")
	out := make(map[string]int64, len(fields))
	for _, code := range slices.Sorted(maps.Keys(fields)) {
		v := fields[code]
		full := name + "." + code
		if _, err := money.ParseCurrency(code); err != nil && code != DefaultAmount {
			r.fail(v.at, full, "is neither an ISO 4217 currency nor %q", DefaultAmount)
			continue
		}
		out[code] = r.integer(v.value, v.at, full)
		if out[code] < 0 {
			r.fail(v.at, full, "must be 0 or more, in minor units, got %d", out[code])
		}
	}
	if _, ok := out[DefaultAmount]; !ok {
		r.fail(f.at, name, "needs an amount %q for the other currencies", DefaultAmount)
	}
	return out
}

// unread refuses fields nobody asked for.
func (r *policyReader) unread() {
	for name, f := range r.fields {
		if !f.read {
			r.fail(f.at, name, "is not a field of a policy; those are %s", strings.Join(policyFields, ", "))
		}
	}
}
