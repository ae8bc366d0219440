package dunning

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPoliciesNameTheirLimits: what a policy names is its limit, what it doesn't name is as it always was.
func TestPoliciesNameTheirLimits(t *testing.T) {
	p, err := ParsePolicy([]byte(goodPolicy + "hold_days: 7\nhold_extendable: false\npromise_days: 10\npromises_per_invoice: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Limits{HoldDays: 7, PromiseDays: 10, PromisesPerInvoice: 2, PromiseEveryDays: 365, ExtendDays: 30}
	if diff := cmp.Diff(want, p.Limits); diff != "" {
		t.Error(diff)
	}
	if p.Limits.HoldMax() != 7*24*time.Hour {
		t.Errorf("a hold may last %s", p.Limits.HoldMax())
	}
	before, err := ParsePolicy([]byte(goodPolicy))
	if err != nil {
		t.Fatal(err)
	}
	changes := []PolicyChange{
		{"hold_days", "a hold may last at most 7 days instead of 14"},
		{"promise_days", "a promise to pay may lie at most 10 days ahead instead of 30"},
		{"promises_per_invoice", "at most 2 promises for one invoice instead of 1"},
		{"hold_extendable", "a hold may no longer be extended"},
	}
	if diff := cmp.Diff(changes, Diff(before, p)); diff != "" {
		t.Error(diff)
	}
	for _, f := range append(limitFields, limitField{name: holdExtendable}) {
		if !slices.Contains(policyFields, f.name) {
			t.Errorf("%s is not among the fields of a policy", f.name)
		}
	}
	// Every limit is a field of the file, is in what show prints, and a change of it is told.
	for _, f := range limitFields {
		other := DefaultLimits()
		*f.of(&other)++
		if got := limitChanges(DefaultLimits(), other); len(got) != 1 || got[0].Field != f.name {
			t.Errorf("another %s is told as %v", f.name, got)
		}
		if !strings.Contains(other.String(), f.name+": ") {
			t.Errorf("%s is not in %s", f.name, other)
		}
	}
	for _, p := range Shipped() {
		if p.Limits != DefaultLimits() {
			t.Errorf("%s version %d has limits of its own: %s", p.Name, p.Version, p.Limits)
		}
	}
}
